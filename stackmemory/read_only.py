"""READ_ONLY=1: an installation that is being moved is read, and changes no more.

Whatever writes is answered 503 with a sentence, on pages, API, hooks and MCP. Beneath that the
database itself refuses, so that a write nobody thought of cannot slip into what has been copied.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from stackmemory.answers import API, refused
from stackmemory.lib.refusal import Refusal

READS = ("GET", "HEAD", "OPTIONS", "TRACE")
MCP = "/mcp"
# What the databases say of a write they refuse.
SAID = ("readonly", "read-only")
WORDS = (
    "This installation is read-only while it is being moved; nothing was changed."
    " Reading goes on. Ask again later, or whoever runs it for the new address."
)


class ReadOnly(Refusal):
    status = 503
    retry_after = 60

    def __init__(self) -> None:
        super().__init__("read_only", WORDS)


class ReadOnlyMiddleware:
    """Does nothing unless READ_ONLY is set. MCP, where all is a POST, looks for itself."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not settings.READ_ONLY or request.method in READS or _is_mcp(request):
            return self.get_response(request)
        return _answer(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """A page or call that reads and, in passing, would have written."""
        said = str(exception).lower()
        refused_it = isinstance(exception, DatabaseError) and any(word in said for word in SAID)
        return _answer(request) if settings.READ_ONLY and refused_it else None


def freeze(*, connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """Called for every new connection: let the database refuse what writes."""
    if not settings.READ_ONLY or connection.alias != "default":
        return
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            connection.transaction_mode = None  # type: ignore[attr-defined]
            cursor.execute("PRAGMA query_only = ON")
        else:
            cursor.execute("SET default_transaction_read_only = on")


def _is_mcp(request: HttpRequest) -> bool:
    return request.path_info == MCP or request.path_info.startswith(f"{MCP}/")


def _answer(request: HttpRequest) -> HttpResponse:
    if request.path_info.startswith(API):
        return refused(ReadOnly())
    response = render(request, "503_read_only.html", {"words": WORDS}, status=503)
    response["Retry-After"] = "60"
    return response
