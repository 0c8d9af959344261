"""What Claude Code says through its hooks, as events: a mapping and nothing else.

The names of events and fields are the client's. What is unknown is kept as it came.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from stackmemory.lib.refusal import Refusal

Place = Literal["session", "prompt", "agent"]

TYPES = {
    "UserPromptSubmit": "user_message",
    "PreToolUse": "tool_call",
    "PostToolUse": "tool_result",
    "PostToolUseFailure": "tool_result",
    "StopFailure": "error",
}
# These say something about the run as a whole, whichever prompt it is at.
OF_SESSION = frozenset(
    {"SessionStart", "SessionEnd", "Setup", "ConfigChange", "InstructionsLoaded", "CwdChanged",
     "DirectoryAdded", "WorktreeCreate", "WorktreeRemove"}
)  # fmt: skip
# Fields every hook has: kept together, beside what this one has to say.
COMMON = (
    "hook_event_name", "session_id", "prompt_id", "agent_id", "agent_type", "cwd",
    "transcript_path", "permission_mode", "effort",
)  # fmt: skip
ID = re.compile(r"[\x21-\x7e]{1,100}")
CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
NAME_LENGTH = 140


@dataclass(frozen=True)
class Hook:
    """One call of a hook, its ids in a form that fits everywhere."""

    name: str
    session: str
    prompt: str = ""
    agent: str = ""
    agent_type: str = ""
    tool_use: str = ""
    cwd: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)

    def text(self, key: str) -> str:
        value = self.data.get(key)
        return value if isinstance(value, str) else ""


def read(data: Any) -> Hook:
    """The hook a body is. Refuses only what is no object."""
    if not isinstance(data, Mapping):
        raise Refusal("invalid", "A hook's input is a JSON object.", field="body")
    name = data.get("hook_event_name")
    return Hook(
        name=name[:100] if isinstance(name, str) and name.strip() else "Unknown",
        session=_id(data.get("session_id")) or "unknown",
        prompt=_id(data.get("prompt_id")),
        agent=_id(data.get("agent_id")),
        agent_type=str(data.get("agent_type") or "")[:100],
        tool_use=_id(data.get("tool_use_id")),
        cwd=data["cwd"][:4000] if isinstance(data.get("cwd"), str) else "",
        data=data,
    )


def place_of(hook: Hook) -> Place:
    """Which kind of frame the event belongs to."""
    if hook.name in OF_SESSION:
        return "session"
    return "agent" if hook.agent else "prompt"


def source_id(hook: Hook, delivery: str = "") -> str:
    """The event's identity, the same however often and by whatever way it arrives.

    Made of the client's own ids where those name one thing. Where they do not, of the `delivery`
    that the sender gave this call of the hook, else of all it says. docs/capture.md states it: who
    reads a transcript later must come to the same ids.
    """
    if hook.name == "UserPromptSubmit" and hook.prompt:
        return f"{session_ref(hook)}:prompt:{hook.prompt}:asked"
    if hook.tool_use and hook.name == "PreToolUse":
        return f"{session_ref(hook)}:tool:{hook.tool_use}:call"
    if hook.tool_use and hook.name in ("PostToolUse", "PostToolUseFailure"):
        return f"{session_ref(hook)}:tool:{hook.tool_use}:result"
    which = _id(delivery) or digest(hook.data)
    name = hook.name if ID.fullmatch(hook.name) else _hashed(hook.name)
    return f"{session_ref(hook)}:{hook.prompt or '-'}:{name}:{which}"


def session_ref(hook: Hook) -> str:
    return f"claude-code:{hook.session}"


def prompt_ref(hook: Hook) -> str:
    return f"{session_ref(hook)}:prompt:{hook.prompt}"


def agent_ref(hook: Hook) -> str:
    return f"{session_ref(hook)}:agent:{hook.agent}"


def event_type(hook: Hook) -> str:
    if hook.name in ("Stop", "SubagentStop") and hook.text("last_assistant_message"):
        return "assistant_message"
    return TYPES.get(hook.name) or CAMEL.sub("_", hook.name).lower()


def payload(hook: Hook) -> dict[str, Any]:
    """What the hook said, what is particular to it first, then what all hooks say under `hook`.

    `message` stands for `last_assistant_message`, and `success` is false for what failed: names
    every reader of events knows.
    """
    common = {key: hook.data[key] for key in COMMON if key in hook.data}
    said = {key: value for key, value in hook.data.items() if key not in COMMON}
    if event_type(hook) == "assistant_message":
        said = {"message": said.pop("last_assistant_message"), **said}
    if hook.name == "PostToolUseFailure" or _answers_error(hook.data.get("tool_response")):
        said.setdefault("success", False)
    if "hook" in said:
        return {**said, "claude_code": common}
    return {**said, "hook": common}


def prompt_name(prompt: str) -> str:
    """A name for the work on a prompt: its first words."""
    line = next((line for line in prompt.splitlines() if line.strip(" #*->`\t")), "")
    words = " ".join(line.strip(" #*->`\t").split())
    if len(words) <= NAME_LENGTH:
        return words or "A prompt without words"
    return words[:NAME_LENGTH].rsplit(" ", 1)[0].rstrip(" ,;:") + " …"


def works_on(hook: Hook) -> bool:
    """Whether something goes on in the background after a turn has ended."""
    tasks = hook.data.get("background_tasks")
    return isinstance(tasks, list) and any(
        isinstance(task, Mapping) and task.get("type") in ("subagent", "workflow")
        for task in tasks
    )  # fmt: skip


def project_name(cwd: str) -> str:
    """The repository's name as far as a path tells: its last part, outside any worktree folder."""
    path = re.split(r"[\\/]\.(?:claude|git|)[\\/]?worktrees[\\/]|[\\/]\.claude[\\/]", cwd)[0]
    parts = [part for part in re.split(r"[\\/]+", path) if part and not part.endswith(":")]
    return parts[-1] if parts else ""


def digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _answers_error(response: Any) -> bool:
    return isinstance(response, Mapping) and (
        response.get("isError") is True or response.get("is_error") is True
    )


def _id(value: Any) -> str:
    """An id as part of a longer one; one that is long or odd becomes its hash."""
    text = value if isinstance(value, str) else "" if value is None else json.dumps(value)
    return text if not text or (ID.fullmatch(text) and ":" not in text) else _hashed(text)


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
