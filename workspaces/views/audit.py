"""The audit log, to read and to take away."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from stackmemory.lib.keyset import paginate
from stackmemory.lib.streaming import streamed
from stackmemory.lib.tenancy import workspace_scope
from workspaces import audit
from workspaces.access import requires
from workspaces.audit_filter import AuditFilter
from workspaces.models import Audit, User, Workspace
from workspaces.request import WorkspaceRequest

COLUMNS = (
    "seq", "at", "action", "actor_id", "actor", "key_id", "key", "target_kind", "target_id",
    "target", "before", "after", "ip", "agent", "hash",
)  # fmt: skip
# What a spreadsheet would take for a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")
BATCH = 1000
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:[\d.]+\+00:00$")


@requires("audit")
@require_GET
def log(request: WorkspaceRequest) -> HttpResponse:
    form = AuditFilter(request.GET, workspace=request.workspace)
    page = paginate(form.entries(), order=["-seq"], cursor=request.GET.get("cursor", ""))
    _name_people(page.items, form.people)
    context = {
        "form": form,
        "page": page,
        "query": _without_cursor(request),
    }
    return render(request, "workspaces/audit.html", context)


@requires("audit")
@require_POST
def export(request: WorkspaceRequest) -> StreamingHttpResponse:
    """The filtered log, oldest first, streamed. A POST, for the export itself is an entry."""
    kind = "csv" if request.POST.get("format") == "csv" else "jsonl"
    form = AuditFilter(request.POST, workspace=request.workspace)
    entries = form.entries()
    audit.record(
        workspace=request.workspace,
        action="export",
        target="audit log",
        after={
            "format": kind,
            **{name: str(value) for name, value in form.cleaned_data.items() if value},
        },
        request=request,
    )
    lines, mime = (_csv, "text/csv") if kind == "csv" else (_jsonl, "application/x-ndjson")
    content = streamed(request, lines(_rows(request.workspace, entries)))
    response = StreamingHttpResponse(content, content_type=f"{mime}; charset=utf-8")
    name = f"audit-{request.workspace.slug}-{timezone.now():%Y-%m-%d}.{kind}"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _rows(workspace: Workspace, entries: Any) -> Iterator[dict[str, Any]]:
    """Batch by batch, each in its own scope: the request's ended before streaming began."""
    after = 0
    while True:
        with workspace_scope(workspace.id):
            batch = list(entries.filter(seq__gt=after).order_by("seq")[:BATCH])
        yield from (_row(entry) for entry in batch)
        if len(batch) < BATCH:
            return
        after = batch[-1].seq


def _row(entry: Audit) -> dict[str, Any]:
    own = {
        "seq": entry.seq,
        "at": entry.created_at.isoformat(),
        "action": entry.action,
        "actor_id": str(entry.actor_id) if entry.actor_id else None,
        "key_id": str(entry.key_id) if entry.key_id else None,
        "target_kind": entry.target,
        "target_id": entry.target_id,
        "hash": entry.hash,
    }
    row = own | entry.data
    return {name: row.get(name) for name in COLUMNS}


def _jsonl(rows: Iterator[dict[str, Any]]) -> Iterator[str]:
    return (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _csv(rows: Iterator[dict[str, Any]]) -> Iterator[str]:
    writer = csv.DictWriter(_Echo(), COLUMNS)
    yield writer.writeheader()
    for row in rows:
        yield writer.writerow({name: _cell(value) for name, value in row.items()})


class _Echo:
    """A file that hands back what is written, for csv to stream into."""

    def write(self, text: str) -> str:
        return text


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
    return f"'{text}" if text.startswith(FORMULA) else text


def _name_people(entries: list[Audit], members: dict[UUID, User]) -> None:
    """Give each entry its actor as they are called now; who is gone for good keeps the e-mail."""
    actors = {entry.actor_id for entry in entries if entry.actor_id}
    left = actors - set(members)
    people = members | (User.objects.in_bulk(left) if left else {})
    for entry in entries:
        known = people.get(entry.actor_id) if entry.details is not None else None  # type: ignore[arg-type]
        entry.actor = known  # type: ignore[attr-defined]
        entry.label = audit.ACTIONS.get(entry.action, entry.action)  # type: ignore[attr-defined]
        changes = _changes(entry.data.get("before"), entry.data.get("after"))
        entry.changes = changes  # type: ignore[attr-defined]


def _changes(before: Any, after: Any) -> list[tuple[str, Any, Any]]:
    """[(what, from, to)] of two dictionaries, leaving out what stayed."""
    old = before if isinstance(before, dict) else {"": before}
    new = after if isinstance(after, dict) else {"": after}
    pairs = [(name, old.get(name), new.get(name)) for name in {**old, **new}]
    return [(name, _words(a), _words(b)) for name, a, b in pairs if a != b]


def _words(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(str(one) for one in value)
    text = "" if value is None else str(value)
    return f"{text[:10]} {text[11:16]} UTC" if MOMENT.match(text) else text


def _without_cursor(request: WorkspaceRequest) -> dict[str, str]:
    return {name: str(value) for name, value in request.GET.items() if name != "cursor"}
