"""What one prompt's or one subagent's lines of a transcript say, as what hooks would have said."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from stackmemory.cli.lines import content_of, fitting, plain, time_of, uuid_of

# What the client itself puts into the user's mouth, and is no prompt.
NOT_ASKED = re.compile(
    r"\s*(<(local-command|bash-|task-notification|system-reminder|user-memory)|\[Request interrupted|"
    r"Caveat: The messages below)"
)
COMMAND = re.compile(r"<command-name>\s*(/?[^<]*?)\s*</command-name>", re.S)
ARGUMENTS = re.compile(r"<command-args>(.*?)</command-args>", re.S)
# What the client writes where the model said nothing.
SYNTHETIC, UNSAID = "<synthetic>", "No response requested."
IMAGE = "[Image]"


@dataclass
class Report:
    """A hook that would have run: when, the transcript's own id for it, and what it was given."""

    at: str
    delivery: str
    hook: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        return {"at": self.at, "delivery": self.delivery, "hook": self.hook}


class Asked:
    """Which prompt the main conversation is at."""

    def __init__(self) -> None:
        self.prompt, self.number = "", 0
        # A slash command that may be the client's own: it counts once the model answers.
        self.pending: tuple[dict[str, Any], str] | None = None
        self.words: dict[str, int] = {}

    def hear(self, entry: dict[str, Any]) -> tuple[dict[str, Any], str] | None:
        """The (entry, text) of a prompt that begins here, or began with a command before."""
        if entry.get("isSidechain"):
            return None
        if entry.get("type") == "assistant":
            found, self.pending = self.pending, None
            return self._begin(*found) if found else None
        text = prompt_text(entry)
        if text is None:
            return None
        if command := COMMAND.search(text):
            arguments = ARGUMENTS.search(text)
            said = f"{command[1]} {arguments[1].strip() if arguments else ''}".strip()
            self.pending = (entry, said)
            return None
        self.pending = None
        return self._begin(entry, text)

    def _begin(self, entry: dict[str, Any], text: str) -> tuple[dict[str, Any], str]:
        self.number += 1
        told = str(entry.get("promptId") or "")
        if not told:
            # As the server names a prompt of a client too old to name it, by its words.
            digest = hashlib.sha256(json.dumps(text).encode()).hexdigest()[:24]
            times = self.words[digest] = self.words.get(digest, 0) + 1
            told = f"~{digest}" + (f".{times}" if times > 1 else "")
        self.prompt = told
        return entry, text


def prompt_text(entry: dict[str, Any]) -> str | None:
    """What a person asked; None for everything else that stands as theirs."""
    if entry.get("type") != "user" or entry.get("isMeta") or entry.get("isCompactSummary"):
        return None
    content = content_of(entry)
    if isinstance(content, str):
        text = content
    else:
        if any(block.get("type") == "tool_result" for block in content):
            return None
        text = "\n".join(str(b.get("text") or "") for b in content if b.get("type") == "text")
        if not text.strip() and any(block.get("type") == "image" for block in content):
            text = IMAGE
    return text if text.strip() and not NOT_ASKED.match(text) else None


def queued_text(entry: dict[str, Any]) -> str:
    """What a person said while the work on an earlier prompt went on."""
    told = entry.get("attachment") if entry.get("type") == "attachment" else None
    if not isinstance(told, dict) or told.get("type") != "queued_command":
        return ""
    words = told.get("prompt")
    if told.get("commandMode", "prompt") != "prompt" or not isinstance(words, str):
        return ""
    return "" if not words.strip() or NOT_ASKED.match(words) else words


@dataclass
class Said:
    """`message` is the model's answer that it is part of, `failed` whether the client said it."""

    at: str
    delivery: str
    text: str
    message: str
    failed: bool


class Turn:
    """The work on one prompt, or a subagent's. What is said last is what came of it."""

    def __init__(
        self,
        session_id: str,
        cwd: str,
        prompt: str = "",
        agent: str = "",
        call: dict[str, Any] | None = None,
    ) -> None:
        self.session_id, self.cwd = session_id, cwd
        self.prompt, self.agent, self.call = prompt, agent, call or {}
        self.said: Said | None = None
        self.tools: dict[str, str] = {}

    def hook(self, name: str, **fields: Any) -> dict[str, Any]:
        hook = hook_of(self.session_id, self.cwd, name, **fields)
        if self.prompt:
            hook["prompt_id"] = self.prompt
        if self.agent:
            hook["agent_id"] = self.agent
            hook["agent_type"] = str(self.call.get("subagent_type") or "")
        return hook

    def begin(self, entry: dict[str, Any]) -> Report:
        wanted = ("description", "prompt", "tool_use_id")
        call = {name: self.call[name] for name in wanted if isinstance(self.call.get(name), str)}
        if "prompt" not in call and (words := prompt_text(entry)):
            call["prompt"] = words
        call = {name: fitting(told) for name, told in call.items()}
        hook = self.hook("SubagentStart", called_with=call)
        return Report(time_of(entry), f"{uuid_of(entry)}.begin", hook)

    def hear(self, entry: dict[str, Any]) -> Iterator[Report]:
        content = content_of(entry)
        self.cwd = str(entry.get("cwd") or self.cwd)
        if entry.get("type") == "assistant":
            blocks = content if isinstance(content, list) else [{"type": "text", "text": content}]
            for number, block in enumerate(blocks):
                yield from self._assistant(entry, number, block)
        elif entry.get("type") == "user" and isinstance(content, list):
            results = [block for block in content if block.get("type") == "tool_result"]
            for block in results:
                yield from self._flush()
                yield self._result(entry, block, alone=len(results) == 1)

    def end(self) -> Iterator[Report]:
        said, self.said = self.said, None
        if said is None:
            return
        if said.failed and not self.agent:
            hook = self.hook("StopFailure", error=said.text)
        else:
            name = "SubagentStop" if self.agent else "Stop"
            hook = self.hook(name, last_assistant_message=said.text)
        yield Report(said.at, said.delivery, hook)

    def _assistant(
        self, entry: dict[str, Any], number: int, block: dict[str, Any]
    ) -> Iterator[Report]:
        at, text = time_of(entry), str(block.get("text") or "")
        if block.get("type") == "text" and text.strip():
            told = entry.get("message")
            message = told if isinstance(told, dict) else {}
            if message.get("model") == SYNTHETIC and text.strip() == UNSAID:
                return
            name, before = str(message.get("id") or ""), self.said
            # Written down while it was being said: the later line has all of it.
            grown = before and name and before.message == name and text.startswith(before.text)
            if not grown:
                yield from self._flush()
            failed = entry.get("isApiErrorMessage") is True
            self.said = Said(at, f"{uuid_of(entry)}.{number}", fitting(text), name, failed)
        elif block.get("type") == "tool_use" and block.get("id"):
            yield from self._flush()
            self.tools[str(block["id"])] = str(block.get("name") or "")
            hook = self.hook(
                "PreToolUse", tool_name=block.get("name"), tool_use_id=block["id"],
                tool_input=fitting(block.get("input")),
            )  # fmt: skip
            yield Report(at, plain(str(block["id"])), hook)

    def _flush(self) -> Iterator[Report]:
        """Something followed what was said, so that was not the last."""
        said, self.said = self.said, None
        if said is not None:
            hook = self.hook("AssistantMessage", last_assistant_message=said.text)
            yield Report(said.at, said.delivery, hook)

    def _result(self, entry: dict[str, Any], block: dict[str, Any], *, alone: bool) -> Report:
        name = str(block.get("tool_use_id") or uuid_of(entry))
        answer = entry.get("toolUseResult") if alone else None
        answer = fitting(block.get("content") if answer is None else answer)
        told: dict[str, Any] = {"tool_name": self.tools.get(name, ""), "tool_use_id": name}
        if block.get("is_error"):
            hook = self.hook("PostToolUseFailure", **told, error=answer)
        else:
            hook = self.hook("PostToolUse", **told, tool_response=answer)
        return Report(time_of(entry), plain(name), hook)


def hook_of(session_id: str, cwd: str, name: str, **fields: Any) -> dict[str, Any]:
    return {"hook_event_name": name, "session_id": session_id, "cwd": cwd, **fields}
