"""Templates: wording, languages, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from feedback_app.model import Customer, Feedback
from feedback_app.pipeline import Composer, rehearsal
from feedback_app.pipeline.composer import name_of
from feedback_app.pipeline.sample import stars
from feedback_app.templating import NOTHING

FIVE = Feedback(rating=5, number=1, item="Blue umbrella", comment="Dry & happy\r\n<b>!</b>")
ADA = Customer(id="c1", name="Ada")
KNOWN = "known: business, comment, highest, item, lowest, name, rating"
UNSAFE = "access to attribute '__class__' of 'str' object is unsafe"
UNCLOSED = (
    "Unexpected end of template. Jinja was looking for the following tags: 'elif' or 'else' or 'endif'. "
    "The innermost block that needs to be closed is 'if'"
)


def _composer(folder: Path) -> Composer:
    return Composer(folder, business="The Shop")


def test_an_email_has_a_subject_a_text_and_html(tmp_path: Path) -> None:
    """The customer's words stand in both parts, escaped in HTML only."""
    form = _composer(tmp_path).compose("thanks", "email", FIVE, ADA)
    assert form.subject == "Thank you for your 5-star rating of Blue umbrella"
    assert form.text.startswith("Hello Ada,\n")
    assert "    Dry & happy\n    <b>!</b>\n" in form.text
    assert "Dry &amp; happy\r\n&lt;b&gt;!&lt;/b&gt;" in form.html
    assert form.text.endswith("The Shop\n")


def test_a_text_message_is_short_and_plain(tmp_path: Path) -> None:
    """One line, no HTML part, and a long item does not make it long."""
    long = Feedback(rating=4.5, item="x" * 300)
    form = _composer(tmp_path).compose("thanks", "sms", long, ADA)
    assert form.html == ""
    assert form.text.count("\n") == 1
    assert len(form.text) <= 160
    assert "4.5-star" in form.text


def test_a_channel_without_templates_of_its_own_gets_the_plain_text(tmp_path: Path) -> None:
    """A drop-in channel needs no template."""
    form = _composer(tmp_path).compose("thanks", "chat", FIVE, ADA)
    assert form.text.startswith("Hello Ada,")
    assert form.html == ""


@pytest.mark.parametrize(
    ("rating", "text"),
    [(5, "5 of 5!"), (4.5, "4.5 of 5"), (4.0, "4 of 5"), (3.25, "3.25 of 5?"), (10 / 3, "3.33333 of 5?")],
)
def test_ratings_are_numbers_that_templates_compare(tmp_path: Path, rating: float, text: str) -> None:
    """And are written as people write them."""
    (tmp_path / "thanks.txt").write_text(
        "{{ rating }} of {{ highest }}{% if rating == highest %}!{% endif %}{% if rating < 4 %}?{% endif %}"
    )
    form = _composer(tmp_path).compose("thanks", "email", Feedback(rating=rating), ADA)
    assert form.text == f"{text}\n"


def test_locales_without_end_are_not_remembered_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any well-formed tag is one, and they come with the ratings."""
    monkeypatch.setattr("feedback_app.pipeline.composer._REMEMBERED", 5)
    composer = _composer(tmp_path)
    forms = {
        composer.compose("thanks", "sms", FIVE, Customer(id="c1", locale=f"de-x{number}a")).text
        for number in range(20)
    }
    assert len(forms) == 1
    assert len(composer._parts) <= 5


def test_names_and_items_may_be_missing(tmp_path: Path) -> None:
    """Nothing odd is written when all that is known is the rating."""
    bare = Feedback(rating=5)
    email = _composer(tmp_path).compose("thanks", "email", bare, Customer(id="c1"))
    sms = _composer(tmp_path).compose("apology", "sms", bare, Customer(id="c1"))
    assert email.subject == "Thank you for your 5-star rating"
    assert "Hello,\n" in email.text
    assert "None" not in email.text + email.html + sms.text
    assert sms.text == "We are sorry about your experience. We are looking into it. The Shop\n"


@pytest.mark.parametrize(
    ("files", "channel", "locale", "wanted"),
    [
        ({"thanks.txt": "own"}, "email", None, "own"),
        ({"thanks.txt": "own", "thanks.de.txt": "eigen"}, "email", "de", "eigen"),
        ({"thanks.txt": "own", "thanks.de.txt": "eigen"}, "email", "de-AT", "eigen"),
        ({"thanks.de-AT.txt": "leiwand", "thanks.de.txt": "eigen"}, "email", "de-AT", "leiwand"),
        ({"thanks.txt": "own", "thanks.de.txt": "eigen"}, "email", "fr", "own"),
        ({"thanks.txt": "own", "thanks.chat.txt": "chatty"}, "chat", None, "chatty"),
        ({"thanks.chat.txt": "chatty", "thanks.chat.de.txt": "plaudernd"}, "chat", "de", "plaudernd"),
    ],
)
def test_the_operators_templates_win_by_channel_and_language(
    tmp_path: Path, files: dict[str, str], channel: str, locale: str | None, wanted: str
) -> None:
    """The nearest file is taken: channel before none, language before none."""
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    form = _composer(tmp_path).compose("thanks", channel, FIVE, Customer(id="c1", locale=locale))
    assert form.text == f"{wanted}\n"


@pytest.mark.parametrize(
    ("name", "content", "wanted"),
    [
        ("thanks.txt", "Hello\n\n\n{{ custmer }}", f" line 4: 'custmer' is undefined; {KNOWN}"),
        ("thanks.txt", "{{ name", " line 1: unexpected end of template, expected 'end of print statement'"),
        ("thanks.txt", "{% if name %}", f" line 1: {UNCLOSED}"),
        ("thanks.sms.txt", "a\n{{ name | shout }}", " line 2: No filter named 'shout'"),
        ("thanks.txt", "{{ ''.__class__.__mro__ }}", f" line 1: not allowed in the sandbox: {UNSAFE}"),
        ("thanks.txt", "{{ 'a' * 300000 }}", ": more than 262,144 characters come out of it"),
        ("thanks.txt", "{{ 1 / 0 }}", " line 1: division by zero"),
        ("thanks.txt", "{# nothing #}", f": {NOTHING}"),
        (
            "thanks.subject.txt",
            "{% if name == 'Ada Lovelace' %}Hi, {{ name }}{% endif %}",
            f": {NOTHING} (customer without a name)",
        ),
        ("thanks.txt", "Hello\n{{ 1 / (rating | int - 2) }}", " line 2: division by zero (rating 2)"),
        (
            "thanks.email.html",
            "<p>{{ name | safe }}</p>",
            ": a customer's words come out of it as markup; take `| safe` away from them",
        ),
        (
            "apology.txt",
            "{% include '../../etc/passwd' %}",
            " line 1: there is no template '../../etc/passwd' to include",
        ),
        ("apology.txt", "{% include 'apology.txt' %}", " line 1: includes or calls itself without end"),
        ("thanks.de.txt", "{{ nmae }}", f" line 1: 'nmae' is undefined; {KNOWN}"),
    ],
)
def test_a_bad_template_is_found_before_the_start(
    tmp_path: Path, name: str, content: str, wanted: str
) -> None:
    """One line names the template, its line and what is wrong."""
    (tmp_path / name).write_text(content)
    problems = rehearsal.check(_composer(tmp_path), ["email", "sms"]).problems
    assert f"template {name}{wanted}" in problems


def test_all_bad_templates_are_told_at_once(tmp_path: Path) -> None:
    """Three broken files give three lines, also where two are parts of one message."""
    (tmp_path / "thanks.txt").write_text("{{ a }}")
    (tmp_path / "apology.subject.txt").write_text("{{ b }}")
    (tmp_path / "apology.txt").write_text("{{ c")
    problems = rehearsal.check(_composer(tmp_path), ["email"]).problems
    assert sorted(line.split(":")[0] for line in problems) == [
        "template apology.subject.txt line 1",
        "template apology.txt line 1",
        "template thanks.txt line 1",
    ]


@pytest.mark.parametrize("name", ["thanks.txt", "thanks.sms.de.txt", "report.html"])
def test_what_is_no_file_does_not_pass_for_a_missing_template(tmp_path: Path, name: str) -> None:
    """Otherwise the shipped wording would be sent, and nobody would know why."""
    (tmp_path / name).symlink_to("nowhere")
    assert rehearsal.check(_composer(tmp_path), ["email"]).problems == (f"template {name}: is not a file",)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("thanks.sms.de.txt", None),
        ("report.txt", None),
        ("footer.txt", None),
        ("README.txt", None),
        ("thanks.emial.txt", "no message uses it, did you mean thanks.email.txt?"),
        ("tanks.txt", "no message uses it, did you mean thanks.txt?"),
        ("thanks.fax.html", "no message uses it, did you mean thanks.email.html?"),
    ],
)
def test_a_template_that_no_message_uses_is_told(tmp_path: Path, name: str, said: str | None) -> None:
    """A misspelt name would leave the shipped wording in force without a word."""
    (tmp_path / name).write_text("Hello")
    wanted = [f"template {name}: {said}"] if said else []
    assert _composer(tmp_path).strays(["email", "sms"]) == wanted


def test_an_included_template_is_named_where_the_mistake_is_its_own(tmp_path: Path) -> None:
    """The line is the one to mend, not the one that includes it."""
    (tmp_path / "thanks.txt").write_text("Hello\n{% include 'footer.txt' %}")
    (tmp_path / "footer.txt").write_text("\n\n{{ 1 // 0 }}")
    assert rehearsal.check(_composer(tmp_path), ["email"]).problems == (
        "template footer.txt line 3: integer division or modulo by zero",
    )


def test_a_template_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    """Bytes of another encoding give a line, not a traceback."""
    (tmp_path / "thanks.txt").write_bytes("Grüße".encode("latin-1"))
    assert rehearsal.check(_composer(tmp_path), ["email"]).problems == (
        "template thanks.txt: not UTF-8 at byte 2; save the file as UTF-8",
    )


def test_a_subject_is_one_line_whatever_the_template_makes(tmp_path: Path) -> None:
    """Line breaks, of the template or of an item's name, become blanks."""
    (tmp_path / "thanks.subject.txt").write_text("Thanks\n  for {{ item }}\n")
    form = _composer(tmp_path).compose("thanks", "email", Feedback(rating=5, item="a\r\nBcc: x"), ADA)
    assert form.subject == "Thanks for a Bcc: x"


def test_the_shipped_templates_pass_their_own_check(tmp_path: Path) -> None:
    """For every channel, in every language shipped."""
    assert rehearsal.check(_composer(tmp_path), ["email", "sms", "chat"])[1:] == ((), ())


def test_what_customers_write_is_never_a_template(tmp_path: Path) -> None:
    """Jinja syntax in any field comes out literally."""
    evil = Feedback(rating=5, item="{{ 7 * 7 }}", comment="{% for x in y %}{{ ''.__class__ }}")
    form = _composer(tmp_path).compose("thanks", "email", evil, Customer(id="c", name="{{ business }}"))
    assert "{{ 7 * 7 }}" in form.subject
    assert "{{ business }}" in form.text
    assert "{% for x in y %}" in form.text


@pytest.mark.parametrize(
    ("name", "content", "wanted"),
    [
        (
            "thanks.subject.txt",
            "Thank you,\n{{ name }}\n",
            "a line break comes out of it; a subject is one line, so it is sent as a blank",
        ),
        ("thanks.email.html", "", "nothing comes out of it, so the message has no HTML form"),
        (
            "thanks.email.de.html",
            "Hallo {{ name }}",
            "no markup comes out of it, so mail programs show it as one paragraph",
        ),
    ],
)
def test_what_works_and_is_hardly_meant_is_a_warning(
    tmp_path: Path, name: str, content: str, wanted: str
) -> None:
    """It starts nevertheless: what is sent is well formed."""
    (tmp_path / name).write_text(content)
    found = rehearsal.check(_composer(tmp_path), ["email"])
    assert found.problems == ()
    assert found.warnings == (f"template {name}: {wanted}",)


@pytest.mark.parametrize(
    ("lowest", "highest", "wanted"),
    [
        (1, 5, [1, 2, 3, 4, 5]),
        (0.5, 5, [0.5, 0.95, 1.4, 1.85, 2.3, 2.75, 3.2, 3.65, 4.1, 4.55, 5]),
        (0, 100, [0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100]),
        (-1, 0, [-1, 0]),
    ],
)
def test_every_star_of_a_short_scale_is_tried(lowest: float, highest: float, wanted: list[float]) -> None:
    """Of a long one some, both ends among them."""
    assert stars(lowest, highest) == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("file", "wanted"),
    [
        ("thanks.txt", ("thanks", None, "text", None)),
        ("thanks.de.txt", ("thanks", None, "text", "de")),
        ("thanks.sms.de-AT.txt", ("thanks", "sms", "text", "de-AT")),
        ("apology.subject.txt", ("apology", None, "subject", None)),
        ("apology.email.subject.de.txt", ("apology", "email", "subject", "de")),
        ("thanks.email.html", ("thanks", "email", "html", None)),
        ("thanks.subject.html", None),
        ("report.txt", None),
        ("footer.txt", None),
        ("thanks", None),
    ],
)
def test_a_name_says_what_it_is_for(file: str, wanted: object) -> None:
    """Purpose, channel, part, language."""
    assert name_of(file) == wanted
