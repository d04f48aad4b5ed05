"""Customers' words stay words in HTML (S6)."""

from __future__ import annotations

import dataclasses
from email import message_from_bytes, policy
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from feedback_app.model import Customer, Feedback
from feedback_app.pipeline import Composer
from feedback_app.plugins._mail_builder import MailBuilder
from feedback_app.plugins._mail_headers import parse_mailbox
from feedback_app.report.plain import plain
from feedback_app.report.render import Renderer, Report
from feedback_app.report.sample import sample_day
from tests.security.road import ADDRESS, NOWHERE, SENDER, message

if TYPE_CHECKING:
    from collections.abc import Callable

PAYLOADS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<img src=https://evil.example/pixel.gif>",
    "<svg/onload=alert(1)>",
    "<iframe src=javascript:alert(1)>",
    "<a href=https://evil.example>click</a>",
    "<style>*{display:none}</style>",
    "<link rel=stylesheet href=//evil.example>",
    "<meta http-equiv=refresh content=0;url=//evil.example>",
    "<base href=//evil.example>",
    "<form action=//evil.example><input>",
    "</td></tr></table><h1>Paid</h1>",
    "</blockquote></body></html>",
    "</title><script>",
    "<!-- ",
    "--><script>",
    "<!--[if mso]><b>x</b><![endif]-->",
    "<![CDATA[ <b> ]]>",
    "<?php echo 1 ?>",
    '" onmouseover="alert(1)',
    "' onmouseover='alert(1)",
    '"><b>',
    "&lt;script&gt;",
    "&#60;b&#62;",
    "&amp;",
    "<b",
    "<\0script>",
    "<ſcript>",
    "＜script＞",
    "+ADw-script+AD4-",
    "{{ '<b>' | safe }}",
    "javascript:alert(1)",
]
PLAIN = "word"


class _Tags(HTMLParser):
    """Lists everything in a page that is not text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[object] = []
        self.attributes: set[str] = set()
        self.words = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(attrs)))
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag: str) -> None:
        self.tags.append(f"/{tag}")

    def handle_comment(self, data: str) -> None:
        self.tags.append(("comment", data))

    def handle_decl(self, decl: str) -> None:
        self.tags.append(("decl", decl))

    def unknown_decl(self, data: str) -> None:
        self.tags.append(("unknown", data))

    def handle_pi(self, data: str) -> None:
        self.tags.append(("pi", data))

    def handle_data(self, data: str) -> None:
        self.words += data


def _mail_page(word: str) -> str:
    composer = Composer(NOWHERE, business=word)
    feedback = Feedback(rating=5, item=word, comment=word)
    pages = [
        composer.compose(purpose, "email", feedback, Customer(id="c", name=word)).html
        for purpose in ("thanks", "apology")
    ]
    return "".join(pages)


def _report_page(word: str) -> str:
    day = sample_day()
    shown = plain(word)  # as the figures bring it
    day = dataclasses.replace(
        day,
        lowest_items=(dataclasses.replace(day.lowest_items[0], item=shown),),
        low_comments=(dataclasses.replace(day.low_comments[0], item=shown, comment=shown),),
    )
    return Renderer().html(Report(business=word, days=[day]))


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("page", [_mail_page, _report_page])
def test_words_add_no_mark_up(page: Callable[[str], str], payload: str) -> None:
    """The same tags with the same attributes as of an ordinary word, and the words can still be read."""
    with_payload, ordinary = _Tags(page(payload)), _Tags(page(PLAIN))

    assert ordinary.tags == with_payload.tags
    assert plain(payload).replace("[U+0000]", "") in with_payload.words.replace("\0", "").replace(
        "[U+0000]", ""
    )


@pytest.mark.parametrize("page", [_mail_page(PLAIN), _report_page(PLAIN)], ids=["mail", "report"])
def test_a_page_needs_nothing_from_elsewhere(page: str) -> None:
    """No images, scripts or style sheets: nobody learns when a mail was read."""
    names = _Tags(page).attributes

    assert "style" in names
    assert names.isdisjoint({"src", "href", "srcset", "background", "action", "poster", "data"})
    assert "url(" not in page
    assert "http://" not in page
    assert "https://" not in page
    assert "@import" not in page


async def test_a_mail_has_a_text_beside_its_html() -> None:
    """First, as RFC 2046 wants the plainest form."""
    formed = await message(
        Feedback(rating=5, number=1, customer="c", comment="<b>fine</b>"), Customer(id="c", email=ADDRESS)
    )
    data = MailBuilder(parse_mailbox(SENDER)).build(formed, 1_795_000_000.0).data

    mail = message_from_bytes(data, policy=policy.default)

    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    assert "<b>fine</b>" in next(mail.iter_parts()).get_content()
