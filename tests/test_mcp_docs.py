"""docs/mcp.md says what the server says. `UPDATE_DOCS=1 pytest tests/test_mcp_docs.py` writes it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django_mcpz.legacy import LEGACY_PROTOCOL_VERSIONS
from django_mcpz.server import PROTOCOL_VERSION

from stackmemory.mcp.call import LONGEST_SESSION
from stackmemory.mcp.event_tools import MOST
from stackmemory.mcp.tool import ALIASES
from workspaces import api_keys

PAGE = Path(__file__).parent.parent / "docs" / "mcp.md"
BEGIN, END = "<!-- tools: made from the code -->", "<!-- end of tools -->"


@pytest.fixture
def tools(acme, bob) -> list[dict[str, Any]]:
    """The tools as a key that may write is told of them."""
    _, key = api_keys.create(workspace=acme, name="k", scopes=["read", "write"], actor=bob)
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    headers = {"Authorization": f"Bearer {key}"}
    answer = Client().post("/mcp", message, content_type="application/json", headers=headers)
    return answer.json()["result"]["tools"]


def test_every_tool_with_every_argument(tools):
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    # By name: the order of the list follows the order in which modules were imported.
    by_name = sorted(tools, key=lambda tool: tool["name"])
    sections = "\n\n".join(section(tool) for tool in by_name)
    made = f"{before}{BEGIN}\n\n{sections}\n\n{END}{after}"
    if os.environ.get("UPDATE_DOCS"):
        PAGE.write_text(made, encoding="utf-8")
        page = made
    assert page == made, "run it with UPDATE_DOCS=1"


def test_the_prose_names_what_there_is(tools):
    page = PAGE.read_text(encoding="utf-8")
    prose = page.split(BEGIN)[0] + page.split(END)[1]
    for version in (PROTOCOL_VERSION, *LEGACY_PROTOCOL_VERSIONS):
        assert version in prose
    for theirs, ours in ALIASES.items():
        assert f"`{theirs}` (`{ours}`)" in prose
    assert f"{MOST} events" in prose
    assert f"{LONGEST_SESSION} characters" in prose
    names = {tool["name"] for tool in tools}
    assert set(re.findall(r"`([a-z]+_[a-z_]+)`", prose)) <= names | {
        "no_open_frame", "project_needed", "not_found", "source_id", "quota_exceeded",
        "rate_limited", "max_chars",
    } | set(ALIASES.values())  # fmt: skip


def section(tool: dict[str, Any]) -> str:
    hints = tool["annotations"]
    kind = "reads" if hints["readOnlyHint"] else "writes"
    if hints["idempotentHint"] and not hints["readOnlyHint"]:
        kind += "; again, it changes nothing"
    parts = [f"### {tool['name']}", f"*{tool['title']} ({kind})*", tool["description"]]
    if rows := list(_rows(tool["inputSchema"])):
        parts.append("\n".join(["| Argument | Type | |", "|---|---|---|", *rows]))
    answer = ", ".join(f"`{name}`" for name in tool["outputSchema"]["properties"])
    return "\n\n".join([*parts, f"Answers {answer}."])


def _rows(schema: dict[str, Any], prefix: str = "", defs: Any = None) -> Iterator[str]:
    defs = defs or schema.get("$defs", {})
    for name, given in schema["properties"].items():
        words = [given.get("description") or _of_union(given, "description")]
        if given.get("default") not in (None, False):
            words.append(f"Default: {given['default']}.")
        words.append(_limits(given))
        required = " *" if name in schema.get("required", []) else ""
        said = " ".join(filter(None, words)).replace("|", "\\|")
        yield f"| `{prefix}{name}`{required} | {_type(given)} | {said} |"
        if inner := given.get("items", {}).get("$ref"):
            yield from _rows(defs[inner.rsplit("/", 1)[1]], f"{prefix}{name}[].", defs)


def _type(given: dict[str, Any]) -> str:
    if "enum" in given:
        return ", ".join(f"`{value}`" for value in given["enum"])
    if "anyOf" in given:
        return next(_type(one) for one in given["anyOf"] if one.get("type") != "null")
    if given.get("type") == "array":
        inner = given.get("items", {})
        return "list of objects" if "$ref" in inner else f"list of {_type(inner)}s"
    return str(given.get("type", "any"))


def _of_union(given: dict[str, Any], key: str) -> str:
    return next((one[key] for one in given.get("anyOf", []) if key in one), "")


def _limits(given: dict[str, Any]) -> str:
    if "minimum" in given:
        return f"{given['minimum']} to {given['maximum']:,}."
    if given.get("type") == "string" and given.get("maxLength", 0) > 254:
        return f"At most {given['maxLength']:,} characters."
    return f"At most {given['maxItems']}." if "maxItems" in given else ""
