"""What every operation of the API passes: key, limits, permission, body, transaction, repetition."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from ninja.operation import Operation
from pydantic import BaseModel

from stackmemory.answers import refused
from stackmemory.credentials import admit
from stackmemory.lib.bodies import read_body
from stackmemory.lib.operations import Rules, rules_of
from stackmemory.lib.plainjson import dump
from stackmemory.lib.refusal import Forbidden, Refusal
from stackmemory.lib.replica import reading_scope, who_asks
from stackmemory.lib.tenancy import workspace_scope
from workspaces import idempotency, limits
from workspaces.actor import Actor
from workspaces.idempotency import Named
from workspaces.models import Membership

logger = logging.getLogger(__name__)
READS = ("GET", "HEAD")
# What a repetition would be answered as well: done, or wrong in a way that stays wrong.
REMEMBERED = (200, 201, 202, 204, 400, 403, 404)

Run = Callable[..., HttpResponse]


class Busy(Refusal):
    """The database could not do it now: a deadlock, a lock waited for too long, a restart."""

    status = 503
    retry_after = 1

    def __init__(self) -> None:
        super().__init__(
            "busy", "The database is busy; nothing was changed. Ask again in a second."
        )


class _Undone(Exception):
    """Carries the answer of a request whose transaction is taken back."""

    def __init__(self, response: HttpResponse) -> None:
        self.response = response


def gated(run: Run) -> Run:
    """Around an operation's `run`: it is carried out by whom it may, whole or not at all."""
    operation: Operation = run.__self__  # type: ignore[attr-defined]
    rules = rules_of(operation.view_func)

    @wraps(run)
    def answer(request: HttpRequest, **path: Any) -> HttpResponse:
        try:
            actor = admit(request)
            check_permission(actor, rules.permission)
            request.actor = actor  # type: ignore[attr-defined]
            # What changes to the team are checked against: an admin, whatever its maker's role.
            request.membership = Membership(  # type: ignore[attr-defined]
                workspace=actor.workspace, user=actor.user, role=Membership.Role.ADMIN
            )
            body = read_body(request, rules.most_bytes)
            named = _named(request, actor, body) if rules.once else None
            return _carried_out(request, lambda: run(request, **path), rules, named)
        except Refusal as refusal:
            return refused(refusal)
        except OperationalError:
            logger.exception("The database refused a request")
            return refused(Busy())

    return answer


def rendered(view: Callable[..., Any]) -> Callable[..., Any]:
    """Around a view: what it returns, a model or (status, model), becomes an answer."""

    @wraps(view)
    def answer(request: HttpRequest, **values: Any) -> HttpResponse:
        result = view(request, **values)
        if isinstance(result, HttpResponseBase):
            return result  # type: ignore[return-value]
        status, model = result if isinstance(result, tuple) else (200, result)
        return render(model, status)

    return answer


def render(model: BaseModel | None, status: int = 200) -> HttpResponse:
    if model is None:
        return HttpResponse(status=204)
    response = HttpResponse(dump(model), status=status, content_type="application/json")
    if secrets := getattr(model, "shown_once", ()):
        hidden = model.model_copy(update=dict.fromkeys(secrets))
        response.without_secrets = dump(hidden).decode()  # type: ignore[attr-defined]
    return response


def check_permission(actor: Actor, permission: str) -> None:
    """Raise Forbidden unless the actor may; what concerns a workspace is not for a project's key."""
    actor.require(permission)
    if permission not in ("read", "write") and actor.project_id is not None:
        raise Forbidden("forbidden", "This key is tied to a project and cannot do this.")


def _named(request: HttpRequest, actor: Actor, body: bytes) -> Named | None:
    """What the Idempotency-Key of a write names; None for a read and without the header."""
    name = request.headers.get("Idempotency-Key")
    if request.method in READS or name is None or actor.key is None:
        return None
    idempotency.check_name(name)
    print_ = idempotency.fingerprint(str(request.method), request.get_full_path(), body)
    return Named(actor.workspace, actor.key.pk, name, print_)


def _carried_out(
    request: HttpRequest, run: Callable[[], HttpResponse], rules: Rules, named: Named | None
) -> HttpResponse:
    """Run the operation in one transaction, which an error takes back; remember the answer."""
    workspace = request.workspace  # type: ignore[attr-defined]
    try:
        lags = reading_scope(workspace.pk, who_asks(request)) if rules.only_reads else None
        with lags or workspace_scope(workspace.pk):
            if named and (known := idempotency.begin(named)):
                return _again(known)
            if rules.needs_room:
                limits.check_room(workspace)
            response = run()
            if response.status_code >= 400:
                raise _Undone(response)
            if named:
                _keep(named, response)
            return response
    except _Undone as undone:
        if named and undone.response.status_code in REMEMBERED:
            with workspace_scope(workspace.pk):
                _keep(named, undone.response)
        return undone.response


def _keep(named: Named, response: HttpResponse) -> None:
    """Remember an answer, without what it shows only once."""
    shown = getattr(response, "without_secrets", None) or response.content.decode()
    idempotency.keep(named, response.status_code, shown)


def _again(known: Any) -> HttpResponse:
    response = HttpResponse(known.body, status=known.status, content_type="application/json")
    response["Idempotency-Replayed"] = "true"
    return response
