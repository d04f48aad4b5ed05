"""Templates: the operator's own where there are some, else the shipped ones; every failure names file and line.

Only the operator writes templates; what customers write is only ever a value. The sandbox keeps a template from the
program's insides, and a cap on its output from filling the memory, which the sandbox does not stop by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from feedback_app.concurrency import Once
from feedback_app.errors import BadConfig

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jinja2 import Environment, Template

Render: TypeAlias = Callable[[Mapping[str, object]], str]

SHIPPED = Path(__file__).parent / "templates"


class Templates:
    """Finds and compiles templates, each once; the library behind them is loaded when the first is asked for.

    `longest` caps the characters that one rendering may give.
    """

    def __init__(
        self,
        folder: Path,
        *,
        longest: int,
        filters: Mapping[str, Callable[..., object]] | None = None,
    ) -> None:
        self.folders = (folder, SHIPPED)
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
        except TemplateSyntaxError as error:
            raise BadConfig(f"template {error.name or name} line {error.lineno}: {error.message}") from None
        except UnicodeDecodeError as error:
            raise BadConfig(f"template {name}: not UTF-8 at byte {error.start}") from None
        except OSError as error:
            raise BadConfig(f"template {name}: cannot be read: {error.strerror}") from None
        return _renderer(template, self._longest)

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
        environment.filters.update(self._filters)
        return environment


def _renderer(template: Template, longest: int) -> Render:
    from jinja2.exceptions import SecurityError, TemplateError, UndefinedError

    # The compiled function is called by itself: what Template.render sets up costs as much as the rendering.
    def render(values: Mapping[str, object]) -> str:
        try:
            return _joined(template.root_render_func(template.new_context(dict(values))), longest)
        except UndefinedError as error:
            known = ", ".join(sorted(values))
            raise BadConfig(f"{_where(error, template)}: {error.message}; known: {known}") from None
        except SecurityError as error:
            raise BadConfig(
                f"{_where(error, template)}: not allowed in the sandbox: {error.message}"
            ) from None
        except _TooLong:
            raise BadConfig(
                f"template {template.name}: more than {longest:,} characters come out of it"
            ) from None
        except (TemplateError, ArithmeticError, LookupError, AttributeError, TypeError, ValueError) as error:
            raise BadConfig(f"{_where(error, template)}: {' '.join(str(error).split())}") from None
        except (MemoryError, RecursionError) as error:
            raise BadConfig(f"{_where(error, template)}: {type(error).__name__}") from None

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


def _where(error: BaseException, template: Template) -> str:
    """Name the template and its line, found in the frame of the compiled template."""
    line = 0
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == template.filename:
            line = template.get_corresponding_lineno(trace.tb_lineno)
        trace = trace.tb_next
    return f"template {template.name} line {line}" if line else f"template {template.name}"
