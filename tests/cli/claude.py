"""Transcripts as Claude Code writes them, newer and older ones."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

BEGAN = datetime(2026, 2, 3, 10, 0, tzinfo=UTC)


class Transcript:
    """One file of lines. Time moves a second with each."""

    def __init__(self, path: Path, session: str, cwd: str, began: datetime = BEGAN) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self.session, self.cwd, self.at = path, session, cwd, began
        self.last, self.number = None, 0
        self.common: dict[str, Any] = {"isSidechain": False}
        self.prompt = ""

    def raw(self, text: str) -> None:
        with self.path.open("a") as file:
            file.write(text + "\n")

    def line(self, kind: str, **fields: Any) -> str:
        self.number += 1
        self.at += timedelta(seconds=1)
        uuid = f"{self.path.stem[:12]}-{self.number}"
        told = {
            "parentUuid": self.last, "userType": "external", "cwd": self.cwd,
            "sessionId": self.session, "version": "2.1.220", "gitBranch": "fix/till",
            "type": kind, "uuid": uuid,
            "timestamp": self.at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }  # fmt: skip
        self.raw(json.dumps(told | self.common | fields))
        self.last = uuid
        return uuid

    def asks(self, text: Any, prompt: str = "", **fields: Any) -> None:
        self.prompt = prompt
        self._user(text, **fields)

    def _user(self, content: Any, **fields: Any) -> None:
        told = {"promptId": self.prompt} if self.prompt else {}
        self.line("user", message={"role": "user", "content": content}, **told, **fields)

    def says(self, text: str) -> None:
        self._assistant({"type": "thinking", "thinking": "hm"})
        self._assistant({"type": "text", "text": text})

    def calls(self, id_: str, tool: str, answer: Any, *, error: bool = False, **given: Any) -> None:
        self._assistant({"type": "tool_use", "id": id_, "name": tool, "input": given})
        block = {"type": "tool_result", "tool_use_id": id_, "content": "as text"}
        result = {} if error else {"toolUseResult": answer}
        self._user([block | ({"is_error": True, "content": answer} if error else {})], **result)

    def _assistant(
        self, block: dict[str, Any], *, id: str = "", model: str = "claude", **fields: Any
    ) -> None:
        said = {"id": id, "model": model, "role": "assistant", "content": [block]}
        self.line("assistant", message=said, **fields)


def newer(projects: Path, cwd: str) -> Transcript:
    """Three prompts, one with a subagent, one interrupted, one by a command; noise between."""
    main = Transcript(projects / "-home-dev-shop" / "s-new.jsonl", "s-new", cwd)
    main.raw(json.dumps({"type": "file-history-snapshot", "snapshot": {}}))
    main.asks("Fix the till", "p1")
    main.says("Let me look.")
    main.calls("toolu_1", "Bash", {"stdout": "2 failed"}, command="pytest")
    side = Transcript(
        main.path.with_suffix("") / "subagents" / "agent-a1.jsonl", "s-new", cwd,
        main.at + timedelta(milliseconds=1500),
    )  # fmt: skip
    side.common = {"isSidechain": True, "agentId": "a1"}
    side.asks("Look everywhere")
    side.calls("toolu_a", "Grep", {"numFiles": 2}, pattern="till")
    side.says("It rounds twice.")
    main.at = side.at
    main.calls(
        "toolu_2", "Agent", {"status": "completed", "agentId": "a1"},
        subagent_type="Explore", description="Look for rounding", prompt="Look everywhere",
    )  # fmt: skip
    main.calls("toolu_3", "Edit", "Permission denied", error=True, file_path="till.py")
    main.line("system", subtype="compact_boundary", compactMetadata={"trigger": "manual"})
    main.says("It rounds once now.")
    main.asks("<command-name>/model</command-name><command-args>opus</command-args>", "p-local")
    main.asks("<local-command-stdout>Set model</local-command-stdout>", "p-local")
    main.asks([{"type": "text", "text": "And the receipts?"}], "p2")
    main.calls("toolu_4", "Read", {"file": {}}, file_path="receipt.py")
    main.asks([{"type": "text", "text": "[Request interrupted by user]"}], "p2")
    main.asks("<command-name>/review</command-name>\n<command-args>till.py</command-args>", "p3")
    main.asks("Review the file …", "p3", isMeta=True)
    main.says("Fine.")
    main.raw('{"type":"ai-title","aiTitle":"Rounding in the till","sessionId":"s-new"}')
    main.raw('{"type":"user","cut off')
    return main


def older(projects: Path, cwd: str) -> Transcript:
    """Without ids of prompts, its subagent's lines among the others; the same prompt twice."""
    main = Transcript(
        projects / "-home-dev-shop" / "s-old.jsonl", "s-old", cwd, BEGAN - timedelta(days=40)
    )
    main.asks("continue")
    main.calls("toolu_o1", "Bash", {"stdout": ""}, command="ls")
    main._assistant(
        {"type": "tool_use", "id": "toolu_o2", "name": "Task",
         "input": {"description": "Count", "prompt": "Count them", "subagent_type": "general"}}
    )  # fmt: skip
    before, main.common, main.last = main.last, {"isSidechain": True}, None
    main._user("Count them")
    main.calls("toolu_o3", "Glob", {"numFiles": 3}, pattern="*")
    main.says("Three.")
    main.common, main.last = {"isSidechain": False}, before
    block = {"type": "tool_result", "tool_use_id": "toolu_o2", "content": "Three."}
    main._user([block], toolUseResult={"content": []})
    main.says("Done.")
    main.asks("continue")
    main.says("Done again.")
    main.raw('{"type":"summary","summary":"Counting","leafUuid":"x"}')
    return main
