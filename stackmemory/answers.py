"""Answers for programs: one shape for whatever goes wrong, and headers every answer has."""

from __future__ import annotations

import re
from collections.abc import Callable
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse, JsonResponse

from stackmemory.lib.logs import request_id
from stackmemory.lib.refusal import Refusal
from stackmemory.lib.uuid7 import uuid7

API = "/api/"
GIVEN_ID = re.compile(r"[A-Za-z0-9._~:+/=-]{1,128}")
# For what is refused before anything of ours sees the request.
PLAIN: dict[int, tuple[str, str]] = {
    400: ("invalid", "The request cannot be understood."),
    403: ("forbidden", "This is not allowed."),
    404: ("not_found", "There is no such address. GET /api/v1/docs lists those there are."),
    405: ("method_not_allowed", "This address does not offer this method; see the Allow header."),
    413: ("too_large", "The body is too large. Send it in several parts."),
    500: ("internal", "Something went wrong here. Nothing was changed; the log has this id."),
}


def refused(refusal: Refusal) -> JsonResponse:
    """{"error": {"code", "message", "field"?, "choices"?}}"""
    error: dict[str, object] = {"code": refusal.code, "message": refusal.message}
    if refusal.field:
        error["field"] = refusal.field
    if refusal.choices:
        error["choices"] = list(refusal.choices)
    response = JsonResponse({"error": error}, status=refusal.status)
    if refusal.status == HTTPStatus.UNAUTHORIZED:
        response["WWW-Authenticate"] = 'Bearer realm="StackMemory"'
    if after := getattr(refusal, "retry_after", 0):
        response["Retry-After"] = str(after)
    return response


class AnswerMiddleware:
    """Gives every answer an X-Request-Id, the caller's own if it sent one, and a key's allowance.

    Under /api/ it puts into the one shape what Django itself refuses: unknown addresses, foreign
    hosts, failures. So it stands before all that may refuse.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-Id", "")
        request.id = given if GIVEN_ID.fullmatch(given) else uuid7().hex  # type: ignore[attr-defined]
        token = request_id.set(request.id)  # type: ignore[attr-defined]
        try:
            response = self.get_response(request)
        finally:
            request_id.reset(token)
        if request.path_info.startswith(API):
            response = _in_shape(response)
            response.headers.setdefault("Cache-Control", "no-store")
        if allowance := getattr(request, "allowance", None):
            response["X-RateLimit-Limit"] = str(allowance.limit)
            response["X-RateLimit-Remaining"] = str(allowance.remaining)
            response["X-RateLimit-Reset"] = str(allowance.reset)
        response["X-Request-Id"] = request.id  # type: ignore[attr-defined]
        return response


def _in_shape(response: HttpResponse) -> HttpResponse:
    """An error that is not in our shape yet, put into it."""
    status = response.status_code
    if status < 400 or response.headers.get("Content-Type", "").startswith("application/json"):
        return response
    phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else "Error"
    code, message = PLAIN.get(status, (phrase.lower().replace(" ", "_"), f"{phrase}."))
    refusal = Refusal(code, message)
    refusal.status = status
    answer = refused(refusal)
    if "Allow" in response:
        answer["Allow"] = response["Allow"]
    return answer
