"""Templates: the operator's own where there are some, else the shipped ones; every failure names file and line.

Only the operator writes templates; what customers write is only ever a value. The sandbox keeps a template from the
program's insides. It does not stop one that runs away: hence caps on its output and on what `*` and `**` make. What
loops for long without any output is not stopped.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from feedback_app.concurrency import Once
from feedback_app.errors import BadConfig

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jinja2 import Environment, Template

Render: TypeAlias = Callable[[dict[str, object]], str]

SHIPPED = Path(__file__).parent / "templates"
_ENDINGS = (".html", ".txt")
NOTHING = "nothing comes out of it; delete the file to get the shipped wording"

_PACKAGES = re.compile(
    r"'feedback_app\.[a-z_.]+\.(?=[A-Z]\w+ object')"
)  # where a class of ours is, which nobody asks
_QUOTED = re.compile(r"""(['"])(.*?)\1""")
_TYPES = {"NoneType", "Markup", *vars(builtins)}
_LONGEST_PRODUCT = 2_000_000  # characters or entries that `*` may make
_MOST_BITS = 4096  # of a number that `**` may make
_MISTAKES = (  # what expressions in a template may raise, beside the library's own errors
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    OSError,
    RecursionError,
    TypeError,
    ValueError,
)


class Templates:
    """Finds and compiles templates, each once; the library behind them is loaded when the first is asked for.

    `folder` is the operator's, None where there is none; `longest` caps the characters that one rendering may give.
    """

    def __init__(
        self,
        folder: Path | None,
        *,
        longest: int,
        filters: Mapping[str, Callable[..., object]] | None = None,
    ) -> None:
        self.folders = (folder, SHIPPED) if folder else (SHIPPED,)
        self._longest = longest
        self._filters = filters or {}
        self._environment = Once(self._make_environment)

    def find(self, name: str) -> Render | None:
        """Return what renders this template, None when there is no such file. Raises BadConfig, as `Render` does."""
        from jinja2 import TemplateNotFound, TemplateSyntaxError

        try:
            template = self._environment.get().get_template(name)
        except TemplateNotFound:
            return None
        # Constant expressions are worked out, and what Python cannot nest is found, when a template is compiled.
        except (TemplateSyntaxError, SyntaxError, *_MISTAKES) as error:
            raise BadConfig(_problem(error, f"template {name}")) from None
        return _renderer(template, self._longest)

    def unreadable(self) -> list[str]:
        """Return a line for what stands in the operator's folder under the name of a template and is no file.

        The library would pass over it and take the shipped template.
        """
        return [f"template {one.name}: is not a file" for one in self.own_files() if not one.is_file()]

    def names(self) -> list[str]:
        """Return the names of all templates, the operator's and the shipped ones."""
        shipped = {one.name for one in SHIPPED.iterdir() if one.suffix in _ENDINGS}
        return sorted(shipped | {one.name for one in self.own_files()})

    def place(self, name: str) -> Path | None:
        """Return the file that is taken for a name, None when there is none."""
        return next((file for folder in self.folders if (file := folder / name).is_file()), None)

    def own_files(self) -> list[Path]:
        """Return what stands in the operator's folder under the name of a template."""
        own = [folder for folder in self.folders if folder != SHIPPED and folder.is_dir()]
        return sorted(one for folder in own for one in folder.iterdir() if one.suffix in _ENDINGS)

    def _make_environment(self) -> Environment:
        from jinja2 import FileSystemLoader, StrictUndefined, select_autoescape
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        environment = ImmutableSandboxedEnvironment(
            loader=FileSystemLoader(self.folders),
            undefined=StrictUndefined,
            autoescape=select_autoescape(["html"], default=False),
            auto_reload=False,  # what was checked at the start is what is used
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        environment.globals.clear()  # range() and friends only help a template to run away
        environment.intercepted_binops = frozenset({"*", "**"})
        environment.binop_table |= {"*": _product, "**": _power}
        environment.filters.update(self._filters)
        return environment


def _renderer(template: Template, longest: int) -> Render:
    from jinja2 import TemplateError, UndefinedError

    # What Template.render sets up costs as much as the rendering. So the compiled function is called by itself, the
    # values are the context as they are, and no rendering walks the chain of globals, which are none.
    template.globals = {}

    def render(values: dict[str, object]) -> str:
        try:
            return _joined(template.root_render_func(template.new_context(values, shared=True)), longest)
        except _TooLong:
            problem = f"template {template.name}: more than {longest:,} characters come out of it"
        except (TemplateError, *_MISTAKES) as error:
            problem = _without_values(*_innermost(error, template), error)
            if isinstance(error, UndefinedError) and problem.endswith(" is undefined"):
                problem += f"; known: {', '.join(sorted(values))}"
        raise BadConfig(problem)

    return render


class _TooLong(Exception):
    """The cap is reached."""


def _joined(pieces: Iterable[str], longest: int) -> str:
    taken = []
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > longest:
            raise _TooLong
        taken.append(piece)
    return "".join(taken)


def _product(left: Any, right: Any) -> Any:
    for many, times in ((left, right), (right, left)):
        if isinstance(many, Sequence) and isinstance(times, int) and len(many) * times > _LONGEST_PRODUCT:
            raise OverflowError(f"repeats something until it is longer than {_LONGEST_PRODUCT:,}")
    return left * right


def _power(left: Any, right: Any) -> Any:
    if isinstance(left, int) and isinstance(right, int) and left.bit_length() * right > _MOST_BITS:
        raise OverflowError("the result of ** has too many digits")
    return left**right


def _innermost(error: BaseException, template: Template) -> tuple[Template, int | None]:
    """Return the last template that the error came through, with its line: it may be an included one."""
    place: tuple[Template, int | None] = (template, None)
    trace = error.__traceback__
    while trace is not None:
        found: Template | None = trace.tb_frame.f_globals.get("__jinja_template__")
        if found is not None:
            place = found, found.get_corresponding_lineno(trace.tb_lineno)
        trace = trace.tb_next
    return place


def _without_values(template: Template, line: int | None, error: BaseException) -> str:
    """Say what is wrong; it ends where something is quoted that may be a customer's word.

    What is written in the template and names of types are not.
    """
    problem = _problem(error, f"template {template.name}" + (f" line {line}" if line else ""))
    try:
        source = Path(template.filename or "").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        source = ""  # it was taken away meanwhile
    for quoted in _QUOTED.finditer(problem):
        word = quoted[2]
        if word not in source and not re.fullmatch(r"\w+ object", word) and word not in _TYPES:
            return f"{problem[: quoted.start()]}(a value)"
    return problem


def _problem(error: BaseException, where: str) -> str:
    """Say on one line what is wrong; `where` holds unless the error itself knows better."""
    from jinja2 import TemplateNotFound, TemplateSyntaxError
    from jinja2.exceptions import SecurityError

    match error:
        case TemplateSyntaxError():
            reason = f"{error.message}"
            where = f"template {error.name} line {error.lineno}" if error.name else where
        case SyntaxError():  # of the Python that a template is compiled to, whose lines nobody knows
            reason = error.msg
        case TemplateNotFound():
            reason = f"there is no template {str(error.name)!r} to include"
        case SecurityError():
            reason = f"not allowed in the sandbox: {error.message}"
        case UnicodeDecodeError():
            reason = f"not UTF-8 at byte {error.start}; save the file as UTF-8"
        case OSError():
            reason = f"cannot be read: {error.strerror}"
        case RecursionError():
            reason = "includes or calls itself without end"
        case MemoryError():
            reason = "needs more memory than there is"
        case _:
            reason = _PACKAGES.sub("'", str(error))
    return f"{where}: {' '.join(reason.split()).rstrip('.')}"
