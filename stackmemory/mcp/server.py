"""The server object: what it says of itself, and whom it lets in."""

from __future__ import annotations

import json
import re
from contextlib import ExitStack, suppress
from http import HTTPStatus

import msgspec
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django_mcpz.jsonrpc import INVALID_REQUEST, error_response
from django_mcpz.server import MCPServer

from frames.appending import MOST_BYTES
from frames.reach import find_project
from stackmemory.credentials import admit
from stackmemory.lib.bodies import read_body
from stackmemory.lib.refusal import Refusal
from stackmemory.lib.replica import reading_scope, who_asks
from stackmemory.lib.tenancy import workspace_scope
from stackmemory.mcp.choices import projects_to_choose
from stackmemory.read_only import ReadOnly

INSTRUCTIONS = """\
StackMemory is the memory this team's people and agents share: work is a call stack of frames, each
with a timeline of events, and anchors are what must not be forgotten.

- Starting something: get_context (what you should know, within a budget), get_hot_stack (what is
  open here, and what a run that broke off left open), then start_frame. A part of it: start_frame again, it goes on top. Done: close_frame with what
  came of it.
- What must outlast the work: add_decision and add_anchor, when it happens, in one sentence each.
- Was it done or decided before? search, then fetch. Finding your way: list_frames, then get_frame,
  then get_timeline.
- `session` is any id of your run that stays the same; give it in every call if your client tells
  you one. Without it your client's connection counts as the run.
- A refused call says why, in which field, and what would be accepted.
"""
HALF_CHARACTER = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}|\\u[dD][c-fC-F][0-9a-fA-F]{2}")


# Names of the tools that only read.
reading: set[str] = set()


class _Params(msgspec.Struct):
    name: str = ""


class _Message(msgspec.Struct):
    method: str = ""
    params: _Params = msgspec.field(default_factory=_Params)


def allow(request: HttpRequest) -> HttpResponse | None:
    """Let the key in; whatever follows runs in its workspace. Or the answer that says why not."""
    try:
        actor = admit(request)
        actor.require("read")
        read_body(request, MOST_BYTES)
        _mend(request)
        if settings.READ_ONLY and not _only_reads(request):
            raise ReadOnly
        scope: ExitStack = request.scope_stack  # type: ignore[attr-defined]
        request.only_reads = _only_reads(request)  # type: ignore[attr-defined]
        if request.only_reads:  # type: ignore[attr-defined]
            scope.enter_context(reading_scope(actor.workspace.pk, who_asks(request)))
        else:
            scope.enter_context(workspace_scope(actor.workspace.pk))
        named: str = request.mcp_project_slug  # type: ignore[attr-defined]
        project = find_project(actor, named) if named else None
    except Refusal as refusal:
        if refusal.field == "project":
            refusal.choices = projects_to_choose(actor)
        return refused(request, refusal)
    request.actor = actor  # type: ignore[attr-defined]
    request.mcp_project = project  # type: ignore[attr-defined]
    return None


def refused(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    """Clients show the message of a JSON-RPC error to their user; of another body, they do not."""
    status = HTTPStatus(refusal.status)
    data = told(refusal)["error"]
    response = error_response(None, INVALID_REQUEST, refusal.message, data=data, status=status)
    if refusal.status == 401:
        problem = ', error="invalid_token"' if "Authorization" in request.headers else ""
        response["WWW-Authenticate"] = f'Bearer realm="StackMemory"{problem}'
    if after := getattr(refusal, "retry_after", 0):
        response["Retry-After"] = str(after)
    return response


def told(refusal: Refusal) -> dict[str, dict[str, object]]:
    """The one shape of an error."""
    error: dict[str, object] = {"code": refusal.code, "message": refusal.message}
    if refusal.field:
        error["field"] = refusal.field
    if refusal.choices:
        error["choices"] = list(refusal.choices)
    return {"error": error}


def _only_reads(request: HttpRequest) -> bool:
    try:
        message = msgspec.json.decode(request.body, type=_Message)
    except (ValueError, RecursionError):
        return True  # nothing will be done
    return message.method != "tools/call" or message.params.name in reading


def _mend(request: HttpRequest) -> None:
    """Replace halves of characters, which clients that cut texts in JavaScript send.

    The library's parser would refuse the whole message, and a model could not say why.
    """
    if HALF_CHARACTER.search(request.body):
        with suppress(ValueError, RecursionError):
            text = json.dumps(json.loads(request.body), ensure_ascii=False)
            request._body = text.encode("utf-8", "replace")  # type: ignore[attr-defined]


server = MCPServer(
    name="stackmemory",
    title="StackMemory",
    version="0.1.0",
    description="The call stack, decisions and tasks that a team's agents share.",
    instructions=INSTRUCTIONS,
    auth=allow,
)
