"""The API's reference in a form that a page and docs/api.md can be written from."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

ROOT = "/api/v1"
# What fields of these names hold in examples; others show what they hold where it is left out.
SAMPLES: dict[str, Any] = {
    "name": "Fix the till",
    "title": "Look into the slow query",
    "text": "Amounts are integers in cents",
    "type": "note",
    "frame": "01a20113-91e4-7b36-922f-7c9b0a337914",
    "source_id": "run-42/7",
    "payload": {"text": "The till rounds twice"},
    "status": "in_progress",
    "on": "01a20113-91e4-7b36-922f-7c9b0a337914",
    "role": "member",
    "to": "sam@example.com",
    "email": "sam@example.com",
    "scopes": ["read", "write"],
    "q": "how do we round amounts?",
    "hook_event_name": "UserPromptSubmit",
    "session_id": "3f1c",
    "result": "It rounds once, at the end",
    "message": "The tests are red since Tuesday",
    "pinned": True,
    "query": "rounding +type:decision",
    "reports": [
        {
            "at": "2026-01-31T12:00:00Z",
            "delivery": "5107aed3-a999-4b03-9fce-8df4972449b1",
            "hook": {"hook_event_name": "UserPromptSubmit", "session_id": "3f1c", "prompt": "Hi"},
        }
    ],
    "confirm": "erase",
    "store": "shop/.stackmemory",
    "size": 48_213,
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
}
# Shown in examples though they may be left out: what one would usually give.
SHOWN = ("source_id", "payload")


@dataclass
class Row:
    """A parameter or a field."""

    name: str
    type: str
    words: str = ""
    required: bool = False
    where: str = "body"


@dataclass
class Entry:
    """An operation."""

    id: str
    method: str
    path: str
    summary: str
    words: str
    permission: str
    parameters: list[Row] = field(default_factory=list)
    body: list[Row] = field(default_factory=list)
    example: str = ""
    answers: list[tuple[str, str, list[Row]]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    # The body is bytes as they are, not JSON.
    raw: bool = False

    @property
    def command(self) -> str:
        """The operation on a command line."""
        path = self.path.replace("{", "$").replace("}", "")
        lines = [f'curl "$STACKMEMORY_URL{path}" -H "Authorization: Bearer $STACKMEMORY_KEY"']
        if self.method != "GET":
            lines[0] = lines[0].replace("curl ", f"curl -X {self.method} ", 1)
        if self.example:
            one_line = json.dumps(json.loads(self.example), ensure_ascii=False)
            lines += ["-H 'Content-Type: application/json'", f"-d '{one_line}'"]
        if self.raw:
            lines += ["-H 'Content-Type: application/octet-stream'", "--data-binary @piece"]
        return " \\\n  ".join(lines)


def entries(schema: dict[str, Any]) -> dict[str, list[Entry]]:
    """Every operation, by what it is about, in the order they were declared."""
    found: dict[str, list[Entry]] = {}
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            found.setdefault(operation["tags"][0], []).append(
                _entry(schema, path, method.upper(), operation)
            )
    return found


def _entry(schema: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> Entry:
    entry = Entry(
        id=operation["operationId"],
        method=method,
        path=path,
        summary=operation["summary"],
        words=" ".join(operation.get("description", "").split()),
        permission=operation["x-permission"],
        parameters=[
            Row(p["name"], _type(schema, p["schema"]), p.get("description", ""), p["required"],
                p["in"])
            for p in operation["parameters"]
        ],
    )  # fmt: skip
    if "requestBody" in operation and "application/json" not in operation["requestBody"]["content"]:
        entry.words += f" The body is {operation['requestBody']['description']}"
        entry.raw = True
    elif "requestBody" in operation:
        body = operation["requestBody"]["content"]["application/json"]["schema"]
        entry.body = rows(schema, body)
        entry.example = json.dumps(example(schema, body), indent=2, ensure_ascii=False)
    for code, answer in operation["responses"].items():
        if int(code) >= 400:
            entry.errors.append(str(code))
            continue
        content = answer.get("content", {}).get("application/json", {}).get("schema", {})
        told = (str(code), answer["description"], rows(schema, content))
        if entry.answers and entry.answers[-1][2] == told[2]:
            code_before, words, same = entry.answers.pop()
            told = (f"{code_before} or {told[0]}", f"{words} or {told[1]}", same)
        entry.answers.append(told)
    return entry


def rows(schema: dict[str, Any], of: dict[str, Any], prefix: str = "", deep: int = 2) -> list[Row]:
    """The fields of an object, those of objects in it after it, as `items[].name`."""
    of, found = _resolved(schema, of), []
    required = of.get("required", ())
    for name, inner in of.get("properties", {}).items():
        kind, words = _type(schema, inner), _words(schema, inner)
        if name not in required:  # leaving it out says the same
            kind = kind.removesuffix(" or null")
        found.append(Row(prefix + name, kind, words, name in required))
        below = _resolved(schema, inner)
        if deep and below.get("type") == "array":
            found += rows(schema, below["items"], f"{prefix}{name}[].", deep - 1)
        elif deep:
            found += rows(schema, below, f"{prefix}{name}.", deep - 1)
    return found


def example(schema: dict[str, Any], of: dict[str, Any]) -> Any:
    """The least that may be sent, and what one would usually add."""
    of = _resolved(schema, of)
    if of.get("type") == "array":
        return [example(schema, of["items"])]
    if "enum" in of:
        return of["enum"][0]
    if "properties" not in of:
        return {}
    wanted = [*of.get("required", ()), *(name for name in SHOWN if name in of["properties"])]
    if not wanted:
        wanted = [name for name in of["properties"] if name in SAMPLES] or list(of["properties"])[
            :1
        ]
    return {
        name: SAMPLES[name] if name in SAMPLES else example(schema, of["properties"][name])
        for name in dict.fromkeys(wanted)
    }


def _words(schema: dict[str, Any], of: dict[str, Any]) -> str:
    words: str = of.get("description", "")
    if not words:
        inner = [*of.get("anyOf", ()), *of.get("allOf", ())]
        words = next((part["description"] for part in inner if "description" in part), "")
    return words


def _type(schema: dict[str, Any], of: dict[str, Any]) -> str:
    """What it may hold, in a few words."""
    if "anyOf" in of:
        return " or ".join(dict.fromkeys(_type(schema, part) for part in of["anyOf"]))
    of = _resolved(schema, of)
    if "enum" in of:
        return " | ".join(json.dumps(value) for value in of["enum"])
    if "const" in of:
        return json.dumps(of["const"])
    kind = of.get("type", "any")
    if kind == "array":
        inner = _type(schema, of.get("items", {}))
        return f"list of {inner}" if inner != "any" else "list"
    return {"date-time": "time", "uuid": "UUID"}.get(of.get("format", ""), kind)


def _resolved(schema: dict[str, Any], of: dict[str, Any]) -> dict[str, Any]:
    for part in (of, *of.get("allOf", ()), *of.get("anyOf", ())):
        if "$ref" in part:
            return schema["components"]["schemas"][part["$ref"].rsplit("/", 1)[-1]]
    return of
