"""Which rows of a store are of something that was erased here: those are not taken again."""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection
from functools import cached_property
from typing import TYPE_CHECKING, Any

from frames.tombstones import Tombstones, anchor_name, run_name
from frames.transfer.plan import Node, Plan
from frames.transfer.projects import Projects
from frames.transfer.source import Source
from frames.transfer.values import Row, identity_of

if TYPE_CHECKING:
    from workspaces.models import Workspace


class Gone:
    """Of one store. What hangs below an erased frame, or is of an erased run, is gone as well."""

    def __init__(
        self, workspace: Workspace, source: Source, plan: Plan, projects: Projects | None = None
    ) -> None:
        self.source, self.plan, self.projects = source, plan, projects
        self.tombstones = Tombstones(workspace)
        self.frames: set[str] = set()

    def settle(self, there: Collection[str]) -> None:
        """Look at all frames of the store; `there` are those that are here, and so are not gone."""
        nodes = [node for node in self.plan.order if node.frame_id is not None]
        named = [node.frame_id for node in nodes] + [node.said_parent for node in nodes]
        erased = self.tombstones.of("frame", named)
        runs = self.tombstones.of("session", {self._run(node) for node in nodes})
        if not erased and not runs:
            return
        for node in nodes:  # parents come before their children
            above = node.parent or node.said_parent
            lost = above is not None and above not in there
            if node.frame_id in erased or (
                node.frame_id not in there
                and (self._run(node) in runs or (lost and above in self.frames | erased))
            ):
                self.frames.add(node.frame_id or "")

    def has_frame(self, frame_id: str | None) -> bool:
        if not frame_id or frame_id in self.frames:
            return bool(frame_id)
        return frame_id not in self.plan.nodes and self.tombstones.has("frame", frame_id)

    def has_run(self, project_id: uuid.UUID, run_id: str | None) -> bool:
        return bool(run_id) and self.tombstones.has("session", run_name(project_id, run_id or ""))

    def has_anchor(self, origin: str, name: str, row: Row) -> bool:
        if self.has_frame(identity_of(row.get("frame_id"))):
            return True
        return self.tombstones.has("anchor", anchor_name(origin, name))

    def has_task(self, name: str, row: Row) -> bool:
        if self.has_frame(identity_of(row.get("frame_id"))):
            return True
        return self.tombstones.has("task", name)

    def has_row(self, table: str, row: Row) -> bool:
        """Whether a row that is kept word for word speaks of an erased frame or task."""
        if table == "tool_calls":
            return identity_of(row.get("trace_id")) in self._traces
        line = _object(row["line"]) if set(row) == {"line"} else None
        if line is not None:
            name = identity_of(line.get("id"))
            return bool(name) and self.has_task(name or "", line)
        return self.has_frame(identity_of(row.get("frame_id")))

    @cached_property
    def _traces(self) -> set[str]:
        if "frame_id" not in self.source.tables.get("traces", []):
            return set()
        rows = self.source.columns("traces", ("id", "frame_id"))
        return {identity_of(id_) or "" for _, id_, f in rows if self.has_frame(identity_of(f))}

    def _run(self, node: Node) -> str | None:
        if node.run_id is None or self.projects is None:
            return None
        return run_name(self.projects.of(node.project).pk, node.run_id)


def _object(text: Any) -> Row | None:
    try:
        found = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    return {key: found[key] for key in ("id", "frame_id") if isinstance(found.get(key), str | int)}
