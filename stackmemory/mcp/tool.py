"""How a function becomes a tool: what it is given, what it may ask, how it is refused."""

from __future__ import annotations

import inspect
import json
import logging
import re
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any, TypeVar, get_type_hints

import msgspec
from django.db import OperationalError
from django.http import HttpRequest
from django_mcpz.schemas import type_schema
from django_mcpz.server import ToolError

from frames.incoming import plain
from stackmemory.lib.refusal import Refusal
from stackmemory.mcp.call import Call
from stackmemory.mcp.server import reading, server, told
from workspaces import limits

logger = logging.getLogger(__name__)
# How the tools of the local StackMemory call the same things.
ALIASES = {
    "frameId": "frame",
    "taskId": "task",
    "newStatus": "status",
    "maxEvents": "max_events",
    "dependsOn": "depends_on",
    "estimatedEffort": "estimated_minutes",
    "tokenBudget": "budget",
    "asOf": "as_of",
}
PATH = re.compile(r"(?P<what>.*?)(?: - at `\$\.?(?P<path>.*)`)?", re.DOTALL)
QUOTED = re.compile(r"(?:required field|unknown field) `(\w+)`")


class Given(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Arguments of a tool; the type is the input schema."""


GivenT = TypeVar("GivenT", bound=Given)
# What a tool answers: for programs, and in a few words for whoever reads.
Answer = tuple[msgspec.Struct, str]


def tool(
    *, title: str, read: bool = False, idempotent: bool = False, records: bool = False
) -> Callable[[Callable[[Call, GivenT], Answer]], Callable[[Call, GivenT], Answer]]:
    """Register `function(call, given) -> (result, words)`; its docstring is the description.

    The annotation of `given` is the input schema, that of the result the output schema. A key sees
    the tool if it may read, or write; one that reads may still note that it did (`records`). Nothing
    a tool does here destroys anything.
    """

    def register(
        function: Callable[[Call, GivenT], Answer],
    ) -> Callable[[Call, GivenT], Answer]:
        hints = get_type_hints(function, include_extras=True)
        given_type, result_type = hints["given"], hints["return"].__args__[0]
        needs = "read" if read else "write"
        if read and not records:
            reading.add(function.__name__)

        def run(request: HttpRequest, arguments: dict[str, Any]) -> msgspec.Struct:
            try:
                call, given = Call(request), accept(given_type, arguments)
                if not read:
                    limits.check_room(call.actor.workspace)
                result, words = function(call, given)
            except Refusal as refusal:
                raise ToolError(json.dumps(told(refusal), ensure_ascii=False)) from None
            except Exception as problem:
                logger.exception("The tool %s failed", function.__name__)
                raise ToolError(json.dumps(told(_unforeseen(problem)))) from None
            request.mcp_words = words  # type: ignore[attr-defined]
            return result

        server.tool(
            name=function.__name__,
            title=title,
            description=_flowing(inspect.getdoc(function) or ""),
            input_schema=schema_of(given_type),
            output_schema=schema_of(result_type),
            read_only=read,
            destructive=False,
            idempotent=read or idempotent,
            open_world=False,
            permission=lambda request: needs in request.actor.permissions,  # type: ignore[attr-defined]
        )(run)
        return function

    return register


def _unforeseen(problem: Exception) -> Refusal:
    """What is said of a failure of ours. The library takes back what the call had done."""
    if isinstance(problem, OperationalError):
        return Refusal("busy", "The database is busy; nothing was changed. Call again.")
    return Refusal("internal", "This failed here, not through you; nothing was changed.")


def schema_of(type_: type[msgspec.Struct]) -> dict[str, Any]:
    """The JSON Schema of a type, without what only lengthens it for a model: names of our classes
    and defaults that are nothing."""
    schema: dict[str, Any] = _trimmed(type_schema(type_))
    return schema


def _trimmed(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_trimmed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    named = isinstance(schema.get("title"), str) and "properties" in schema
    return {
        key: _trimmed(value)
        for key, value in schema.items()
        if not (key == "title" and named) and not (key == "default" and value in ("", [], {}, None))
    }


def _flowing(text: str) -> str:
    """Paragraphs without the line ends of source code."""
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


def accept(given_type: type[GivenT], arguments: dict[str, Any]) -> GivenT:
    """The arguments as their type, read as models write them. Raises Refusal.

    null is the same as nothing; lists, objects and numbers may come inside a string.
    """
    named = {ALIASES.get(name, name): value for name, value in arguments.items()}
    properties = _properties(given_type)
    values = {
        name: _as_meant(value, properties.get(name, {}).get("type"))
        for name, value in named.items()
        if value is not None
    }
    try:
        return msgspec.convert(values, given_type, strict=False)
    except msgspec.ValidationError as error:
        raise _mendable(str(error), values, properties) from None


@cache
def _properties(given_type: type[Given]) -> dict[str, Any]:
    properties: dict[str, Any] = type_schema(given_type)["properties"]
    return properties


def _as_meant(value: Any, wanted: str | None) -> Any:
    if isinstance(value, list):
        return [plain(item) if isinstance(item, str) else item for item in value]
    if not isinstance(value, str):
        return value
    if wanted in ("array", "object"):
        with suppress(ValueError, RecursionError):
            return msgspec.json.decode(value)
    return plain(value)


def _mendable(text: str, values: dict[str, Any], properties: dict[str, Any]) -> Refusal:
    """What is wrong with the arguments, where, and what would be accepted there."""
    match = PATH.fullmatch(text)
    what, path = (match["what"], match["path"] or "") if match else (text, "")
    if quoted := QUOTED.search(what):
        path = ".".join(filter(None, (path, quoted[1])))
    refusal = Refusal("invalid", f"{what}.", field=path or None)
    if quoted and "unknown" in what and path in values:
        refusal.choices = sorted(properties)
    elif "enum" in (wanted := properties.get(path, {})):
        refusal.choices = wanted["enum"]
    return refusal
