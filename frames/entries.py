"""Entries of a timeline: what one event, or a call with its result, says to a reader."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from frames.pairing import is_call, is_result, pair, tool_name
from frames.payload import (
    PREVIEW,
    TEXT_KEYS,
    Field,
    Limits,
    clean,
    field_of,
    fields,
    json_in,
    number,
    only_words,
    shorten,
    words,
)
from frames.timeline import Line

# type → (what it is called, its icon, its class)
KINDS = {
    "user_message": ("User", "person", "user"),
    "user_prompt": ("User", "person", "user"),
    "userpromptsubmit": ("User", "person", "user"),
    "assistant_message": ("Assistant", "agent", "assistant"),
    "agent_message": ("Assistant", "agent", "assistant"),
    "system_message": ("System", "system", "system"),
    "decision": ("Decision", "decision", "decision"),
    "constraint": ("Constraint", "constraint", "constraint"),
    "observation": ("Observation", "observation", "observation"),
    "artifact": ("Artifact", "artifact", "artifact"),
    "action": ("Action", "right", "action"),
    "result": ("Result", "result", "result"),
    "error": ("Error", "risk", "error"),
    "notification": ("Notification", "message", "note"),
}
ANCHOR_ICONS = {"FACT": "fact", "INTERFACE_CONTRACT": "contract", "TODO": "todo", "RISK": "risk"}
# What a call is about, best first: shown beside the tool's name.
GIST_KEYS = (
    "command", "pattern", "query", "file_path", "path", "url", "name", "title", "text", "content",
    "message", "description", "prompt",
)  # fmt: skip
ARGUMENT_KEYS = ("arguments", "tool_input", "input", "args", "parameters")
RESPONSE_KEYS = ("tool_response", "response", "result", "output", "content", "error")
NOT_SHOWN = frozenset(
    {"timestamp", "tool_name", "tool_use_id", "call_id", "tool_call_id", "session_id",
     "transcript_path", "hook_event_name", "success", "is_error", "duration_ms"}
)  # fmt: skip


@dataclass(slots=True)
class Entry:
    """One row of the timeline, ready to be written."""

    line: Line
    kind: str
    label: str
    icon: str
    title: str = ""
    gist: str = ""
    text: str = ""
    fields: list[Field] = field(default_factory=list)
    anchor_type: str = ""
    priority: int | None = None
    # of a tool call only
    result: Line | None = None
    output: str = ""
    output_json: str = ""
    output_fields: list[Field] = field(default_factory=list)
    status: str = ""
    took: timedelta | None = None
    error: bool = False
    # Something is not shown here that the event's own page has.
    cut: bool = False

    @property
    def octets(self) -> int:
        return self.line.octets + (self.result.octets if self.result else 0)

    @property
    def key(self) -> uuid.UUID:
        return self.line.id


def entries(lines: Sequence[Line], limits: Limits = PREVIEW) -> list[Entry]:
    """Rows for these events in their order, each result within its call's row."""
    pairs = pair(lines)
    answers = set(pairs.values())
    return [
        entry_of(line, lines[pairs[at]] if at in pairs else None, limits)
        for at, line in enumerate(lines)
        if at not in answers
    ]


def entry_of(line: Line, result: Line | None = None, limits: Limits = PREVIEW) -> Entry:
    is_tool = is_call(line) or is_result(line)
    entry = _tool(line, result, limits) if is_tool else _said(line, limits)
    entry.error = entry.error or line.is_error or bool(result and result.is_error)
    entry.cut = entry.cut or line.cut or bool(result and result.cut)
    entry.cut = entry.cut or any(f.cut for f in [*entry.fields, *entry.output_fields])
    return entry


def _said(line: Line, limits: Limits) -> Entry:
    data, kind = line.data, line.type.lower()
    label, icon, css = KINDS.get(kind, (_readable(line.type), "note", "other"))
    entry = Entry(line=line, kind=css, label=label, icon=icon, error=kind == "error")
    if not isinstance(data, Mapping):
        entry.text, entry.cut = shorten(words(data) or str(data), limits.text)
        return entry
    if isinstance(data.get("anchor_type"), str):
        entry.anchor_type = clean(data["anchor_type"])[:60]
        entry.icon = ANCHOR_ICONS.get(entry.anchor_type, entry.icon)
    if (priority := number(data.get("priority"))) is not None:
        entry.priority = int(priority)
    used = {"anchor_type", "anchor_id", *(["priority"] if entry.priority is not None else [])}
    if isinstance(data.get("action"), str) and data["action"]:
        _action(entry, data, used)
    said = words(data)
    entry.text, entry.cut = shorten(said, limits.text)
    # The keys the words came from, and those that say the same once more.
    used |= {k for k in TEXT_KEYS if k in data and (data[k] == said or only_words(data[k]))}
    used |= {"role"} if data.get("role") in ("user", "assistant", "system") else set()
    used |= {"timestamp"} if number(data.get("timestamp")) is not None else set()
    entry.fields = fields(data, limits, skip=used)
    return entry


def _action(entry: Entry, data: Mapping[str, Any], used: set[str]) -> None:
    """What StackMemory's own tools note: a frame started, closed, a task made."""
    action = data["action"]
    titles = {"start_frame": "started the frame", "close_frame": "closed the frame"}
    entry.title = titles.get(action, _readable(clean(action[:60])).lower())
    used.add("action")
    if isinstance(data.get("name"), str):
        entry.gist = clean(data["name"][:300])
        used.add("name")


def _tool(line: Line, result: Line | None, limits: Limits) -> Entry:
    entry = Entry(
        line=line, kind="tool", label="Tool", icon="tool", result=result,
        title=clean(tool_name(line)[:120]) or "unnamed tool",
    )  # fmt: skip
    if is_call(line):
        arguments = _arguments(line.data)
        entry.gist = gist(arguments)
        entry.fields = _as_fields(arguments, limits)
    answer = result or line
    response, failed = response_of(answer.data, is_result(answer))
    entry.error = failed or answer.is_error
    if response is not None:
        _respond(entry, response, limits)
        entry.status = "failed" if entry.error else "ok"
    elif result or is_result(line):
        entry.status = "failed" if entry.error else "ok"
    else:
        entry.status = "failed" if entry.error else "unanswered"
    if not is_call(line) and result is None:
        entry.label = "Result"
        entry.icon = "result"
    entry.took = _took(line, result)
    return entry


def _arguments(data: Any) -> Any:
    if not isinstance(data, Mapping):
        return data
    for key in ARGUMENT_KEYS:
        if key in data:
            return data[key]
    return {key: value for key, value in data.items() if key not in NOT_SHOWN | {"name", "tool"}}


def _as_fields(value: Any, limits: Limits) -> list[Field]:
    if isinstance(value, Mapping):
        return fields(value, limits)
    return [field_of("", value, limits)] if value not in (None, "", []) else []


def gist(arguments: Any) -> str:
    """One line that tells this call from others of its tool."""
    if isinstance(arguments, str):
        found = arguments
    elif isinstance(arguments, Mapping):
        plain = {k: str(v) for k, v in arguments.items() if isinstance(v, str | int | float) and v}
        found = next((plain[key] for key in GIST_KEYS if key in plain), "")
        found = found or next(iter(plain.values()), "")
    else:
        found = ""
    return clean(" ".join(found[:400].split()))[:160]


def response_of(data: Any, is_answer: bool) -> tuple[Any, bool]:
    """What a tool gave back, None for nothing yet; and whether it failed."""
    if not isinstance(data, Mapping):
        return (data, False) if is_answer else (None, False)
    keys = RESPONSE_KEYS if is_answer else ("tool_response",)
    response = next((data[key] for key in keys if data.get(key) is not None), None)
    if response is None and is_answer:
        rest = {key: value for key, value in data.items() if key not in NOT_SHOWN}
        response = rest or None
    failed = data.get("success") is False or data.get("is_error") is True
    failed = failed or (is_answer and bool(data.get("error")))
    if isinstance(response, Mapping):
        failed = failed or response.get("isError") is True or response.get("is_error") is True
    return response, failed


def _respond(entry: Entry, response: Any, limits: Limits) -> None:
    if isinstance(response, Mapping) and only_words(response.get("content")):
        said = words(response["content"])
        entry.output_fields = fields(response, limits, skip={"content", "isError"})
    elif isinstance(response, str) or only_words(response):
        said = words(response)
    else:
        entry.output_fields = _as_fields(response, limits)
        return
    inner = json_in(said, limits)
    if inner is not None:
        entry.output_json, cut = inner
    else:
        entry.output, cut = shorten(said, limits.text)
    entry.cut = entry.cut or cut


def _took(call: Line, result: Line | None) -> timedelta | None:
    """How long a call took, where both said when to the millisecond, or it says so itself."""
    for line in filter(None, (result, call)):
        ms = number(line.data.get("duration_ms")) if isinstance(line.data, Mapping) else None
        if ms is not None and 0 <= ms < 1e12:
            return timedelta(milliseconds=ms)
    if result is None:
        return None
    began, ended = _stamp(call), _stamp(result)
    if began is not None and ended is not None and 0 <= ended - began < 1e12:
        return timedelta(milliseconds=ended - began)
    took = result.at - call.at
    return took if took >= timedelta(seconds=1) else None


def _stamp(line: Line) -> float | None:
    return number(line.data.get("timestamp")) if isinstance(line.data, Mapping) else None


def _readable(name: str) -> str:
    """`tool_scope` → `Tool scope`."""
    text = " ".join(clean(name[:60]).replace("_", " ").replace("-", " ").split())
    return text[:1].upper() + text[1:] if text else "Event"
