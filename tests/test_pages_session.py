"""The page of a session: its flame graph and its timeline."""

from datetime import UTC, datetime, timedelta

import pytest
from django.urls import reverse

from frames.models import Frame
from tests.pages import few_queries, make_project, make_session
from tests.stacks import NOON, call, called, closed, happen

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'


@pytest.fixture
def run(acme):
    return make_session(make_project(acme), client="claude-code", branch="fix/hmac")


@pytest.fixture
def get(alice, login):
    client = login(alice)

    def ask(session, route="session", as_person=None, **query):
        who = login(as_person) if as_person else client
        return who.get(reverse(f"frames:{route}", args=["acme", session.pk]), query)

    return ask


def minutes(n):
    return NOON + timedelta(minutes=n)


@pytest.fixture
def three(run):
    """A root of an hour, and in it one child after the other."""

    def lasting(start, end, parent=None, **fields):
        return call(run.project, parent, session=run, started_at=minutes(start), state="closed",
                    closed_at=minutes(end), **fields)  # fmt: skip

    root = lasting(0, 60, name="root")
    return (
        root,
        lasting(0, 30, root, name="first"),
        lasting(30, 60, root, name="second", error_count=2),
    )


def test_frames_are_bars_over_time(run, three, get):
    response = get(run)
    bars = {bar.frame.name: bar for bar in response.context["flame"].bars}
    assert [(bars[n].x, bars[n].width, bars[n].row) for n in ("root", "first", "second")] == [
        (0, 100, 0), (0, 50, 1), (50, 50, 1),
    ]  # fmt: skip
    page = response.content.decode()
    assert '<svg x="50.0%"' in page
    assert "second\ntask · 30 m · 2 errors</title>" in page
    assert "3 frames over 1 h" in page


def test_zoom_goes_by_the_address(run, three, get):
    response = get(run, zoom=str(three[1].pk))
    assert {bar.frame.name for bar in response.context["flame"].bars} == {"root", "first"}
    assert "Open frame" in response.content.decode()
    assert len(get(run, zoom="nonsense").context["flame"].bars) == 3


def test_below_it_is_the_timeline_at_the_moment(acme, run, three, get):
    root, first, second = three
    happen(acme, root, [("note", {"text": "begin"})])
    happen(acme, first, [("note", {"text": f"in first {n}."}, n + 1) for n in range(80)])
    happen(acme, second, [("note", {"text": "in second"})], start=minutes(40))
    page = get(run).content.decode()
    assert page.index("begin") < page.index("in first 0.") < page.index("in first 40.")
    assert "in second" not in page
    assert "Newer events" in page
    later = get(run, at=minutes(39).isoformat())
    assert "in second" in later.content.decode()
    assert later.context["at_x"] == 65
    assert "in first" not in later.content.decode()
    zoomed = get(run, zoom=str(second.pk)).content.decode()
    assert "in second" in zoomed
    part = get(run, route="session-events", after=str(get(run).context["page"].newer))
    assert b"<html" not in part.content
    assert b"in second" in part.content


def test_the_same_as_a_table(run, three, get):
    page = get(run, view="table").content.decode()
    table = page[page.index("<table") : page.index("</table>")]
    for words in ("root", "first", "second", "30 m", "2 errors"):
        assert words in table


def test_hundreds_of_frames_in_few_queries(acme, run, get):
    frames = [
        called(run.project, session=run, started_at=NOON, state="closed", closed_at=minutes(900))
    ]
    for n in range(600):
        parent = frames[0] if n % 4 == 0 else frames[-1]
        frames.append(called(run.project, parent, session=run, started_at=minutes(n), state="closed",
                             closed_at=minutes(n + 4 - n % 4)))  # fmt: skip
    Frame.unscoped.bulk_create(frames)
    for frame in frames[::40]:
        happen(acme, frame, [("note", {"n": n}, n) for n in range(10)], start=frame.started_at)
    with few_queries():
        response = get(run)
    assert len(response.context["flame"].bars) == 601
    assert len(response.context["rows"]) == 50
    with few_queries():
        get(run, view="table")
    with few_queries():
        get(run, route="session-events", at=minutes(300).isoformat())


def test_a_wrong_clock_is_told_of(run, three, get):
    call(run.project, session=run, name="lost", started_at=datetime(1970, 1, 1, tzinfo=UTC))
    page = get(run).content.decode()
    assert "1 frame with an impossible time is only in the" in page
    assert "lost" in get(run, view="table").content.decode()


def test_private_frames_are_neither_drawn_nor_counted(acme, run, three, bob, get):
    secret = call(run.project, three[0], session=run, name="secret plan", visibility="private", owner=bob,
                  **closed(started_at=minutes(10)))  # fmt: skip
    happen(acme, secret, [("note", {"text": "hidden words"})], start=minutes(10))
    for response in (get(run), get(run, view="table"), get(run, zoom=str(secret.pk)),
                     get(run, route="session-events")):  # fmt: skip
        assert b"secret" not in response.content
        assert b"hidden words" not in response.content
    assert get(run).context["totals"] == {"frames": 3, "events": 0, "errors": 2, "anchors": 0}
    assert b"secret plan" in get(run, as_person=bob).content


def test_hostile_names_are_text(run, get):
    call(run.project, session=run, name=HOSTILE, type=HOSTILE, **closed())
    run.client = run.branch = run.host = HOSTILE
    run.client = run.client[:100]
    run.save()
    for response in (get(run), get(run, view="table")):
        page = response.content.decode()
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert " style=" not in page


def test_a_session_without_frames_says_so(run, get):
    assert "No frame of this session" in get(run).content.decode()


def test_another_workspace_has_no_such_session(run, charlie, globex, login):
    theirs = make_session(make_project(globex))
    client = login(charlie)
    assert client.get(reverse("frames:session", args=["acme", run.pk])).status_code == 404
    assert client.get(reverse("frames:session", args=["globex", run.pk])).status_code == 404
    assert client.get(reverse("frames:session", args=["globex", theirs.pk])).status_code == 200
