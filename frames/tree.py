"""Frames hung together as a tree, and the tree as rows of a page. No queries."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils.safestring import SafeString, mark_safe

from frames.models import Frame
from frames.stack import NEWEST_FIRST
from stackmemory.lib.keyset import FORWARD, encode

CLOSING = "</ul></li>"


@dataclass(slots=True, eq=False)
class Node:
    frame: Frame
    children: list[Node] = field(default_factory=list)
    # Visible children that are not loaded: they began before those that are.
    hidden: int = 0
    # On the path to where someone is at work, and its end.
    lit: bool = False
    tip: bool = False
    # False for a frame shown only because something below it was asked for.
    match: bool = True
    # Frames left out between this one and its only child.
    skipped: int = 0


@dataclass(slots=True)
class Row:
    """A line of the page: a frame, or a word on frames that are not there."""

    node: Node
    kind: str = "frame"  # or "earlier", "between"
    count: int = 0
    # 1 for what stands at the top of the page.
    level: int = 1
    # A group of rows follows inside this one.
    opens: bool = False
    # How many groups end after it.
    closes: int = 0

    @property
    def cursor(self) -> str:
        """The page of children before those that are shown."""
        return encode(self.node.children[0].frame, NEWEST_FIRST, FORWARD)

    @property
    def closing(self) -> SafeString:
        return mark_safe(CLOSING * self.closes)


def grow(
    entries: Sequence[Frame],
    below: Iterable[Frame],
    *,
    lit: Collection[uuid.UUID] = (),
    matches: Collection[uuid.UUID] | None = None,
) -> list[Node]:
    """Hang the frames `below` under the entries, children in the order they were called.

    What has no loaded parent is left out. With `matches` the tree is what a filter found, and
    nothing is said of children that it did not find.
    """
    nodes = {
        frame.pk: Node(frame, lit=frame.pk in lit, match=matches is None or frame.pk in matches)
        for frame in [*entries, *below]
    }
    tops = {entry.pk for entry in entries}
    for node in nodes.values():
        parent = nodes.get(node.frame.parent_id) if node.frame.parent_id else None
        if parent is not None and parent is not node and node.frame.pk not in tops:
            parent.children.append(node)
    for node in nodes.values():
        node.tip = node.lit and not any(child.lit for child in node.children)
        node.children.sort(key=lambda child: (child.frame.started_at, child.frame.pk))
        if matches is None:
            there: int = node.frame.visible_children  # type: ignore[attr-defined]
            node.hidden = max(there - len(node.children), 0)
    return [nodes[entry.pk] for entry in entries]


def found(
    frames: Sequence[Frame],
    matches: Collection[uuid.UUID],
    *,
    lit: Collection[uuid.UUID] = (),
) -> list[Node]:
    """The tree of what a filter found and the frames above it, latest work first."""
    loaded = {frame.pk for frame in frames}
    tops = [frame for frame in frames if frame.parent_id not in loaded]
    tree = grow(tops, frames, lit=lit, matches=matches)
    for top in tree:
        shorten(top)
    return sorted(tree, key=lambda top: _latest(top, matches), reverse=True)


def _latest(top: Node, matches: Collection[uuid.UUID]) -> datetime:
    return max(
        (node.frame.started_at for node in walk([top]) if node.frame.pk in matches),
        default=top.frame.started_at,
    )


def shorten(top: Node) -> None:
    """Leave out the middle of long runs of frames that nobody asked for."""
    for node in walk([top]):
        run = [node]
        while not run[-1].match and len(run[-1].children) == 1:
            run.append(run[-1].children[0])
        # run ends with a frame asked for, or one where the way parts; what leads to it stays too
        if len(run) > 4:
            node.children = [run[-2]]
            node.skipped = len(run) - 3


def walk(tops: Iterable[Node]) -> Iterator[Node]:
    """Every node, parents first. A loop, not recursion: stacks may be deep."""
    waiting = list(tops)
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed(node.children))


def rows(tops: Sequence[Node]) -> list[Row]:
    """The tree flattened for a template: which rows open a group and how many end after each."""
    lines: list[Row] = []
    # (node, its level, groups that end with it)
    waiting = [(top, 1, 0) for top in reversed(tops)]
    while waiting:
        node, level, ends = waiting.pop()
        row = Row(node, level=level, opens=bool(node.children))
        lines.append(row)
        if not node.children:
            row.closes = ends
            continue
        if node.skipped:
            lines.append(Row(node, kind="between", level=level + 1, count=node.skipped))
        if node.hidden:
            lines.append(Row(node, kind="earlier", level=level + 1, count=node.hidden))
        last = len(node.children) - 1
        waiting.extend(
            (child, level + 1, ends + 1 if at == last else 0)
            for at, child in reversed(list(enumerate(node.children)))
        )
    return lines


def active_paths(frames: Iterable[Frame]) -> list[list[Frame]]:
    """The paths to each person's last active open frame, root first; the latest path first.

    Takes what `ancestors_and_self(working_now(…))` gave.
    """
    by_id = {frame.pk: frame for frame in frames}
    tips: dict[Any, Frame] = {}
    for frame in by_id.values():
        best = tips.get(frame.owner_id)
        if frame.is_open and (best is None or _rank(frame) > _rank(best)):
            tips[frame.owner_id] = frame
    paths = [path_to(tip, by_id) for tip in tips.values()]
    return sorted(paths, key=lambda path: _rank(path[-1]), reverse=True)


def _rank(frame: Frame) -> tuple[datetime, uuid.UUID]:
    # The same order as `working_now`.
    return frame.last_event_at or frame.started_at, frame.pk


def path_to(frame: Frame, by_id: dict[uuid.UUID, Frame]) -> list[Frame]:
    """From the top of what is loaded down to the frame."""
    path: list[Frame] = []
    seen: set[uuid.UUID] = set()
    at: Frame | None = frame
    while at is not None and at.pk not in seen:
        seen.add(at.pk)
        path.append(at)
        at = by_id.get(at.parent_id) if at.parent_id else None
    return path[::-1]
