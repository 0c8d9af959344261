"""What a piece of work weighs, by the formula published for the local StackMemory (docs/context.md).

A call:  base[kind] × base weight + min(files / 10, 1) × impact + (.2 × persistence if it lasts)
         + min(references / 100, 1) × reference, between 0 and 1.
A frame: its weightiest call, with all files it touched and all events that refer to them; + .1 if
         an error was mended, + .05 for each decision, − .1 if it ended in an error.

Weights and bases are a project's own settings; a frame is scored by its digest, when it closes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from django.db.models import Count

from frames.cold import reading
from frames.models import Anchor, Event, Frame, Project
from frames.signals import changed
from stackmemory.lib.tenancy import workspace_scope
from workspaces.models import Workspace

BASES = {
    "search": 0.95, "task_creation": 0.9, "decision_recording": 0.9, "context_retrieval": 0.85,
    "write": 0.75, "edit": 0.5, "test": 0.45, "bash": 0.4, "read": 0.25, "grep": 0.15,
}  # fmt: skip
UNKNOWN = 0.5
LASTING = frozenset({"task_creation", "decision_recording", "write", "edit"})
LASTS = 0.2
MENDED, DECIDED, FAILED = 0.1, 0.05, 0.1
# Names of tools, in lower case, by what they do; of any other its own name, if that is a kind.
KINDS = {
    "websearch": "search", "webfetch": "search", "web_search": "search", "sm_search": "search",
    "taskcreate": "task_creation", "todowrite": "task_creation", "create_task": "task_creation",
    "add_decision": "decision_recording", "add_anchor": "decision_recording",
    "get_context": "context_retrieval", "get_hot_stack": "context_retrieval",
    "fetch": "context_retrieval", "get_frame": "context_retrieval",
    "get_timeline": "context_retrieval", "smart_context": "context_retrieval",
    "create_file": "write", "write_file": "write", "multiedit": "edit", "notebookedit": "edit",
    "str_replace": "edit", "apply_patch": "edit", "edit_file": "edit", "shell": "bash",
    "exec": "bash", "run": "bash", "notebookread": "read", "read_file": "read", "ls": "read",
    "glob": "grep", "find": "grep",
}  # fmt: skip
BATCH = 200
# What scoring needs of a frame.
FIELDS = ("id", "workspace_id", "digest", "score", "event_count")


@dataclass(frozen=True, slots=True)
class Weights:
    base: float = 0.4
    impact: float = 0.3
    persistence: float = 0.2
    reference: float = 0.1
    bases: Mapping[str, float] = field(default_factory=lambda: dict(BASES))

    @classmethod
    def of(cls, project: Project) -> Weights:
        """The project's own, where it has any; what cannot be one is as usual."""
        stored = project.settings.get("scoring") if isinstance(project.settings, dict) else None
        given = stored if isinstance(stored, dict) else {}
        usual, bases = cls(), given.get("bases")
        named = {name: _share(given.get(name), getattr(usual, name)) for name in NAMES}
        own = bases if isinstance(bases, dict) else {}
        return replace(
            usual, **named, bases={kind: _share(own.get(kind), b) for kind, b in BASES.items()}
        )

    def stored(self) -> dict[str, Any]:
        return {**{name: getattr(self, name) for name in NAMES}, "bases": dict(self.bases)}


NAMES = ("base", "impact", "persistence", "reference")


def kind_of(tool: str) -> str:
    """What a tool does: one of BASES, or "" for one that is not known."""
    name = tool.rsplit("__", 1)[-1].lower()  # mcp__server__tool
    kind = KINDS.get(name, name)
    return kind if kind in BASES else ""


def call_score(
    kind: str, weights: Weights, *, files: int = 0, references: int = 0, lasts: bool | None = None
) -> float:
    """The score of one call of a tool, or event; 0 to 1."""
    lasting = kind in LASTING if lasts is None else lasts
    score = (
        weights.bases.get(kind, UNKNOWN) * weights.base
        + min(files / 10, 1.0) * weights.impact
        + (LASTS * weights.persistence if lasting else 0.0)
        + min(references / 100, 1.0) * weights.reference
    )
    return min(max(score, 0.0), 1.0)


def frame_score(digest: Any, weights: Weights) -> float | None:
    """The score of closed work by its digest; None where that tells nothing of calls."""
    if not _tells(digest):
        return None
    tools = digest.get("tool_calls")
    kinds = {kind_of(str(tool)) for tool in tools} if isinstance(tools, dict) else set()
    if _count(digest, "tests"):
        kinds.add("test")
    decisions = _count(digest, "decisions")
    if decisions:
        kinds.add("decision_recording")
    events, files = digest.get("events"), _count(digest, "files")
    references = events if isinstance(events, int) and files else 0
    score = max(
        (call_score(kind, weights, files=files, references=references) for kind in kinds),
        default=call_score("read", weights),
    )
    failed = digest.get("outcome") == "failed"
    if _count(digest, "errors") and not failed:
        score += MENDED
    score += DECIDED * decisions - (FAILED if failed else 0.0)
    return round(min(max(score, 0.0), 1.0), 4)


def digests(workspace: Workspace, frames: Sequence[Frame]) -> dict[UUID, dict[str, Any]]:
    """Of each frame what it is scored by: its digest, or for work that another program closed as much
    of one as counting gives. Three queries at most."""
    found = {frame.pk: frame.digest for frame in frames if _tells(frame.digest)}
    bare = [frame for frame in frames if frame.pk not in found]
    if not bare:
        return found
    events = Event.objects.in_workspace(workspace).filter(frame__in=bare).exclude(tool="")
    tools: dict[UUID, dict[str, int]] = {}
    for frame_id, tool, n in events.order_by().values_list("frame", "tool").annotate(Count("pk")):
        tools.setdefault(frame_id, {})[tool] = n
    for row in reading.of_frames(workspace.pk, [frame.pk for frame in bare]):
        if row["tool"]:
            used = tools.setdefault(row["frame_id"], {})
            used[row["tool"]] = used.get(row["tool"], 0) + 1
    anchors = Anchor.objects.in_workspace(workspace).filter(frame__in=bare, type="DECISION")
    decided = dict(anchors.order_by().values_list("frame").annotate(Count("pk")))
    return found | {
        frame.pk: {
            "outcome": "done", "events": frame.event_count, "tool_calls": tools.get(frame.pk, {}),
            "decisions": [""] * decided.get(frame.pk, 0),
        }
        for frame in bare
    }  # fmt: skip


def rescore(workspace: Workspace, project: Project, *, only_missing: bool = False) -> int:
    """Score the closed frames of a project anew; how many have another score now."""
    weights, last, total = Weights.of(project), None, 0
    while True:
        with workspace_scope(workspace.pk):
            frames = Frame.objects.in_workspace(workspace).filter(project=project)
            frames = frames.exclude(closed_at=None).only(*FIELDS)
            if only_missing:
                frames = frames.filter(score=None)
            if last is not None:
                frames = frames.filter(pk__gt=last)
            part = list(frames.order_by("pk")[:BATCH])
            if not part:
                return total
            other: list[UUID] = []
            told = digests(workspace, part)
            for frame in part:
                score = frame_score(told[frame.pk], weights)
                if score is not None and score != frame.score:
                    frame.score = score
                    other.append(frame.pk)
            renewed = [frame for frame in part if frame.pk in set(other)]
            Frame.unscoped.bulk_update(renewed, ["score"], batch_size=100)
            changed(workspace, "frame", other)
            total += len(other)
            last = part[-1].pk


def _tells(digest: Any) -> bool:
    return isinstance(digest, dict) and "outcome" in digest


def _count(digest: dict[str, Any], name: str) -> int:
    value = digest.get(name)
    return len(value) if isinstance(value, list) else 0


def _share(value: Any, usual: float) -> float:
    fits = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
    return float(value) if fits else usual
