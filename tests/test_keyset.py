"""Lists are paged by place: complete, in order, stable under inserts, and safe from odd cursors."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest

from frames.models import Anchor
from stackmemory.lib import keyset
from tests.pages import few_queries, make_project, new_anchor

ORDER = ("-pinned", "-noted_at", "-id")
START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def forged(*parts):
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


@pytest.fixture
def anchors(acme):
    """23 anchors, two to a moment, moments with and without microseconds, three of them pinned."""
    project = make_project(acme)
    Anchor.unscoped.bulk_create(
        new_anchor(
            project,
            text=str(n),
            pinned=n % 9 == 4,
            noted_at=START + timedelta(microseconds=(n // 2) * 400_000),
        )
        for n in range(23)
    )
    return Anchor.objects.in_workspace(acme)


def page(queryset, cursor="", size=5):
    return keyset.paginate(queryset, order=ORDER, cursor=cursor, size=size)


def walk(queryset, *, size=5):
    pages = [page(queryset, size=size)]
    while pages[-1].next:
        pages.append(page(queryset, pages[-1].next, size))
    return pages


def test_forward_shows_every_row_once_in_order(anchors):
    seen = [row.id for p in walk(anchors) for row in p]
    assert seen == list(anchors.order_by(*ORDER).values_list("id", flat=True))


def test_back_shows_the_same_pages(anchors):
    pages = walk(anchors)
    assert pages[0].previous is None
    at, back = pages[-1], [[row.id for row in pages[-1]]]
    while at.previous:
        at = page(anchors, at.previous)
        back.append([row.id for row in at])
    assert back[::-1] == [[row.id for row in p] for p in pages]
    assert at.next == pages[0].next


def test_a_page_is_one_query(anchors):
    cursor = page(anchors).next
    with few_queries(1):
        page(anchors, cursor)


def test_rows_added_in_front_do_not_shift_the_next_page(anchors, acme):
    first = page(anchors)
    expected = [row.id for row in page(anchors, first.next)]
    project = acme.projects.get()
    Anchor.unscoped.bulk_create(
        new_anchor(project, pinned=True, noted_at=START + timedelta(days=n)) for n in range(7)
    )
    assert [row.id for row in page(anchors, first.next)] == expected


def test_going_back_to_a_begun_page_shows_the_whole_first_one(anchors):
    second = page(anchors, page(anchors).next)
    anchors.filter(id__in=[row.id for row in page(anchors)][:3]).delete()
    assert [row.id for row in page(anchors, second.previous)] == [row.id for row in page(anchors)]


def test_a_cursor_past_the_end_is_an_empty_page(anchors):
    last = walk(anchors)[-1]
    cursor = keyset.encode(last.items[-1], ORDER, keyset.FORWARD)
    empty = page(anchors, cursor)
    assert (len(empty), empty.next, empty.previous, empty.lost) == (0, None, None, False)


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "%%%",
        "é",
        "A" * 5000,
        base64.urlsafe_b64encode(b"[" * 1500).decode(),
        forged(),
        forged("f"),
        forged("f", True, "2026-03-01T00:00:00+00:00"),
        forged("?", True, "2026-03-01T00:00:00+00:00", "0" * 32),
        forged("f", 1, "2026-03-01T00:00:00+00:00", "0" * 32),
        forged("f", True, "2026-03-01T00:00:00", "0" * 32),
        forged("f", True, "9999-12-31T23:59:59-14:00", "0" * 32),
        forged("f", True, "yesterday", "0" * 32),
        forged("f", True, "2026-03-01T00:00:00+00:00", "0\x00"),
        forged("f", True, "2026-03-01T00:00:00+00:00", {"a": 1}),
        forged("f", None, None, None),
        base64.urlsafe_b64encode(b'{"a": 1}').decode(),
        base64.urlsafe_b64encode(b"\xff\xfe").decode(),
    ],
)
def test_a_cursor_that_means_nothing_gives_the_first_page(anchors, cursor):
    found = page(anchors, cursor)
    assert found.lost
    assert [row.id for row in found] == [row.id for row in page(anchors)]


def test_a_cursor_of_another_list_is_lost(anchors):
    other = keyset.paginate(anchors, order=("-id",), size=5)
    assert page(anchors, other.next).lost


def test_a_cursor_cannot_leave_the_queryset(anchors, globex):
    """It names a place, not rows: another workspace's place shows this workspace's rows."""
    make_project(globex)
    cursor = forged("f", True, "2036-01-01T00:00:00+00:00", str(globex.id))
    assert {row.workspace_id for row in page(anchors, cursor)} == {anchors.first().workspace_id}
