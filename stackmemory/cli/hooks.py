"""Which of Claude Code's settings report to a server, and what is wrong with them."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SCRIPT = "stackmemory-hook"
ADDRESS = "/api/v1/hooks/claude-code"
EVENTS = (
    "SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse", "PostToolUseFailure",
    "SubagentStart", "SubagentStop", "PreCompact", "Stop", "StopFailure", "SessionEnd",
)  # fmt: skip


@dataclass
class Settings:
    """One settings file. `events` are those whose hooks report to a server."""

    path: Path
    wrong: str = ""
    disabled: bool = False
    events: set[str] = field(default_factory=set)
    urls: set[str] = field(default_factory=set)
    scripts: set[str] = field(default_factory=set)

    @property
    def reports(self) -> bool:
        return bool(self.events)


def claude_folder() -> Path:
    given = os.environ.get("CLAUDE_CONFIG_DIR")
    return Path(given) if given else Path(os.path.expanduser("~")) / ".claude"


def settings_files(repository: Path | None) -> list[Path]:
    places = [claude_folder() / "settings.json"]
    if repository is not None:
        folder = repository / ".claude"
        places += [folder / "settings.json", folder / "settings.local.json"]
    return [place for place in dict.fromkeys(places) if place.is_file()]


def read(path: Path) -> Settings:
    found = Settings(path)
    try:
        data = json.loads(path.read_text(encoding="utf-8") or "{}")
    except (OSError, ValueError) as problem:
        found.wrong = str(problem)
        return found
    if not isinstance(data, dict):
        found.wrong = "it holds no object"
        return found
    found.disabled = data.get("disableAllHooks") is True
    hooks = data.get("hooks")
    for event, matchers in hooks.items() if isinstance(hooks, dict) else ():
        for hook in _handlers(matchers):
            _look_at(found, str(event), hook)
    return found


def _handlers(matchers: Any) -> list[dict[str, Any]]:
    found = []
    for matcher in matchers if isinstance(matchers, list) else ():
        inner = matcher.get("hooks") if isinstance(matcher, dict) else None
        found += (
            [hook for hook in inner if isinstance(hook, dict)] if isinstance(inner, list) else []
        )
    return found


def _look_at(found: Settings, event: str, hook: dict[str, Any]) -> None:
    url, command = str(hook.get("url") or ""), str(hook.get("command") or "")
    if ADDRESS in url:
        found.events.add(event)
        found.urls.add(url.split(ADDRESS)[0])
    elif ADDRESS in command:  # curl, where a client takes no HTTP hook
        found.events.add(event)
        found.urls |= {m[1] for m in re.finditer(rf"(https?://[^\s\"']+?){ADDRESS}", command)}
    elif SCRIPT in command:
        found.events.add(event)
        found.scripts |= set(re.findall(r"[^\s\"']*stackmemory-hook[^\s\"']*\.py", command))
