"""The benchmarks do on both sides what they say they do; how long it takes is not asked here."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.building import built_by_email_message
from benchmarks.catalogue import BENCHMARKS
from benchmarks.harness import Measured
from benchmarks.mails import SENDER, messages, without_postfix
from benchmarks.peers.job import totals
from benchmarks.where import Bar, by_stage, drawn
from benchmarks.workload import ratings
from feedback_app.plugins._mail_builder import MailBuilder
from feedback_app.plugins._mail_headers import parse_mailbox

ROOT = Path(__file__).parents[1]


def run_side(benchmark: str, side: str, folder: Path, count: int) -> Measured:
    """Prepare one side of a benchmark in `folder` and run it there."""
    one = next(one for one in BENCHMARKS[benchmark].sides if one.name == side)
    one.prepare(folder, count)
    return one.run(folder, count)


def rows(database: Path, query: str) -> list[tuple[object, ...]]:
    """Return what a query finds."""
    base = sqlite3.connect(database)
    found = base.execute(query).fetchall()
    base.close()
    return found


def test_import_both_programs_store_the_same_ratings(tmp_path: Path) -> None:
    """Every row of the file, with the same values in the same columns, on both sides."""
    stored = []
    for side, database in (("feedback_app", "feedback.db"), ("plain", "plain.db")):
        folder = tmp_path / side
        folder.mkdir()
        run_side("import", side, folder, 40)
        columns = "source, external_id, customer_id, item, rating, comment, given_at, thank, state"
        stored.append(rows(folder / database, f"SELECT {columns} FROM feedback ORDER BY id"))

    assert len(stored[0]) == 40
    assert stored[0] == stored[1]


@pytest.mark.parametrize("side", ["feedback_app", "bare queue", "article"])
def test_pool_every_side_does_all_jobs(tmp_path: Path, side: str) -> None:
    """Each of them once; the side itself counts and fails otherwise."""
    assert run_side("pool", side, tmp_path, 3_000).keys() == {"value"}


def test_growth_the_waiting_ratings_go_all_the_road_beside_the_past_ones(tmp_path: Path) -> None:
    """What was finished before stays as it was; each new rating is processed and its message recorded as sent."""
    run_side("growth", "10,000 rows", tmp_path, 20)

    ledger = tmp_path / "feedback.db"
    found = rows(ledger, "SELECT source, state, count(*) FROM feedback GROUP BY 1, 2 ORDER BY 1")
    assert found == [("bench", "processed", 20), ("past", "processed", 10_000)]
    (high,) = rows(ledger, "SELECT count(*) FROM feedback WHERE rating > 2")[0]
    assert rows(ledger, "SELECT state, count(*) FROM message GROUP BY 1") == [("sent", high)]


def test_memory_is_read_after_each_tenth_of_the_ratings(tmp_path: Path) -> None:
    """The daemon is watched from outside until its last message is sent."""
    measured = run_side("memory", "feedback_app", tmp_path, 200)

    assert [f"after {count}" for count in range(20, 201, 20)] == [
        key for key in measured if key.startswith("after")
    ]
    assert rows(tmp_path / "feedback.db", "SELECT count(*) FROM message WHERE state <> 'sent'") == [(0,)]


def test_start_waits_for_the_daemon_and_for_both_short_commands(tmp_path: Path) -> None:
    """And for the first start of all, which makes the ledger."""
    measured = run_side("start", "feedback_app", tmp_path, 1)

    assert {"value", "first start, new ledger, ms", "--version ms", "--help ms"} <= measured.keys()
    assert run_side("start", "bare interpreter", tmp_path, 1)["value"] > 0


def test_idle_reads_the_cpu_and_the_memory_of_a_daemon_that_runs(tmp_path: Path) -> None:
    """From /proc, and it has some of both."""
    measured = run_side("idle", "feedback_app", tmp_path, 1)

    assert measured["value"] > 0
    assert measured["MB"] > 1


@pytest.mark.skipif(without_postfix() is not None, reason="needs smtp-sink: apt-get install -y postfix")
@pytest.mark.parametrize("side", ["feedback_app", "pooled-4"])
def test_mail_sends_every_mail(side: str, tmp_path: Path) -> None:
    """Ours raises unless the run recorded each mail as sent, the plain one when the server refuses one."""
    assert run_side("mail", side, tmp_path, 20)["value"] > 0


def test_both_ways_of_building_a_mail_say_the_same(tmp_path: Path) -> None:
    """Else different work would be compared."""
    (one,) = messages(1, tmp_path)
    data = MailBuilder(parse_mailbox(SENDER)).build(one, 0.0).data
    ours, theirs = message_from_bytes(data, policy=policy.default), built_by_email_message(one, 0.0)
    assert isinstance(ours, EmailMessage)
    for name in ("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted"):
        assert theirs[name] == ours[name]
    for subtype in ("plain", "html"):
        parts = [mail.get_body((subtype,)) for mail in (theirs, ours)]
        expected, found = (part and part.get_content().replace("\r\n", "\n") for part in parts)
        assert expected == found


@pytest.mark.parametrize("side", ["feedback_app", "MIMEText"])
def test_build_builds(side: str, tmp_path: Path) -> None:
    """Each way takes the same messages."""
    assert run_side("build", side, tmp_path, 5)["value"] > 0


@pytest.mark.parametrize("benchmark", ["latency", "submit"])
def test_latency_waits_for_every_mail(benchmark: str, tmp_path: Path) -> None:
    """A real daemon, a real giver and a real server: a rating whose mail never comes fails the run."""
    measured = run_side(benchmark, "feedback_app", tmp_path, 3)
    assert 0 < measured["value"] <= measured["worst_ms"]


def test_latency_knows_the_fsyncs_of_the_machine(tmp_path: Path) -> None:
    """The plain side of `submit`."""
    assert run_side("submit", "four-fsyncs", tmp_path, 1)["value"] > 0


def run_alone(benchmark: str, side: str, folder: Path, count: int) -> None:
    """Prepare one side and run it, each in a process of its own as the harness does."""
    for what in ("prepare", "run"):
        command = ["--side", benchmark, side, str(folder), str(count), what]
        subprocess.run([sys.executable, "-m", "benchmarks", *command], check=True, cwd=ROOT)


def test_peers_our_side_goes_the_whole_road(tmp_path: Path) -> None:
    """Every rating is processed: a case for each low one, a message in the outbox for each other."""
    run_side("peers", "feedback_app", tmp_path, 40)

    ledger = tmp_path / "feedback.db"
    (low,) = rows(ledger, "SELECT count(*) FROM feedback WHERE rating < 3")[0]
    assert 0 < int(str(low)) < 40
    assert rows(ledger, "SELECT count(*) FROM low_rating") == [(low,)]
    assert rows(ledger, "SELECT count(*) FROM message") == [(40 - int(str(low)),)]


@pytest.mark.parametrize("side", ["article", "article-raw", "huey"])
def test_peers_do_each_job_once(tmp_path: Path, side: str) -> None:
    """A row for each low rating, a message counted for each other one, and all workers have ended."""
    if lack := next(one for one in BENCHMARKS["peers"].sides if one.name == side).missing():
        pytest.skip(lack)
    run_alone("peers", side, tmp_path, 40)

    low = sum(one.rating < 3 for one in ratings(40))
    assert rows(tmp_path / "jobs.db", "SELECT count(*) FROM low_rating WHERE rating < 3") == [(low,)]
    done = totals(tmp_path)
    assert (done.stored, done.sent) == (low, 40 - low)
    workers = [int(path.stem) for path in tmp_path.glob("*.tally")]
    assert workers
    assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()]


@pytest.mark.parametrize(
    ("benchmark", "side", "rows_of_each"),
    [
        ("shared", "feedback_app-2", 3),
        ("shared-deliver", "feedback_app-2", 4),
        ("shared-intake", "feedback_app", 1),
    ],
)
def test_shared_counts_what_a_rating_costs_the_server(
    benchmark: str, side: str, rows_of_each: int, tmp_path: Path
) -> None:
    """All sides do all ratings, or they fail; the server's statistics know of them."""
    if lack := next(one for one in BENCHMARKS[benchmark].sides if one.name == side).missing():
        pytest.skip(lack)
    measured = run_side(benchmark, side, tmp_path, 60)

    assert rows_of_each <= measured["rows written"] < rows_of_each + 2
    for name in ("value", "WAL bytes", "WAL syncs", "bytes of database", "server µs", "daemons µs"):
        assert measured[name] > 0, name


def test_where_gives_each_look_to_the_innermost_stage() -> None:
    """A commit inside the settling is the commit's; the start counts nowhere; what fits nothing is named so."""
    looks = [
        "<module> (bench.py:1);_run_batch (feedback_app/store/writer.py:9);settle (feedback_app/store/outbox.py:3) 5",
        "_run_batch (feedback_app/store/writer.py:9);do_commit (sqlalchemy/engine/default.py:2) 3",
        "<module> (bench.py:1);load_settings (feedback_app/settings/load.py:1) 70",
        "bootstrap (threading.py:1) 2",
    ]
    assert by_stage(looks) == {"commits": 3, "results recorded": 5, "other": 2}


def test_where_draws_every_stage_of_every_bar() -> None:
    """As SVG that a parser takes, however odd a name is."""
    drawing = ElementTree.fromstring(
        drawn([Bar("one & only", {"a<b": 30.0, "rest": 10.0}), Bar("two", {"rest": 1.0})])
    )
    texts = [element.text for element in drawing.iter("{http://www.w3.org/2000/svg}text")]
    assert {"one & only: 40 µs", "two: 1 µs", "a<b", "rest"} <= set(texts)
    boxes = drawing.findall("{http://www.w3.org/2000/svg}rect")[1:4]  # the first is the ground
    widths = [float(box.attrib["width"]) for box in boxes]
    assert widths == [570, 190, 760]
