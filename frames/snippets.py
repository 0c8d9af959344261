"""What to paste so that an agent client reports to this server and uses its tools."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import Any

NAME = "stackmemory"
HOOK_PATH = "/api/v1/hooks/claude-code"
SCRIPT_PATH = "/connect/stackmemory-hook.py"
# Over HTTP all but SessionStart, which some versions only give to commands.
HTTP_EVENTS = (
    "UserPromptSubmit", "PreToolUse", "PostToolUse", "PostToolUseFailure", "SubagentStart",
    "SubagentStop", "PreCompact", "Stop", "StopFailure", "SessionEnd",
)  # fmt: skip
BLANK_KEY = "YOUR_KEY"


@dataclass(frozen=True)
class Snippet:
    """`where` says what to do with the text; `kind` is shell, json or toml; `instead` marks
    what is for those who do not want the first.
    """

    id: str
    title: str
    where: str
    text: str
    kind: str = "shell"
    note: str = ""
    instead: bool = False


@dataclass(frozen=True)
class Client:
    slug: str
    name: str
    # Whether its hooks report everything it does, or its tools what it chooses to.
    captures: bool = False


CLIENTS = (
    Client("claude-code", "Claude Code", captures=True),
    Client("cursor", "Cursor"),
    Client("vscode", "VS Code"),
    Client("codex", "Codex"),
    Client("other", "Other"),
)


def snippets(client: str, *, url: str, key: str) -> list[Snippet]:
    """The ways for this client, the one to take first."""
    mcp = url + "/mcp"
    match client:
        case "claude-code":
            return [_claude_command(url, key), _claude_settings(url, key), _claude_tools(mcp, key)]
        case "cursor":
            text = _json({"mcpServers": {NAME: _server(mcp, key)}})
            where = "Put this into ~/.cursor/mcp.json, or into .cursor/mcp.json of one repository."
            return [Snippet("cursor", "Memory tools", where, text, "json", _PRIVATE)]
        case "vscode":
            text = _json({"servers": {NAME: {"type": "http", **_server(mcp, key)}}})
            where = "Put this into .vscode/mcp.json of a repository; or run “MCP: Open User Configuration” and put it there."
            return [Snippet("vscode", "Memory tools", where, text, "json", _PRIVATE)]
        case "codex":
            text = (
                f'[mcp_servers.{NAME}]\nurl = "{mcp}"\n'
                f'http_headers = {{ "Authorization" = "Bearer {key}" }}\n'
            )
            where = "Add this to ~/.codex/config.toml."
            return [Snippet("codex", "Memory tools", where, text, "toml")]
    return [_any_tools(mcp, key), _any_rest(url, key)]


_PRIVATE = "The key is in this file: do not commit it."


def claude_settings(url: str, key: str) -> dict[str, Any]:
    """Hooks that report over HTTP, with nothing to install."""
    report = {
        "type": "http",
        "url": url + HOOK_PATH,
        "headers": {"Authorization": f"Bearer {key}"},
        "timeout": 5,
    }
    start = {"type": "command", "command": _curl(url, key), "timeout": 10}
    hooks = {event: [{"hooks": [report]}] for event in HTTP_EVENTS}
    return {"hooks": {"SessionStart": [{"hooks": [start]}], **hooks}}


def _claude_command(url: str, key: str) -> Snippet:
    file = "~/.claude/stackmemory-hook.py"
    lines = (
        f"mkdir -p ~/.claude && curl -fsSo {file} {shlex.quote(url + SCRIPT_PATH)} &&",
        f"  python3 {file} install --url {shlex.quote(url)} --key {key} &&",
        "  " + _claude_mcp(url + "/mcp", key),
    )
    return Snippet(
        "command", "One command",
        "Run this in a terminal, then start Claude Code anew.",
        " \\\n".join(line.removesuffix(" &&") + (" &&" if line.endswith("&&") else "") for line in lines),
        note="Adds hooks to ~/.claude/settings.json, leaving the rest of it alone, and the memory’s tools."
        " What happens while this server cannot be reached is sent later.",
    )  # fmt: skip


def _claude_settings(url: str, key: str) -> Snippet:
    return Snippet(
        "settings", "Hooks over HTTP",
        "Merge this into ~/.claude/settings.json.", _json(claude_settings(url, key)), "json",
        "While this server cannot be reached, what happens is not kept.", instead=True,
    )  # fmt: skip


def _claude_tools(mcp: str, key: str) -> Snippet:
    return Snippet(
        "tools", "The memory’s tools",
        "Hooks report; with these the agent can look things up and note them.",
        _claude_mcp(mcp, key), instead=True,
    )  # fmt: skip


def _claude_mcp(mcp: str, key: str) -> str:
    header = f"Authorization: Bearer {key}"
    return f'claude mcp add --scope user --transport http {NAME} {shlex.quote(mcp)} --header "{header}"'


def _curl(url: str, key: str) -> str:
    return (
        f'curl -sS -m 8 -H "Authorization: Bearer {key}" -H "Content-Type: application/json"'
        f" --data-binary @- {shlex.quote(url + HOOK_PATH)} || true"
    )


def _any_tools(mcp: str, key: str) -> Snippet:
    text = _json({"mcpServers": {NAME: {"type": "http", **_server(mcp, key)}}})
    where = "Most clients that speak MCP over HTTP take this form."
    return Snippet("mcp", "MCP", where, text, "json", _PRIVATE)


def _any_rest(url: str, key: str) -> Snippet:
    text = f'curl -sS -H "Authorization: Bearer {key}" {shlex.quote(url + "/api/v1/me")}\n'
    where = "Everything else can use the REST API; this asks who you are."
    return Snippet("rest", "REST", where, text, note=f"Its reference is at {url}/api/v1/docs.")


def _server(mcp: str, key: str) -> dict[str, Any]:
    return {"url": mcp, "headers": {"Authorization": f"Bearer {key}"}}


def _json(value: Any) -> str:
    return json.dumps(value, indent=2) + "\n"
