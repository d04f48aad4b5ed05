"""Forms messages from templates: the operator's own where there are some, else the shipped ones.

For a purpose such as `thanks` and a channel such as `sms` these files are looked for, each also with the
customer's language in front of its ending (`thanks.sms.de.txt`):

    subject   thanks.CHANNEL.subject.txt, thanks.subject.txt
    text      thanks.CHANNEL.txt, thanks.txt
    html      thanks.CHANNEL.html (none: the channel has no HTML form)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from feedback_app.concurrency import Once
from feedback_app.errors import BadConfig
from feedback_app.model import Customer, Feedback

if TYPE_CHECKING:
    from jinja2 import Environment, Template

MAX_CHARACTERS = 256 * 1024  # of one rendered part; Jinja's sandbox does not stop 'a' * 200000000 by itself
PURPOSES = ("thanks", "apology")
_SHIPPED = Path(__file__).parent.parent / "templates"

Render: TypeAlias = Callable[[Mapping[str, object]], str]


class Form(NamedTuple):
    """The rendered parts of one message."""

    subject: str
    text: str
    html: str


class _Parts(NamedTuple):
    subject: Render
    text: Render
    html: Render | None


class Composer:
    """Renders messages; each template is read and compiled once, when it is first needed or by `check`."""

    def __init__(self, folder: Path, *, business: str, lowest: float = 1, highest: float = 5) -> None:
        self._folder = folder
        self._constant = {"business": business, "lowest": number(lowest), "highest": number(highest)}
        self._ratings = (lowest, highest)
        self._environment = Once(self._make_environment)
        self._parts: dict[tuple[str, str, str | None], _Parts] = {}

    def compose(self, purpose: str, channel: str, feedback: Feedback, customer: Customer) -> Form:
        """Render the message for one rating.

        Raises BadConfig naming the template and its line; `check` finds that before the start.
        """
        key = (purpose, channel, customer.locale)
        parts = self._parts.get(key)
        if parts is None:
            parts = self._parts[key] = self._load(*key)
        values = {
            **self._constant,
            "name": customer.name or "",
            "item": feedback.item or "",
            "rating": number(feedback.rating),
            "comment": feedback.comment,
        }
        html = parts.html
        return Form(
            subject=" ".join(parts.subject(values).split()),  # a subject is one line
            text=parts.text(values).strip() + "\n",
            html=html(values) if html is not None else "",
        )

    def check(self, channels: Iterable[str]) -> None:
        """Render everything once with sample data, in every language there is a template for.

        Raises BadConfig with a line for each problem.
        """
        problems = []
        for channel in channels:
            for purpose in PURPOSES:
                for locale in (None, *self._locales()):
                    problems += self._problems(purpose, channel, locale)
        if problems:
            raise BadConfig(*dict.fromkeys(problems))

    def _problems(self, purpose: str, channel: str, locale: str | None) -> list[str]:
        for rating in self._ratings:
            feedback = Feedback(rating=rating, item="Blue umbrella", comment="Sample comment", customer="c1")
            for name in ("Ada Lovelace", None):
                customer = Customer(id="c1", name=name, locale=locale)
                try:
                    form = self.compose(purpose, channel, feedback, customer)
                except BadConfig as error:
                    return list(error.problems)
                if not form.text.strip():
                    return [f"template {purpose}.txt for channel {channel!r}: the message is empty"]
        return []

    def _locales(self) -> list[str]:
        """Return the languages that template files exist for."""
        endings = set()
        for folder in (self._folder, _SHIPPED):
            for file in folder.glob("*.*.*") if folder.is_dir() else ():
                tag = file.suffixes[-2].removeprefix(".")
                if len(tag.split("-")[0]) == 2 and tag.split("-")[0].isalpha():  # noqa: PLR2004 - ISO 639-1
                    endings.add(tag)
        return sorted(endings)

    def _load(self, purpose: str, channel: str, locale: str | None) -> _Parts:
        def first(*stems: str, ending: str) -> Render | None:
            for stem in stems:
                for language in _languages(locale):
                    found = self._template(f"{stem}{language}.{ending}")
                    if found is not None:
                        return found
            return None

        subject = first(f"{purpose}.{channel}.subject", f"{purpose}.subject", ending="txt")
        text = first(f"{purpose}.{channel}", purpose, ending="txt")
        assert subject is not None  # shipped
        assert text is not None
        return _Parts(subject, text, first(f"{purpose}.{channel}", ending="html"))

    def _template(self, name: str) -> Render | None:
        from jinja2 import TemplateNotFound, TemplateSyntaxError

        environment = self._environment.get()
        try:
            template = environment.get_template(name)
        except TemplateNotFound:
            return None
        except TemplateSyntaxError as error:
            raise BadConfig(f"template {name} line {error.lineno}: {error.message}") from None
        except (UnicodeDecodeError, OSError) as error:
            raise BadConfig(f"template {name}: cannot be read: {_reason(error)}") from None
        return _renderer(name, template)

    def _make_environment(self) -> Environment:
        from jinja2 import FileSystemLoader, StrictUndefined, select_autoescape
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        environment = ImmutableSandboxedEnvironment(
            loader=FileSystemLoader([self._folder, _SHIPPED]),
            undefined=StrictUndefined,
            autoescape=select_autoescape(["html"], default=False),
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.globals.clear()  # range() and friends only help a template to run away
        return environment


def _languages(locale: str | None) -> tuple[str, ...]:
    """Return the endings to look for: de-AT gives .de-AT, .de and none."""
    if not locale:
        return ("",)
    language = locale.split("-")[0]
    return (f".{locale}", f".{language}", "") if language != locale else (f".{locale}", "")


def _renderer(name: str, template: Template) -> Render:
    from jinja2.exceptions import SecurityError, TemplateError, UndefinedError

    # The compiled function is called by itself: what Template.render sets up costs as much as the rendering.
    def render(values: Mapping[str, object]) -> str:
        try:
            return _capped(name, template.root_render_func(template.new_context(dict(values))))
        except BadConfig:
            raise
        except UndefinedError as error:
            known = ", ".join(sorted(values))
            raise BadConfig(f"{_where(error, template)}: {error.message}; known: {known}") from None
        except SecurityError as error:
            raise BadConfig(
                f"{_where(error, template)}: not allowed in the sandbox: {error.message}"
            ) from None
        except (TemplateError, ArithmeticError, TypeError, ValueError, MemoryError, RecursionError) as error:
            raise BadConfig(f"{_where(error, template)}: {_reason(error)}") from None

    return render


def _capped(name: str, pieces: Iterable[str]) -> str:
    """Join, but never more than the cap: Jinja's sandbox does not stop a template that makes too much."""
    taken = []
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > MAX_CHARACTERS:
            raise BadConfig(f"template {name}: more than {MAX_CHARACTERS} characters come out of it")
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


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__


def number(value: float) -> str:
    """Write a rating as people do: 4 and 4.5, never 4.0."""
    return f"{value:g}"
