"""The page of a frame, parts of its timeline, and single events."""

import json
from datetime import timedelta

import pytest
from django.urls import reverse

from frames.models import Anchor, Frame
from stackmemory.lib.uuid7 import uuid7
from tests.pages import few_queries, make_anchor, make_project, make_session
from tests.stacks import NOON, call, called, closed, happen

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'


@pytest.fixture
def shop(acme):
    return make_project(acme)


@pytest.fixture
def get(alice, login):
    client = login(alice)

    def ask(frame, route="frame", event=None, as_person=None, **query):
        who = login(as_person) if as_person else client
        arguments = ["acme", frame.pk, *([event] if event else [])]
        return who.get(reverse(f"frames:{route}", args=arguments), query)

    return ask


def kinds(response):
    return [(row.entry.kind if row.entry else "child") for row in response.context["rows"]]


def test_what_came_of_it_comes_first(acme, shop, get):
    digest = {
        "result": "Verifier", "decisions": [{"id": "1", "text": "Verify, then parse"}],
        "constraints": [], "risks": [{"id": "2", "text": "Keys rotate"}],
        "artifacts": [{"kind": "pr", "ref": "#17"}], "tool_calls_count": 6, "duration_seconds": 0,
    }  # fmt: skip
    outputs = {"tests": "12 passed", "files": ["src/webhook.ts"], "result": "Verifier",
               "decisions": {"$digest": "decisions"}}  # fmt: skip
    frame = call(
        shop, digest_text="Completed: Verifier", digest=digest, outputs=outputs, **closed()
    )
    response = get(frame)
    outcome = response.context["outcome"]
    assert outcome.text == "Completed: Verifier"
    assert {f.name: f.text for f in outcome.outputs} == {
        "tests": "12 passed",
        "files": "src/webhook.ts",
    }
    assert outcome.lists == [
        ("Decided", ["Verify, then parse"]), ("Risks", ["Keys rotate"]), ("Artifacts", ["pr #17"]),
    ]  # fmt: skip
    assert outcome.figures == [("tool call", 6)]
    page = response.content.decode()
    assert page.index("Completed: Verifier") < page.index('id="timeline"')
    assert "12 passed" in page


def test_digests_of_newer_stores_are_read_too(shop, get):
    digest = {
        "frameId": "x",
        "activity": {"totalEvents": 26, "eventsByType": {"decision": [{"$event": "e1"}]}},
        "knowledge": {"totalAnchors": 2, "keyDecisions": [{"text": "Raw body"}], "risks": []},
        "outcomes": {"outputs": [], "success": False, "artifacts": []},
    }
    frame = call(
        shop,
        digest=digest,
        outputs={"activity": {"$digest": "activity"}, "tests": "ok"},
        **closed(),
    )
    outcome = get(frame).context["outcome"]
    assert outcome.lists == [("Decided", ["Raw body"])]
    assert outcome.figures == [("event", 26), ("anchor", 2)]
    assert [f.name for f in outcome.outputs] == ["tests"]
    assert "$event" in outcome.stored


@pytest.mark.parametrize(
    "odd",
    [[], "text", 5, None, ["a"], {"decisions": "one"}, {"": {"": []}}, {"files": [None, 1, {}]}],
)
def test_odd_documents_do_not_break_the_page(shop, get, odd):
    frame = call(shop, digest=odd if odd is not None else {}, outputs=odd or {}, inputs=odd or {})
    assert get(frame).status_code == 200


def test_given_constraints_anchors_and_children_are_there(shop, get):
    frame = call(shop, inputs={"constraints": ["Must be idempotent"], "ticket": "ENG-42"})
    make_anchor(shop, frame=frame, type="RISK", text="Keys rotate")
    newer = make_anchor(shop, frame=frame, text="Use v2")
    Anchor.unscoped.filter(text="Keys rotate").update(superseded_by=newer)
    call(shop, frame, name="Write the verifier", error_count=1, **closed())
    page = get(frame).content.decode()
    for words in ("Must be idempotent", "ENG-42", "Keys rotate", "superseded", "Use v2",
                  "Write the verifier", "1 error"):  # fmt: skip
        assert words in page


def test_the_path_leads_to_the_root_and_siblings_are_near(shop, get):
    root = call(shop, name="root")
    middle = call(shop, root, name="middle")
    row = [
        call(shop, middle, name=f"s{n}", started_at=NOON + timedelta(minutes=n)) for n in range(30)
    ]
    response = get(row[15])
    assert [f.name for f in response.context["above"]] == ["root", "middle"]
    assert response.context["previous"].name == "s14"
    assert response.context["next"].name == "s16"
    assert [f.name for f in response.context["siblings"]] == [f"s{n}" for n in range(7, 24)]
    first = get(row[0])
    assert first.context["previous"] is None
    assert get(root).context["siblings"] == []


def test_the_timeline_shows_each_kind(acme, shop, get):
    frame = call(shop)
    call(shop, frame, name="Sub-work", started_at=NOON + timedelta(seconds=3))
    happen(acme, frame, [
        ("user_message", {"content": "Please mend it\n  at once"}, 0),
        ("tool_call", {"tool_name": "Bash", "arguments": {"command": "npm test"}}, 1),
        ("tool_result", {"tool_name": "Bash", "success": False, "error": "exit 1"}, 2),
        ("error", {"message": "no luck", "content": "no luck"}, 4),
        ("decision", {"anchor_type": "RISK", "text": "Keys rotate"}, 5),
        ("never_heard_of", {"some": "thing"}, 6),
        ("observation", "{broken", 7),
    ])  # fmt: skip
    response = get(frame)
    assert kinds(response) == ["user", "tool", "child", "error", "decision", "other", "observation"]
    page = response.content.decode()
    for words in ("Please mend it\n  at once", "npm test", "failed", "exit 1", "Called", "Sub-work",
                  "no luck", "Never heard of", "thing", "{broken"):  # fmt: skip
        assert words in page
    assert page.count("tl-error") == 2


def test_older_events_on_demand(acme, shop, get):
    frame = call(shop)
    happen(acme, frame, [("note", {"text": f"event {n}."}, n) for n in range(130)])
    with few_queries():
        response = get(frame)
    page = response.content.decode()
    assert "event 129." in page
    assert "event 79." not in page
    assert "Newer events" not in page
    older = str(response.context["page"].older)
    with few_queries():
        whole = get(frame, before=older)
    assert "event 79." in whole.content.decode()
    assert "Newer events" in whole.content.decode()
    with few_queries():
        part = get(frame, route="frame-events", before=older)
    assert b"<html" not in part.content
    assert b"event 30." in part.content
    assert b"event 80." not in part.content


@pytest.mark.parametrize(
    "at", ["2026-11-20T12:01:00Z", "2026-11-20T12:01:00", "2026-11-20T13:01:00+01:00"]
)
def test_jump_to_a_time(acme, shop, get, at):
    frame = call(shop)
    happen(acme, frame, [("note", {"text": f"event {n}."}, n) for n in range(130)])
    page = get(frame, at=at).content.decode()
    assert "event 60." in page
    assert "event 59." not in page


@pytest.mark.parametrize("query", [{"at": "soon"}, {"at": "9999-12-31T23:59:59"}, {"at": "0001-01-01"},
                                   {"before": "x"}, {"after": "1.2.3"}, {"before": "1.9999999999999999999.0"}])  # fmt: skip
def test_nonsense_in_the_address_is_harmless(acme, shop, get, query):
    frame = call(shop)
    happen(acme, frame, [("note", {"text": "here"})])
    response = get(frame, **query)
    assert response.status_code == 200
    assert b"here" in response.content


def test_a_huge_payload_is_previewed_and_whole_on_demand(acme, shop, get):
    frame = call(shop)
    (row,) = happen(
        acme, frame, [("assistant_message", {"content": "word " * 200_000 + "the end"})]
    )
    page = get(frame)
    assert len(page.content) < 60_000
    assert b"Load all" in page.content
    assert b"976.6" in page.content
    with few_queries():
        part = get(frame, route="frame-event", event=row.id, part="1")
    assert b"<html" not in part.content
    assert b"word" in part.content
    assert len(part.content) > 900_000
    raw = get(frame, route="frame-event", event=row.id, raw="")
    assert raw["Content-Disposition"].startswith("attachment")
    assert json.loads(raw.content)["content"].endswith("the end")


def test_a_call_is_shown_whole_with_its_result(acme, shop, get):
    frame = call(shop)
    rows = happen(acme, frame, [
        ("tool_call", {"tool_name": "Read", "arguments": {"path": "a"}}),
        ("tool_result", {"tool_name": "Read", "result": "y" * 40_000}),
    ])  # fmt: skip
    page = get(frame).content.decode()
    assert f"?with={rows[1].id}" in page
    whole = get(frame, route="frame-event", event=rows[0].id, **{"with": str(rows[1].id)})
    assert "y" * 40_000 in whole.content.decode()
    assert "Its result, as stored" in whole.content.decode()
    alone = get(frame, route="frame-event", event=rows[0].id, **{"with": "nonsense"})
    assert alone.status_code == 200


def test_hostile_text_is_text_everywhere(acme, shop, get):
    frame = call(shop, name=HOSTILE, type=HOSTILE, state=HOSTILE, digest_text=HOSTILE,
                 digest={HOSTILE: HOSTILE, "decisions": [HOSTILE]}, outputs={HOSTILE: HOSTILE},
                 inputs={"constraints": [HOSTILE], HOSTILE: {HOSTILE: 1}}, source_id=HOSTILE,
                 source_project=HOSTILE, retention=HOSTILE)  # fmt: skip
    make_anchor(shop, frame=frame, text=HOSTILE, type=HOSTILE)
    call(shop, frame, name=HOSTILE)
    rows = happen(acme, frame, [
        ("user_message", {"content": HOSTILE, HOSTILE: HOSTILE}),
        (HOSTILE, {"x": {"y": HOSTILE}}),
        ("tool_call", {"tool_name": HOSTILE, "arguments": {HOSTILE: HOSTILE}}),
        ("tool_result", {"tool_name": HOSTILE, "error": HOSTILE}),
        ("decision", {"anchor_type": HOSTILE, "text": HOSTILE}),
        ("observation", HOSTILE),
        ("observation", '{"half": "\\ud800", "nul": "\\u0000", "colour": "\\u001b[31mred"}'),
    ])  # fmt: skip
    pages = [get(frame), get(frame, at=HOSTILE), get(frame, route="frame-children")]
    pages += [get(frame, route="frame-event", event=row.id) for row in rows]
    for response in pages:
        assert response.status_code == 200
        page = response.content.decode()
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert "\x1b" not in page
        assert " style=" not in page
        assert " onclick=" not in page


def test_a_busy_frame_takes_few_queries(acme, shop, alice, get):
    session = make_session(shop, user=alice)
    path = [called(shop, name="level 0", owner=alice)]
    for level in range(1, 61):
        path.append(called(shop, path[-1], name=f"level {level}", owner=alice, session=session))
    frame = path[-1]
    children = [
        called(shop, frame, owner=alice, started_at=NOON + timedelta(seconds=n)) for n in range(300)
    ]
    Frame.unscoped.bulk_create([*path, *children])
    happen(acme, frame, [("note", {"n": n}, n) for n in range(300)])
    for n in range(80):
        make_anchor(shop, frame=frame, text=f"anchor {n}")
    with few_queries():
        response = get(frame)
    assert response.status_code == 200
    assert len(response.context["children"]) == 40
    assert len(response.context["above"]) == 60
    page = response.content.decode()
    assert "level 0" in page
    assert "57 frames between" in page


def test_private_frames(acme, shop, alice, bob, get):
    root = call(shop, name="root")
    secret = call(shop, root, name="secret plan", visibility="private", owner=bob)
    shared = call(shop, secret, name="shared")
    (row,) = happen(acme, secret, [("note", {"text": "hidden words"})])
    for route in ("frame", "frame-children", "frame-events"):
        assert get(secret, route=route).status_code == 404
    assert get(secret, route="frame-event", event=row.id).status_code == 404
    assert b"secret" not in get(root).content
    assert [f.name for f in get(shared).context["above"]] == ["root"]
    assert b"secret" not in get(shared).content
    assert b"hidden words" in get(secret, as_person=bob).content


def test_an_event_is_reached_through_its_own_frame_only(acme, shop, get):
    one, other = call(shop), call(shop)
    (row,) = happen(acme, one, [("note", {"text": "here"})])
    assert get(one, route="frame-event", event=row.id).status_code == 200
    assert get(other, route="frame-event", event=row.id).status_code == 404
    assert get(one, route="frame-event", event=uuid7()).status_code == 404
