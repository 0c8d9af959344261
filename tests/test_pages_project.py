"""The page of a project: its call stack."""

from datetime import timedelta

import pytest
from django.urls import reverse

from frames.models import Frame
from stackmemory.lib.uuid7 import uuid7
from tests.pages import few_queries, make_project
from tests.stacks import NOON, call, called, closed

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'


@pytest.fixture
def shop(acme):
    return make_project(acme)


@pytest.fixture
def get(alice, login):
    client = login(alice)

    def ask(project, as_person=None, **query):
        who = login(as_person) if as_person else client
        return who.get(reverse("frames:project", args=["acme", project.slug]), query)

    return ask


def names(response):
    return [row.node.frame.name for row in response.context["rows"] if row.kind == "frame"]


def test_the_tree_hangs_together(shop, get):
    late = call(shop, name="late", started_at=NOON + timedelta(hours=1))
    early = call(shop, name="early", **closed())
    one = call(shop, early, name="one", **closed())
    call(shop, one, name="deep", **closed())
    call(shop, early, name="two", **closed(started_at=NOON + timedelta(minutes=2)))
    response = get(shop)
    assert [(row.node.frame.name, row.opens, row.closes) for row in response.context["rows"]] == [
        (late.name, False, 0), ("early", True, 0), ("one", True, 0), ("deep", False, 1),
        ("two", False, 1),
    ]  # fmt: skip
    page = response.content.decode()
    tree = page[page.index('role="tree"') : page.index("</main>")]
    assert tree.count("<ul") + 1 == tree.count("</ul>")
    assert tree.count("<li") == tree.count("</li>") == 5


def test_a_row_says_state_type_owner_and_counts(shop, alice, get):
    call(shop, name="Busy", type="debug", owner=alice, event_count=1234, error_count=2,
         anchor_count=3, **closed())  # fmt: skip
    page = get(shop).content.decode()
    for words in ("debug", "1.2 k", "2 errors", "3 anchors", 'title="Alice"', "1 m", "closed"):
        assert words in page


def test_the_path_to_where_somebody_is_at_work_is_lit(shop, alice, bob, get):
    root = call(shop, name="root", owner=alice)
    call(shop, root, name="done", owner=alice, **closed())
    middle = call(shop, root, name="middle", owner=alice)
    call(shop, middle, name="tip", owner=alice, last_event_at=NOON + timedelta(hours=2))
    call(shop, name="stale", owner=alice, started_at=NOON - timedelta(days=9))
    call(shop, name="other", owner=bob)
    response = get(shop)
    lit = {row.node.frame.name for row in response.context["rows"] if row.node.lit}
    assert lit == {"root", "middle", "tip", "other"}
    assert {row.node.frame.name for row in response.context["rows"] if row.node.tip} == {
        "tip",
        "other",
    }
    paths = [[frame.name for frame in path] for path in response.context["paths"]]
    assert paths == [["root", "middle", "tip"], ["other"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"state": "open"}, {"root", "debugging"}),
        ({"state": "closed"}, {"root", "done"}),
        ({"state": "suspended"}, {"root", "done", "odd"}),
        ({"state": "errors"}, {"root", "done"}),
        ({"type": "debug"}, {"root", "debugging"}),
        ({"q": "DEBUG"}, {"root", "debugging"}),
        ({"q": "advisory"}, {"root", "done"}),
        ({"until": "2026-11-19"}, set()),
        ({"since": "2026-11-20", "until": "2026-11-20", "type": "debug"}, {"root", "debugging"}),
        ({"since": "2026-11-21"}, set()),
        ({"type": "100%"}, set()),
        ({"q": "100%"}, set()),
        ({"q": "\x00debug"}, {"root", "debugging"}),
        ({"person": "nobody", "type": "debug"}, {"root", "debugging"}),
        ({"person": "not-an-id"}, set()),
        ({"since": "yesterday", "type": "debug"}, {"root", "debugging"}),
    ],
)  # fmt: skip
def test_filters_show_what_matches_and_what_leads_there(shop, get, query, expected):
    root = call(shop, name="root")
    done = call(
        shop, root, name="done", error_count=1, digest_text="Use an advisory lock", **closed()
    )
    call(shop, done, name="odd", state="suspended", closed_at=NOON)
    call(shop, root, name="debugging", type="debug")
    response = get(shop, **query)
    assert set(names(response)) == expected


def test_filter_by_person(shop, bob, get):
    root = call(shop, name="root")
    call(shop, root, name="his", owner=bob)
    call(shop, root, name="nobody's")
    response = get(shop, person=str(bob.pk))
    assert names(response) == ["root", "his"]
    marks = {row.node.frame.name: row.node.match for row in response.context["rows"]}
    assert marks == {"root": False, "his": True}


def test_long_ways_to_a_match_are_shortened(shop, get):
    frame = None
    for level in range(61):
        frame = call(shop, frame, name=f"level {level}")
    response = get(shop, q="level 60")
    kinds = [(row.kind, row.node.frame.name, row.count) for row in response.context["rows"]]
    assert kinds == [
        ("frame", "level 0", 0), ("between", "level 0", 58), ("frame", "level 59", 0),
        ("frame", "level 60", 0),
    ]  # fmt: skip
    assert "58 frames between" in response.content.decode()


def test_private_frames_are_not_there_for_others(shop, alice, bob, get):
    root = call(shop, name="root")
    secret = call(shop, root, name="secret plan", visibility="private", owner=bob, error_count=5)
    call(shop, secret, name="shared work")
    call(shop, secret, name="secret too", visibility="private", owner=bob)
    response = get(shop)
    page = response.content.decode()
    assert "secret" not in page
    # What lies below is shared, and does not vanish with it.
    assert sorted(names(response)) == ["root", "shared work"]
    assert response.context["facets"].total == 2
    assert response.context["facets"].failed == 0
    assert [row.node.hidden for row in response.context["rows"]] == [0, 0]
    assert names(get(shop, q="secret")) == []
    assert sorted(names(get(shop, as_person=bob))) == [
        "root",
        "secret plan",
        "secret too",
        "shared work",
    ]


def test_hostile_names_are_text(shop, get):
    call(shop, name=HOSTILE, type=HOSTILE, state=HOSTILE)
    call(shop, name="")
    page = get(shop).content.decode()
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "&lt;script&gt;" in page
    assert "(no name)" in page
    page = get(shop, q=HOSTILE, type=HOSTILE).content.decode()
    assert "<script>alert" not in page


def test_thousands_of_frames_are_paged_in_few_queries(acme, shop, alice, get):
    frames = []
    for r in range(60):
        root = called(shop, name=f"root {r}", owner=alice, started_at=NOON - timedelta(hours=r))
        frames.append(root)
        for c in range(10):
            child = called(shop, root, name=f"c {r}.{c}", started_at=root.started_at)
            frames += [child, *(called(shop, child, started_at=root.started_at) for _ in range(3))]
    Frame.unscoped.bulk_create(frames)
    assert len(frames) == 60 * 41
    with few_queries():
        response = get(shop)
    assert response.context["facets"].total == 2460
    page = response.content
    assert len(response.context["rows"]) < 400
    assert len(page) < 600_000
    # Trees beyond what fits are there, closed, and open on demand.
    assert b"root 29" in page
    assert any(row.node.hidden and not row.opens for row in response.context["rows"])
    with few_queries():
        second = get(shop, cursor=response.context["page"].next)
    assert {n for n in names(second) if n.startswith("root")} == {
        f"root {n}" for n in range(30, 60)
    }
    with few_queries():
        get(shop, q="c 1", state="open", time="90d")


def test_one_root_with_two_thousand_below(shop, alice, login, get):
    root = called(shop, name="root")
    many = [
        called(shop, root, name=f"c{n}", started_at=NOON + timedelta(seconds=n))
        for n in range(2000)
    ]
    Frame.unscoped.bulk_create([root, *many])
    with few_queries():
        response = get(shop)
    rows = response.context["rows"]
    # The last ones called, in their order; the earlier ones are one step away.
    assert names(response)[-1] == "c1999"
    (earlier,) = [row for row in rows if row.kind == "earlier"]
    assert earlier.count == 2000 - (len(rows) - 2)
    url = reverse("frames:frame-children", args=["acme", root.pk])
    client = login(alice)
    with few_queries():
        more = client.get(url, {"cursor": earlier.cursor, "part": "1"})
    first = rows[2].node.frame.name
    assert names(more)[-1] == f"c{int(first[1:]) - 1}"
    assert b"<html" not in more.content
    assert b"Show earlier frames" in more.content
    with few_queries():
        whole = client.get(url)
    assert b"<html" in whole.content
    assert names(whole)[-1] == "c1999"


def test_a_stack_of_sixty_is_one_tree(shop, get):
    frames = [called(shop, name="level 0")]
    for level in range(1, 61):
        frames.append(called(shop, frames[-1], name=f"level {level}"))
    Frame.unscoped.bulk_create(frames)
    with few_queries():
        response = get(shop)
    assert names(response) == [f"level {n}" for n in range(61)]
    assert response.context["rows"][-1].closes == 60


def test_a_ring_of_parents_does_not_hang(shop, get):
    a, b = call(shop, name="a"), call(shop, name="b")
    Frame.unscoped.filter(pk=a.pk).update(parent=b)
    Frame.unscoped.filter(pk=b.pk).update(parent=a, root_id=a.pk)
    assert get(shop).status_code == 200
    assert get(shop, q="a").status_code == 200


def test_an_empty_project_says_what_to_do(shop, get, viola):
    page = get(shop).content.decode()
    assert "import_stackmemory PATH --workspace acme --project shop" in page
    assert reverse("frames:import-new", args=["acme"]) in page
    # Who may not import is not told to.
    page = get(shop, as_person=viola).content.decode()
    assert "import_stackmemory" not in page
    assert reverse("frames:import-new", args=["acme"]) not in page
    assert reverse("frames:connect", args=["acme"]) in page


def test_nothing_found_says_so(shop, get):
    call(shop)
    page = get(shop, q="no such thing").content.decode()
    assert "No frame is like that" in page


def test_others_and_unknown_projects_are_404(shop, charlie, login, alice, globex):
    url = reverse("frames:project", args=["acme", shop.slug])
    assert login(charlie).get(url).status_code == 404
    make_project(globex, "theirs")
    assert login(alice).get(reverse("frames:project", args=["acme", "theirs"])).status_code == 404
    theirs = call(make_project(globex, "more"))
    for route in ("frames:frame-children", "frames:frame", "frames:frame-events"):
        assert login(alice).get(reverse(route, args=["acme", theirs.pk])).status_code == 404
        assert login(alice).get(reverse(route, args=["acme", uuid7()])).status_code == 404
