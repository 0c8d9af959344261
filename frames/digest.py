"""What a frame returns: a digest made from its events and anchors, the same each time, no model.

{"outcome", "duration_seconds", "events", "tool_calls": {tool: n}, "files": […], "commands": […],
"tests": […], "errors": […], "decisions": […], "constraints": […], "risks": […], "children": […]}
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from frames.cold import reading
from frames.models import Anchor, Event, Frame

MOST = 50
LINE = 300
# Events beyond this many are counted but not read: a digest must stay quick.
READ = 5000
FILE_KEYS = ("file_path", "path", "notebook_path", "filename")
COMMAND_KEYS = ("command", "cmd")
TEST_COMMAND = re.compile(
    r"\b(pytest|unittest|manage\.py test|npm (run )?test|yarn test|pnpm test|vitest|jest|go test|"
    r"cargo (test|nextest)|mvn test|gradle test|rspec|phpunit|make test|ctest)\b"
)
SECTIONS = {"DECISION": "decisions", "CONSTRAINT": "constraints", "RISK": "risks"}


def make_digest(frame: Frame) -> dict[str, Any]:
    """The digest of a frame as it stands; `closed_at` should be set for its duration."""
    events = Event.objects.in_workspace(frame.workspace).filter(frame=frame)
    anchors = Anchor.objects.in_workspace(frame.workspace).filter(frame=frame).standing()
    children = Frame.objects.in_workspace(frame.workspace).filter(parent=frame)
    if frame.visibility == Frame.Visibility.TEAM:
        # the team reads this digest: it must not tell of somebody's private frame
        children = children.filter(visibility=Frame.Visibility.TEAM)
    if frame.visibility == Frame.Visibility.TEAM:  # what the team reads names no private frame
        children = children.filter(visibility=Frame.Visibility.TEAM)
    read = events.order_by("occurred_at", "seq", "id").only(
        "id", "type", "payload", "tool", "is_error", "workspace", "stored_digest", "stored_octets"
    )
    told = _tell(reading.with_cold(frame, read[:READ], most=READ))
    for anchor in anchors.order_by("-priority", "noted_at")[: MOST * 4]:
        section = SECTIONS.get(anchor.type.upper())
        if section:
            told.setdefault(section, []).append(anchor.text[:LINE])
    names = children.order_by("started_at").values_list("name", "state")[:MOST]
    told["children"] = [f"{name} ({state})" for name, state in names]
    duration = frame.duration
    return {
        "outcome": "failed" if told.pop("ends_in_error") else "done",
        "duration_seconds": int(duration.total_seconds()) if duration else None,
        "events": frame.event_count,
        **{key: value[:MOST] if isinstance(value, list) else value for key, value in told.items()},
    }


def digest_text(frame: Frame, digest: dict[str, Any]) -> str:
    """The digest in a few plain lines."""
    lines = [f"{frame.name}: {digest['outcome']}."]
    result = frame.outputs.get("result") if isinstance(frame.outputs, dict) else None
    if isinstance(result, str) and result:
        lines.append(result[:1000])
    for key, title in (
        ("decisions", "Decided"),
        ("constraints", "Constraints"),
        ("risks", "Risks"),
        ("files", "Files"),
        ("tests", "Tests"),
        ("errors", "Errors"),
    ):
        items = digest.get(key)
        if items:
            lines.append(f"{title}: " + "; ".join(str(item) for item in items[:10]))
    return "\n".join(lines)


def _tell(events: Iterable[Event]) -> dict[str, Any]:
    tools: Counter[str] = Counter()
    files: dict[str, None] = {}
    commands: dict[str, None] = {}
    errors: list[str] = []
    last_is_error = False
    for event in events:
        data = event.data_at_hand
        if event.is_error:
            errors.append(_first_words(data) or event.type)
        last_is_error = event.is_error
        if event.type != "tool_call" or not isinstance(data, dict):
            continue
        tools[event.tool or "?"] += 1
        given = data.get("tool_input") or data.get("arguments")
        if isinstance(given, dict):
            _note(files, given, FILE_KEYS)
            _note(commands, given, COMMAND_KEYS)
    return {
        "tool_calls": dict(tools.most_common(MOST)),
        "files": list(files),
        "commands": list(commands),
        "tests": [command for command in commands if TEST_COMMAND.search(command)],
        "errors": errors,
        "ends_in_error": last_is_error,
    }


def _note(into: dict[str, None], given: dict[str, Any], keys: tuple[str, ...]) -> None:
    for key in keys:
        value = given.get(key)
        if isinstance(value, str) and value:
            into[value.strip().split("\n", 1)[0][:LINE]] = None


def _first_words(data: Any) -> str:
    """The first line of whatever an error event says."""
    if isinstance(data, str):
        return data.strip().split("\n", 1)[0][:LINE]
    if isinstance(data, dict):
        for key in ("error", "message", "content", "text", "stderr", "result", "tool_response"):
            words = _first_words(data.get(key))
            if words:
                return words
    if isinstance(data, list) and data:
        return _first_words(data[0])
    return ""
