"""The events of an archive, most of it: read once, by types, beside their table and then into it."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from frames import sweeping
from frames.models import Event, Frame
from frames.models.event import PAYLOADS
from stackmemory.archive import container, event_lines
from stackmemory.archive.contents import part_named
from stackmemory.archive.errors import BadArchive
from stackmemory.archive.hashing import workspace_hash
from stackmemory.archive.reading import import_workspace
from stackmemory.archive.rows import Reader, line
from stackmemory.archive.writing import export_workspace
from stackmemory.lib import blobs, staging
from stackmemory.lib.tenancy import workspace_scope
from tests.moving.archives import ELSEWHERE, parts_of, rewrite, row_change
from tests.moving.teams import make_team, purge, rows_of
from workspaces.models import Workspace

pytestmark = pytest.mark.django_db


def odd_events(team):
    """What is spelled in more than one way, or is at the end of what a column holds."""
    frame = Frame.objects.in_workspace(team).filter(name="Build").get()
    said = '{"q":"\\"\\\\ \\u0000 \\n / é 𝄞 \u2028 \x7f \u0001 \x1b \\u001b","n":1.50}\t\\.\r\n'
    scores = (None, 0.0, -0.0, 1.0, 0.1, 1e-7, 123456.789, 1e14, 1e15, 1e16, -1.5e300, 5e-324)
    times = (datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC))
    for number, score in enumerate(scores):
        Event.unscoped.create(
            workspace=team, frame=frame, type="o\tdd\r", seq=-number * (2**59), payload=said,
            occurred_at=times[number % 2], source={"b": 1, "a": [1.10]}, source_id="\\.",
            redactions=number * 2978, is_error=bool(number % 3), score=score,
        )  # fmt: skip
    return len(scores)


@pytest.mark.parametrize("at_once", [1 << 20, 700])
def test_odd_values_come_back_as_they_were(team, tmp_path, monkeypatch, as_application, at_once):
    """In blocks and tables of any size."""
    odd_events(team)
    monkeypatch.setattr(container, "AT_ONCE", at_once)
    monkeypatch.setattr(staging, "ROWS_AT_ONCE", max(5, at_once >> 6))
    path, before = tmp_path / "odd.zip", rows_of(team)["frames.Event"]
    with as_application():
        said = export_workspace(workspace=team, output=path)["workspace_hash"]
    purge(team)
    with as_application():
        assert import_workspace(path=path)["workspace_hash"] == said
    assert rows_of(team)["frames.Event"] == before
    assert workspace_hash(team) == said


@pytest.mark.sqlite_only
@pytest.mark.django_db(transaction=True)
def test_sqlite_puts_them_down_on_disk():
    """Its tables of a transaction's own are in memory else, and an archive is larger than that."""

    def place():
        with connection.cursor() as cursor:
            return cursor.execute("PRAGMA temp_store").fetchone()[0]

    before = place()
    with staging.room_for_much():
        assert place() == 1
    assert place() == before != 1


def test_what_is_stored_otherwise_is_noticed(team, archive, monkeypatch):
    """Though the hash is of the archive's own lines: stored values are compared, and some lines."""
    purge(team)
    stored, texts = staging._stored, staging._texts
    for name, wrong in (
        ("_stored", lambda *asked: list(stored(*asked))[1:]),
        ("_texts", lambda values: texts([value.upper() for value in values])),
        ("_sqlite_moment", lambda text: "2020-01-01 00:00:00"),
    ):
        if name != "_stored" and (name == "_texts") != (connection.vendor == "postgresql"):
            continue
        with monkeypatch.context() as patch:
            patch.setattr(staging, name, wrong)
            with pytest.raises(BadArchive, match="altered"):
                import_workspace(path=archive)
        assert not Workspace.objects.exists()


def test_months_that_no_frame_tells_of_are_made(team, archive, as_application):
    """Once all events are looked through, outside of the transaction that writes them."""
    pk = "01790000-0000-7000-8000-000000000000"  # 2021-04-22
    forged = rewrite(archive, row_change("frames.event", id=pk))
    purge(team)
    told = []
    with as_application():
        import_workspace(path=forged, on_progress=lambda *done: told.append(done))
    assert Event.unscoped.filter(pk=pk).exists()
    if connection.vendor == "postgresql":  # how references are looked up there is over
        with connection.cursor() as cursor:
            assert cursor.execute("SHOW enable_seqscan").fetchone() == ("on",)
    assert all(done <= total for _, done, total in told)
    assert {phase for phase, done, total in told if done == total} == {"checking", "writing"}


def test_what_an_older_archive_does_not_tell_gets_its_default(team, archive):
    def older(content, manifest):
        (part,) = (part for part in manifest["parts"] if part["name"] == "frames.event")
        part["fields"] = [f for f in part["fields"] if f not in ("payload", "tool", "created_at")]
        rows = [json.loads(text) for text in content["rows/frames.event.jsonl"].splitlines()]
        content["rows/frames.event.jsonl"] = "".join(
            line({f: row[f] for f in part["fields"]}).decode() for row in rows
        )

    forged = rewrite(archive, older)
    purge(team)
    assert import_workspace(path=forged)["rows"]["frames.event"] == 11
    told = Event.unscoped.filter(workspace=team)
    assert set(told.values_list("payload", "tool")) == {("{}", "")}
    assert all(at <= timezone.now() for at in told.values_list("created_at", flat=True))


def test_a_table_is_not_touched_before_all_is_looked_through(team, archive):
    def last_line(content, manifest):
        name = "rows/frames.event.jsonl"
        *lines, last = content[name].splitlines()
        content[name] = "\n".join([*lines, last.replace('"seq":', '"seq":-')]) + "\n"

    purge(team)
    with (
        CaptureQueriesContext(connection) as asked,
        pytest.raises(BadArchive, match="altered"),
    ):
        import_workspace(path=rewrite(archive, last_line))
    written = [q["sql"] for q in asked if "INSERT INTO" in q["sql"] and "staged_" not in q["sql"]]
    assert written == []

    def stop(phase, done, total):
        if phase == "writing":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_workspace(path=archive, on_progress=stop)
    assert not rows_of(team)


@pytest.mark.postgresql_only
def test_the_database_spells_events_as_python_does(team, monkeypatch, as_application):
    """Byte for byte, in blocks of any size: odd numbers, escapes, old and far times, NULs escaped."""
    odd = odd_events(team)
    part = part_named("frames.event")
    monkeypatch.setattr(event_lines, "AT_ONCE", 3)
    with as_application(), workspace_scope(team.pk):
        reader = Reader(team)
        blocks = list(reader.blocks(part))
        assert len(blocks) > 5
        expected = [line(row) for chunk in reader.chunks(part) for row in chunk]
    assert b"".join(text for _, text in blocks) == b"".join(expected)
    assert sum(number for number, _ in blocks) == len(expected) == 11 + odd


def event_twice(content, manifest):
    name = "rows/frames.event.jsonl"
    content[name] += content[name].splitlines()[-1] + "\n"


def reference(content, manifest):
    """To the object of a large payload, as if that were a field of an archive."""
    (part,) = (part for part in manifest["parts"] if part["name"] == "frames.event")
    part["fields"] = sorted([*part["fields"], "stored_digest"])
    name = "rows/frames.event.jsonl"
    rows = [json.loads(text) | {"stored_digest": "0" * 64} for text in content[name].splitlines()]
    content[name] = "".join(line(row).decode() for row in rows)


def test_events_are_looked_at_as_closely(team, archive, tmp_path, as_application):
    """They are taken by types in one go; what does not fit says why, as of any other row."""
    purge(team)
    last = json.loads(parts_of(archive)["rows/frames.event.jsonl"].splitlines()[-1])["id"]
    for change, words in (
        (row_change("frames.event", payload="a\0b"), "payload"),
        (row_change("frames.event", payload="\ud800"), "no row|payload"),
        (row_change("frames.event", payload=None), "payload"),
        (row_change("frames.event", source="{"), "source"),
        (row_change("frames.event", seq=2**63), "seq"),
        (row_change("frames.event", seq="1"), "seq"),
        (row_change("frames.event", redactions=-1), "redactions"),
        (row_change("frames.event", score=True), "score"),
        (row_change("frames.event", occurred_at="2026-01-01T00:00:00"), "without a zone"),
        (row_change("frames.event", frame=ELSEWHERE), ELSEWHERE),
        (row_change("frames.event", session=ELSEWHERE), ELSEWHERE),
        (row_change("frames.event", stored_digest="0" * 64), "no row"),
        (reference, "does not know"),
        (event_twice, f"frames.event {last} stands there twice"),
        # taken, but not what the hash is of: another spelling of the same time
        (row_change("frames.event", occurred_at="2026-01-01T00:00:00.000000+00:00"), "altered"),
    ):
        with pytest.raises(BadArchive, match=words):
            import_workspace(path=rewrite(archive, change))
        assert not Workspace.objects.exists(), words
    assert not rows_of(team)
    # What was put down for a workspace that came to nothing goes when it has been there for a day.
    assert list(blobs.stored(PAYLOADS, team.pk))
    with as_application():
        assert sweeping.sweep_everywhere() == 0
        assert sweeping.sweep_everywhere(timezone.now() + 2 * sweeping.GRACE) == 1
    assert not list(blobs.stored(PAYLOADS, team.pk))
    other = make_team("other", tmp_path)
    there = str(Event.unscoped.filter(workspace=other).first().pk)
    with pytest.raises(BadArchive, match=f"frames.event {there} is here already"):
        import_workspace(path=rewrite(archive, row_change("frames.event", id=there)))
    assert import_workspace(path=archive)["status"] == "done"
