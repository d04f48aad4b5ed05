"""What users write is only ever a value; what operators write stays in its sandbox (S5)."""

from __future__ import annotations

import dataclasses
import html
from pathlib import Path

import pytest

from feedback_app.errors import BadConfig
from feedback_app.model import Customer, Feedback
from feedback_app.pipeline import Composer, rehearsal
from feedback_app.report.render import Renderer, Report
from feedback_app.report.sample import sample_day
from feedback_app.templating import Templates
from tests.security.road import NOWHERE

_EXPRESSIONS = [
    "7*7",
    "7*'7'",
    "name",
    "comment.__class__",
    "''.__class__.__mro__[1].__subclasses__()",
    "().__class__.__base__",
    "self.__init__.__globals__",
    "self._TemplateReference__context",
    "lipsum.__globals__['os'].popen('id').read()",
    "cycler.__init__.__globals__.os",
    "config.items()",
    "request.application",
    "namespace.__init__.__globals__",
    "'a'*200000000",
    "9**9**6",
    "range(10**9)",
    "name|attr('__class__')",
    "['x']|map(attribute='__class__')|list",
    "'{0.__class__}'.format(name)",
    "undefined_name",
]
_WRAPPERS = ["{{{{ {} }}}}", "{{% if {} %}}x{{% endif %}}", "{{{{-{}-}}}}"]
_OTHERS = [
    "{% include '/etc/passwd' %}",
    "{% extends 'thanks.txt' %}",
    "{% import 'os' as os %}{{ os }}",
    "{# comment #}",
    "{% raw %}{{ name }}{% endraw %}",
    "{{",
    "%}",
    "${7*7} #{7*7} <%= 7*7 %> %(name)s %s {0} {name} $name `id` $(id)",
    "{{ '{{' }}",
    "{% for x in 'aaaa' %}{{ x }}{% endfor %}",
]
PAYLOADS = [wrapper.format(one) for one in _EXPRESSIONS for wrapper in _WRAPPERS] + _OTHERS

COMPOSER = Composer(NOWHERE, business="Shop")
RENDERER = Renderer()


def test_the_list_is_long_enough() -> None:
    """60 payloads were promised."""
    assert len(set(PAYLOADS)) >= 60


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("field", ["name", "item", "comment"])
def test_what_a_user_writes_appears_as_it_is(field: str, payload: str) -> None:
    """In the text as written, in the HTML escaped, in thanks and apologies, and nothing is made of it."""
    values = {"name": "Anna", "item": "umbrella", "comment": "fine", field: payload}
    feedback = Feedback(rating=5, item=values["item"], comment=values["comment"])
    for purpose in ("thanks", "apology"):
        form = COMPOSER.compose(purpose, "email", feedback, Customer(id="c", name=values["name"]))

        assert payload in form.text
        assert html.escape(payload, quote=False) in _with_plain_quotes(form.html)
        assert field != "item" or payload in form.subject


@pytest.mark.parametrize("payload", PAYLOADS)
def test_it_does_so_in_the_report_too(payload: str) -> None:
    """Operators read it there; the name of the business is the operator's own and no template either."""
    day = sample_day()
    day = dataclasses.replace(
        day,
        lowest_items=(dataclasses.replace(day.lowest_items[0], item=payload),),
        low_comments=(dataclasses.replace(day.low_comments[0], item=payload, comment=payload),),
    )
    report = Report(business=payload, days=[day])

    assert RENDERER.text(report).count(payload) == 4
    assert _with_plain_quotes(RENDERER.html(report)).count(html.escape(payload, quote=False)) >= 4


def _with_plain_quotes(page: str) -> str:
    return page.replace("&#39;", "'").replace("&#34;", '"')


ESCAPES = [
    "{{ ''.__class__ }}",
    "{{ name.__class__.__mro__ }}",
    "{{ name['__class__'] }}",
    "{{ name | attr('__class__') }}",
    "{{ (name | attr('form' ~ 'at')).__self__.__class__ }}",
    "{{ ('{0.__class__}' | attr('format'))(name) }}",  # CVE-2025-27516
    "{{ '{0.__class__.__init__.__globals__}'.format(name) }}",
    "{{ '{a.__class__}'.format_map({'a': name}) }}",
    "{{ (['x'] | map(attribute='__class__') | list)[0] }}",
    "{{ (['x'] | map('attr', '__class__') | list)[0] }}",
    "{{ ([{}] | groupby('__class__'))[0].grouper }}",
    "{% for x in ().__class__.__base__.__subclasses__() %}{{ x }}{% endfor %}",
    "{% set x = name.__init__ %}{{ x.__globals__ }}",
    "{{ self.__init__.__globals__ }}",
    "{{ self._TemplateReference__context.environment }}",
    "{{ ''.join.__self__.__class__ }}",
    "{{ [].append(1) }}",
    "{{ {}.update(a=1) }}",
    "{{ lipsum.__globals__ }}",
    "{{ cycler.__init__ }}",
    "{{ namespace() }}",
    "{{ range(3) }}",
    "{{ dict() }}",
    "{{ config }}",
    "{{ env }}",
    "{{ os.environ }}",
    "{% include '/etc/passwd' %}",
    "{% include '../secret.txt' %}",
    "{% import 'os' as os %}",
    "{% extends '../../etc/passwd' %}",
]


@pytest.mark.parametrize("escape", ESCAPES)
def test_a_way_out_of_the_sandbox_is_refused_by_name(escape: str, tmp_path: Path) -> None:
    """Even the operator's own template reaches neither the program's insides nor other files."""
    (tmp_path / "secret.txt").write_text("canary")
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "thanks.txt").write_text(f"{escape}\nHello")

    (line,) = rehearsal.check(Composer(folder, business="Shop"), ["email"]).problems

    assert line.startswith("template thanks.txt")
    assert len(line) < 300
    assert "canary" not in line


RUNAWAYS = [
    "{{ 'a' * 2000000 }}",
    "{{ 'a' * 200000000 }}",
    "{{ 200000000 * [name] }}",
    "{{ 9 ** (9 ** 6) }}",
    "{{ 9 ** (9 ** 9) }}",
    "{{ 'a' | center(2000000) }}",
    "{{ '%2000000d' % 1 }}",
    "{{ '{:2000000}'.format(1) }}",
    "{% for a in 'x' * 2000 %}{% for b in 'x' * 2000 %}{{ name }}xxxxxxxxxx{% endfor %}{% endfor %}",
    "{% macro again() %}x{{ again() }}{% endmacro %}{{ again() }}",
    "{% include 'thanks.txt' %}",
    "{{ ['a'] * 2000000 }}",
]


@pytest.mark.parametrize("template", RUNAWAYS)
def test_a_template_that_runs_away_is_stopped(template: str, tmp_path: Path) -> None:
    """Its output has a cap. What takes long or much memory without any output has none: see the docs."""
    (tmp_path / "thanks.txt").write_text(template)

    with pytest.raises(BadConfig, match=r"^template thanks\.txt"):
        _render(tmp_path, {"name": "Anna"})


@pytest.mark.parametrize("template", ["{{ 3 * 4 }}", "{{ 2 ** 10 }}", "{{ '-' * 60 }}", "{{ 9.5 ** 2 }}"])
def test_ordinary_arithmetic_is_not_disturbed(template: str, tmp_path: Path) -> None:
    """The caps are far above what a message needs."""
    (tmp_path / "thanks.txt").write_text(template)

    assert _render(tmp_path, {}) == str(eval(template.strip("{}")))


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{ {}[comment] }}", "template thanks.txt line 1: 'dict object' has no attribute (a value)"),
        ("{% include comment %}", "template thanks.txt line 1: there is no template (a value)"),
        ("{{ comment.format(1) }}", "template thanks.txt line 1: (a value)"),
        ("{{ comment.nme }}", "template thanks.txt line 1: 'str object' has no attribute 'nme'"),
        ("{{ comment + 1 }}", 'template thanks.txt line 1: can only concatenate str (not "int") to str'),
    ],
)
@pytest.mark.parametrize("comment", ["{canary}", "{it's} a 'canary'", '{"canary"} it\'s', "{'canary}"])
def test_a_template_that_fails_on_a_value_does_not_quote_it(
    template: str, said: str, comment: str, tmp_path: Path
) -> None:
    """Such errors end in the log; what the template itself says may be quoted."""
    (tmp_path / "thanks.txt").write_text(template)

    with pytest.raises(BadConfig) as failure:
        _render(tmp_path, {"comment": comment})

    assert said == str(failure.value)


def _render(folder: Path, values: dict[str, object]) -> str:
    render = Templates(folder, longest=256 * 1024).find("thanks.txt")
    assert render is not None
    return render(values)
