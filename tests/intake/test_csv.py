"""CSV and TSV: every row is taken or refused with its line, and none is swallowed."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_app.errors import BadData, UsageError
from feedback_app.intake.csv_rows import CsvRows
from feedback_app.intake.records import Reject
from tests.intake.reading import good, ratings, refused

NEVER_CLOSED = "the quote opened here is never closed"
GIVE_ENCODING = "give --encoding, such as cp1252 or latin-1"
SAY_WHICH = "say which one is the rating by --map rating=COLUMN"
HEADER = "r.csv: the header in line 1 cannot be read:"


def test_a_plain_file_is_read() -> None:
    """Fields are found by name, capitals apart; other columns are ignored."""
    (one,) = good(ratings("Rating,x,customer,item,COMMENT\n4,-,c1,i1,fine\n"))
    assert (one.feedback.rating, one.feedback.customer, one.feedback.item) == (4.0, "c1", "i1")
    assert (one.feedback.comment, one.feedback.source, one.feedback.thank) == ("fine", "import", True)
    assert (one.line, one.contact, one.warnings) == (2, None, ())


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_recognised(delimiter: str) -> None:
    """By the header, quoted names apart."""
    other = ";" if delimiter == "," else ","
    content = f'"a{other * 3}b"{delimiter}rating{delimiter}item\nx{delimiter}5{delimiter}a\n'
    assert [one.feedback.item for one in good(ratings(content))] == ["a"]


def test_a_file_of_one_column_is_read() -> None:
    """No delimiter is needed then."""
    assert [one.feedback.rating for one in good(ratings("rating\n5\n4\n"))] == [5.0, 4.0]


@pytest.mark.parametrize("first", ["sep=;\n", "sep=;\r\n", '"sep=;"\n', "\ufeffsep=;\r\n"])
def test_excels_first_line_names_the_delimiter(first: str) -> None:
    """It counts as a line and not as a row."""
    results = ratings(first + "rating;item,x\n5;a\n9;b\n")
    assert [one.feedback.rating for one in good(results)] == [5.0]
    assert [line for line, _ in refused(results)] == [4]


def test_a_byte_order_mark_crlf_blank_lines_and_a_missing_last_newline_do_no_harm() -> None:
    """Line numbers count the blank lines."""
    results = ratings(b"\xef\xbb\xbf\r\nrating,item\r\n\r\n5,a\r\n\r\n0,b\r\n4,c")
    assert [(one.line, one.feedback.item) for one in good(results)] == [(4, "a"), (7, "c")]
    assert refused(results) == [(6, "rating must be a whole number from 1 to 5, got '0'")]


def test_line_breaks_and_quotes_in_a_comment_are_kept() -> None:
    """CRLF inside quotes stays CRLF, and the next row's line counts them."""
    first, second = good(ratings('rating,comment\n5,"a\r\nb ""c""\n\n"\n4,=1+1\n'))
    assert first.feedback.comment == 'a\r\nb "c"\n\n'
    assert (second.line, second.feedback.comment) == (6, "=1+1")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("5,a,x,y", "the row has 4 columns, the header 2; put quotes around a text with ',' in it"),
        ("5", "the row has 1 column, the header 2"),
        ("3.5,a", "rating must be a whole number from 1 to 5, got '3.5'"),
        ('"4,5",a', "rating must be a whole number from 1 to 5, got '4,5' (use a point, not a comma)"),
        ("\uff15,a", "rating must be a whole number from 1 to 5, got '\uff15' (use the digits 0 to 9)"),
        (",a", "rating is missing"),
        ("=5,a", "rating must be a whole number from 1 to 5, got '=5'"),
        ('"5"x,a', "text follows a closing quote; a quote inside quotes must be doubled"),
        ('5,"a\rb', NEVER_CLOSED),
        ("5,a\rb", "a carriage return stands outside of quotes"),
        ("5,a\0", "item holds a NUL character"),
        (f"9,{'x' * 501}",
         "item must be at most 500 characters, got 501; rating must be a whole number from 1 to 5, got '9'"),
    ],
)  # fmt: skip
def test_a_bad_row_is_refused_and_the_others_go_on(row: str, reason: str) -> None:
    """With line, everything that is wrong with it, and its text."""
    results = ratings(f"rating,item\n5,before\n{row}\n4,after\n")
    assert refused(results) == [(3, reason)]
    assert [one.feedback.item for one in good(results)] == ["before", "after"]
    assert [result.raw for result in results if isinstance(result, Reject)] == [row]


@pytest.mark.parametrize("closing", ["", '4,"fine",\n', '5,"x",y\n'])
def test_an_unbalanced_quote_costs_its_own_row_only(closing: str) -> None:
    """The rows that it had swallowed are read again."""
    rows = "".join(f"{number % 5 + 1},item {number},\n" for number in range(1000))
    results = ratings(f'rating,item,comment\n5,"oops,\n{rows}{closing}1,last,\n')
    assert refused(results)[0][0] == 2
    assert len(refused(results)) == 1
    items = [one.feedback.item for one in good(results)]
    assert items[:2] == ["item 0", "item 1"]
    assert items[-1] == "last"
    assert len(items) == 1001 + bool(closing)
    assert good(results)[0].line == 3
    assert good(results)[-1].line == 1003 + bool(closing)


def test_a_quote_that_swallows_a_long_file_is_found_out() -> None:
    """By the size of the field; memory stays small and no row behind it is lost."""
    rows = "5,a\n" * 100_000
    results = ratings(f'rating,item\n5,"oops\n{rows}')
    assert refused(results) == [(2, "a field exceeds 131,072 characters; is its quote never closed?")]
    assert len(good(results)) == 100_000


def test_a_record_of_many_fields_that_never_ends_is_found_out() -> None:
    """The lines toggle the quotes, so that no field is long; each line is read twice at most."""
    rows = 'a",b,"\n' * 300_000
    results = ratings(f'rating,item\n5,"\n{rows}4,last\n')
    assert len(results) == 300_002
    assert [one.feedback.item for one in good(results)] == ["last"]


def test_a_record_beyond_a_megabyte_is_refused() -> None:
    """A line of a million columns does not become a million strings."""
    results = ratings("rating,item\n" + "," * 2_000_000 + "\n" + "x" * 12_000_000 + "\n5,a\n")
    reason = "the record exceeds 1,048,576 characters; is a quote never closed?"
    assert refused(results) == [(2, reason), (3, reason)]
    assert good(results)[0].line == 4


def test_bytes_that_are_not_utf_8_cost_their_row_only() -> None:
    """Latin-1 in one row is named with its place and the way out; with the encoding all is read."""
    content = "rating,item\n5,ok\n4,café\n3,ok\n".encode("latin-1")
    results = ratings(content)
    reason = f"not UTF-8 at byte 6 of the row; {GIVE_ENCODING}"
    assert refused(results) == [(3, reason)]
    assert [one.feedback.item for one in good(ratings(content, encoding="latin-1"))] == ["ok", "café", "ok"]


def test_a_row_of_many_lines_with_a_wrong_number_of_columns_names_both_ends() -> None:
    """Well formed, so one reject, with the lines it spans."""
    results = ratings('rating,item\n5,"a\nb",c\n4,d\n')
    assert refused(results) == [
        (2, "the row has 3 columns, the header 2; put quotes around a text with ',' in it (lines 2 to 3)")
    ]
    assert good(results)[0].line == 4


def test_a_header_alone_is_no_row() -> None:
    """An export of a quiet day."""
    assert ratings("rating,item\n") == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "r.csv is empty"),
        (b"\n \r\n", "r.csv is empty"),
        (b"sep=;\n", "r.csv has no header"),
        (b"ratng,item\n5,a\n",
         f"r.csv has no 'rating' (did you mean 'ratng'?); its columns are 'ratng', 'item': {SAY_WHICH}"),
        (b"5,a\n4,b\n", f"r.csv has no 'rating'; its columns are '5', 'a': {SAY_WHICH}"),
        (b"rating,item,rating\n5,a,4\n",
         "r.csv names 2 columns 'rating' (columns 1, 3): rename all but the one that is the rating"),
        (b"Rating,RATING\n5,4\n",
         "r.csv has the columns 'Rating', 'RATING': say which one by --map rating=COLUMN"),
        (b'rating,"item\n5,a\n', f"{HEADER} {NEVER_CLOSED}"),
        (b"rating,caf\xe9\n5,a\n", f"{HEADER} not UTF-8 at byte 11 of the row; {GIVE_ENCODING}"),
        (b"rating,item\r5,a\r", f"{HEADER} a carriage return stands outside of quotes"),
        (b"rating" + b",c" * 10_000 + b"\n", "r.csv has 10,001 columns, at most 10,000 are read"),
        (b"rating" + b",c" * 1_000_000 + b"\n",
         "r.csv has a first line of more than 1,048,576 characters: not a table"),
    ],
    ids=range(12),
)  # fmt: skip
def test_a_file_that_cannot_be_read_at_all_says_why(content: bytes, reason: str) -> None:
    """One line, before the first row."""
    with pytest.raises(BadData) as caught:
        ratings(content)
    assert str(caught.value) == reason


def test_twins_among_columns_that_nobody_reads_do_no_harm() -> None:
    """Survey exports have them."""
    assert len(good(ratings("rating,x,x\n5,1,2\n"))) == 1


@pytest.mark.parametrize(
    ("delimiter", "sound"), [(";", True), ("tab", False), ("", False), (";;", False), ('"', False)]
)
def test_a_delimiter_can_be_given(delimiter: str, sound: bool) -> None:
    """One character, or the word tab."""
    if sound:
        assert len(good(ratings("rating;a,b,c\n5;x\n", delimiter=delimiter))) == 1
    elif delimiter == "tab":
        assert len(good(ratings("rating\ta,b,c\n5\tx\n", delimiter=delimiter))) == 1
    else:
        with pytest.raises(UsageError, match="one character is wanted"):
            ratings("rating\n5\n", delimiter=delimiter)


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)


@given(st.lists(st.tuples(st.sampled_from("12345"), TEXT), max_size=8), st.sampled_from(["\n", "\r\n"]))
def test_what_the_csv_module_writes_comes_back_verbatim(rows: list[tuple[str, str]], end: str) -> None:
    """Any text, line breaks of any kind inside quotes."""
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator=end, quoting=csv.QUOTE_ALL).writerows([("rating", "comment"), *rows])
    read = good(ratings(file.getvalue()))
    assert [(one.feedback.rating, one.feedback.comment) for one in read] == [
        (float(n), text) for n, text in rows
    ]


@given(st.lists(st.text('ab,"\n\r', max_size=12), max_size=12))
def test_every_line_of_any_garbage_belongs_to_one_record(lines: list[str]) -> None:
    """The raw texts of rows and rejects, in order, are the file without its blank lines."""
    text = "".join(f"{line}\n" for line in lines)
    stream = io.StringIO(text, newline="\n")
    results = list(CsvRows(iter(stream), delimiter=",", line=0))
    together = "".join(result.raw for result in results)
    assert together.replace("\r", "").replace("\n", "") == text.replace("\r", "").replace("\n", "")
    starts = [result.line for result in results]
    assert starts == sorted(set(starts))
    assert all(text.split("\n")[result.line - 1].rstrip("\r") in result.raw for result in results)
