"""/mcp and /mcp/<project>: the server as an ordinary view."""

from __future__ import annotations

from http import HTTPStatus
from uuid import uuid4

import msgspec
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django_mcpz.jsonrpc import PARSE_ERROR, error_response

from frames.incoming import plain
from stackmemory.mcp import (
    anchor_tools,
    context_tools,
    event_tools,
    frame_tools,
    reading_tools,
    search_tools,
    task_tools,
)
from stackmemory.mcp.server import server

# Importing them has registered their tools.
TOOLS = (
    frame_tools, event_tools, anchor_tools, reading_tools, task_tools, search_tools, context_tools,
)  # fmt: skip


class _Client(msgspec.Struct):
    name: str = ""


class _Hello(msgspec.Struct):
    client: _Client = msgspec.field(name="clientInfo", default_factory=_Client)


class _Message(msgspec.Struct):
    method: str = ""
    params: _Hello = msgspec.field(default_factory=_Hello)


@csrf_exempt
@login_not_required
def endpoint(request: HttpRequest, project: str = "") -> HttpResponse:
    request.mcp_project_slug = project  # type: ignore[attr-defined]
    try:
        response = server(request)
    except (UnicodeDecodeError, RecursionError):  # of the parser; those of tools are in-band
        return error_response(None, PARSE_ERROR, "Invalid JSON", status=HTTPStatus.BAD_REQUEST)
    if words := getattr(request, "mcp_words", ""):
        _say(response, words)
    elif response.status_code == HTTPStatus.OK:
        _greet(request, response)
    return response


def _say(response: HttpResponse, words: str) -> None:
    """Give the words as the text of a result.

    The library puts the result's JSON there a second time; a model reads it in half the room.
    """
    message = msgspec.json.decode(response.content, type=dict[str, msgspec.Raw])
    result = msgspec.json.decode(message["result"], type=dict[str, msgspec.Raw])
    result["content"] = msgspec.Raw(msgspec.json.encode([{"type": "text", "text": words}]))
    message["result"] = msgspec.Raw(msgspec.json.encode(result))
    response.content = msgspec.json.encode(message)


def _greet(request: HttpRequest, response: HttpResponse) -> None:
    """Give a client that says hello an id for its connection, which it sends from then on.

    Nothing is kept of it here: it tells its runs apart and carries the client's name.
    """
    try:
        message = msgspec.json.decode(request.body, type=_Message)
    except msgspec.MsgspecError:
        return
    if message.method == "initialize":
        name = "".join(
            c for c in plain(message.params.client.name) if c.isascii() and c.isprintable()
        )
        response["Mcp-Session-Id"] = f"{name.replace(' ', '-')[:60]}.{uuid4()}"
