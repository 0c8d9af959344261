"""The shape of a store before anything is written: its stacks, runs and project ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from sys import intern
from typing import Any

from frames.transfer.draft import EPOCH
from frames.transfer.source import Source
from frames.transfer.values import identity_of, moment, shown


@dataclass(slots=True)
class Node:
    """A frame's place: what is needed to order frames and to point at them."""

    position: int
    frame_id: str | None
    run_id: str | None
    project: str
    said_parent: str | None
    started: datetime
    ended: datetime
    parent: str | None = None
    depth: int = 0
    root: str | None = None
    notes: tuple[str, ...] = ()


@dataclass
class Plan:
    """`order` has parents before children; `nodes` holds the first frame of each id."""

    order: list[Node]
    nodes: dict[str, Node]
    projects: Counter[str]

    def twin_of(self, node: Node) -> Node | None:
        """The earlier row with the same id, which is the one that counts."""
        first = self.nodes.get(node.frame_id) if node.frame_id is not None else None
        return None if first is node else first


def make_plan(source: Source) -> Plan:
    """Read the skeleton of every frame and settle its parent, depth and root."""
    order = list(_skeletons(source))
    nodes: dict[str, Node] = {}
    for node in order:
        if node.frame_id is not None:
            nodes.setdefault(node.frame_id, node)
    _settle_parents(order, nodes)
    _cut_cycles(nodes)
    _settle_depths(nodes)
    for node in order:
        first = nodes.get(node.frame_id) if node.frame_id is not None else None
        if first is not None and first is not node:
            node.parent, node.depth, node.root = first.parent, first.depth, first.root
    order.sort(key=lambda node: node.depth)  # stable: insertion order within a depth
    return Plan(order, nodes, Counter(node.project for node in order))


def _skeletons(source: Source) -> Iterable[Node]:
    columns = ("frame_id", "run_id", "project_id", "parent_frame_id", "created_at", "closed_at")
    for position, frame_id, run_id, project, parent, created, closed in source.columns(
        "frames", columns
    ):
        started = moment(created) or EPOCH
        yield Node(
            position=position,
            frame_id=identity_of(frame_id),
            run_id=_shared(identity_of(run_id)),
            project=intern(shown(project)[:500]),
            said_parent=_shared(identity_of(parent)),
            started=started,
            ended=max(moment(closed) or started, started),
        )


def _shared(text: str | None) -> str | None:
    """The same text as one object, since hundreds of thousands of frames repeat it."""
    return None if text is None else intern(text)


def _settle_parents(order: list[Node], nodes: dict[str, Node]) -> None:
    for node in order:
        said = node.said_parent
        if said is None:
            continue
        if said == node.frame_id:
            node.notes += ("self_parent",)
        elif said not in nodes:
            node.notes += ("missing_parent",)
        else:
            node.parent = said


def _cut_cycles(nodes: dict[str, Node]) -> None:
    """Cut every circle of parents at its earliest frame (by start, then id)."""
    done: set[str] = set()
    for start in nodes:
        path: list[str] = []
        on_path: set[str] = set()
        current: str | None = start
        while current is not None and current not in done and current not in on_path:
            path.append(current)
            on_path.add(current)
            current = nodes[current].parent
        if current is not None and current in on_path:
            circle = path[path.index(current) :]
            first = min(circle, key=lambda key: (nodes[key].started, key))
            nodes[first].parent = None
            nodes[first].notes += ("cycle",)
        done.update(path)


def _settle_depths(nodes: dict[str, Node]) -> None:
    for start in nodes:
        path: list[str] = []
        current: str | None = start
        while current is not None and nodes[current].root is None:
            path.append(current)
            current = nodes[current].parent
        for key in reversed(path):
            node = nodes[key]
            above: Any = nodes[node.parent] if node.parent is not None else None
            node.root = above.root if above else key
            node.depth = above.depth + 1 if above else 0
