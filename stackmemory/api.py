"""The REST API, assembled: `/api/v1`, its errors and its OpenAPI document.

Operations live with what they are about (workspaces/api, frames/api) and are plain functions: typed
input, one call downwards, typed output. Key, limits, permission, transaction and repetition are the
gate's business (gate.py).
"""

from __future__ import annotations

import re
from typing import Any, NoReturn

from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation
from ninja.parser import Parser

from frames.api import (
    anchors,
    backfill,
    events,
    frames,
    hand_offs,
    imports,
    projects,
    sessions,
    tasks,
)
from search import api as searching
from search import context_api as context
from stackmemory import hooks, openapi
from stackmemory.answers import refused
from stackmemory.api_docs import DocsPage
from stackmemory.arrivals import api as arriving
from stackmemory.erasing import api as erasing
from stackmemory.exports import api as exporting
from stackmemory.gate import gated, rendered
from stackmemory.lib.plainjson import load_strict
from stackmemory.lib.refusal import NotFound, Refusal
from stackmemory.live import api as live
from stackmemory.problems import told
from workspaces.api import keys, me, members


class StrictParser(Parser):
    def parse_body(self, request: HttpRequest) -> Any:
        return load_strict(request.body)


class Api(NinjaAPI):
    _schema: OpenAPISchema | None = None

    def get_openapi_schema(self, **given: Any) -> OpenAPISchema:
        """The document, made once: it depends on nothing but the code."""
        if self._schema is None:
            self._schema = super().get_openapi_schema(**given)
            openapi.complete(self._schema, self)
        return self._schema

    def get_openapi_operation_id(self, operation: Operation) -> str:
        """start_frame, list_sessions …: what it says it does, without the articles."""
        words = re.findall(r"[a-z]+", operation.summary.lower().replace("’s", ""))
        return "_".join(word for word in words if word not in ("a", "an", "the", "s"))


api = Api(
    title="StackMemory",
    version="1",
    urls_namespace="api",
    description=openapi.INTRODUCTION,
    docs=DocsPage(),
    auth=openapi.Bearer(),
    parser=StrictParser(),
)
api.add_decorator(gated, mode="view")
api.add_decorator(rendered, mode="operation")
for router in (
    me.router,
    projects.router,
    sessions.router,
    frames.router,
    events.router,
    anchors.router,
    tasks.router,
    hand_offs.router,
    imports.router,
    searching.router,
    context.router,
    members.router,
    keys.router,
    exporting.router,
    erasing.router,
    arriving.router,
    hooks.router,
    live.router,
    backfill.router,
):
    api.add_router("", router)


@api.exception_handler(Refusal)
def on_refusal(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    return refused(refusal)


@api.exception_handler(ValidationError)
def on_invalid(request: HttpRequest, problem: ValidationError) -> HttpResponse:
    return refused(told(problem.errors))


@api.exception_handler(HttpError)
def on_unreadable(request: HttpRequest, problem: HttpError) -> HttpResponse:
    """The one the library raises by itself: the body could not be parsed."""
    return refused(Refusal("invalid", "The body is not JSON that can be read.", field="body"))


@api.exception_handler(Http404)
def on_missing(request: HttpRequest, problem: Http404) -> HttpResponse:
    return refused(NotFound("such thing"))


@api.exception_handler(Exception)
def on_failure(request: HttpRequest, problem: Exception) -> NoReturn:
    """Django logs it, the transaction is taken back, AnswerMiddleware puts it into shape."""
    raise problem


def urls() -> tuple[list[Any], str, str]:
    """The API's routes, open to who shows a key instead of who is logged in."""
    patterns: list[Any]
    patterns, app_name, namespace = api.urls
    for pattern in patterns:
        pattern.callback.login_required = False  # type: ignore[union-attr]
    return patterns, app_name, namespace
