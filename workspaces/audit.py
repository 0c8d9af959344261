"""The audit log: one function writes it, one checks it, one erases what it says about people.

Each workspace has a chain. An entry's `hash` is SHA-256 over the previous entry's hash and the
entry's own columns; of the details only a salted digest goes in. Erasing an entry's details and
salt therefore leaves a chain that verifies, and a digest nobody can guess the details from.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import models, transaction
from django.http import HttpRequest
from django.utils import timezone

from workspaces.models import ApiKey, Audit, AuditHead, User, Workspace
from workspaces.origin import client_ip, user_agent

# What people may filter by; record() takes no other, so that the list stays whole.
ACTIONS = {
    "workspace.created": "Workspace created",
    "workspace.imported": "Workspace taken from an archive",
    "workspace.renamed": "Workspace renamed",
    "workspace.settings": "Settings changed",
    "workspace.deleted": "Workspace deleted",
    "workspace.restored": "Workspace restored",
    "workspace.erased": "Workspace erased",
    "workspace.transferred": "Ownership transferred",
    "member.joined": "Member joined",
    "member.role": "Role changed",
    "member.removed": "Member removed",
    "member.left": "Member left",
    "member.login": "Login from a new place",
    "invitation.sent": "Invitation sent",
    "invitation.resent": "Invitation sent again",
    "invitation.revoked": "Invitation revoked",
    "key.created": "Key created",
    "key.rotated": "Key rotated",
    "key.revoked": "Key revoked",
    "import.started": "Import started",
    "import.finished": "Import finished",
    "import.cancelled": "Import cancelled",
    "export": "Export",
    "deletion": "Deletion",
    "project.created": "Project created",
    "project.settings": "Project settings changed",
    "project.aged": "Events deleted by age",
    "project.archived": "Events moved to cold storage",
    "project.restored": "Events brought back from cold storage",
    "project.lost": "Events given up that cold storage had lost",
    "frame.erased": "Frame erased",
    "session.erased": "Session erased",
    "person.erased": "Person erased",
    "operator.changed": "Changed by an operator",
}


def record(
    *,
    workspace: Workspace,
    action: str,
    actor: User | None = None,
    key: ApiKey | None = None,
    target: models.Model | str = "",
    before: Any = None,
    after: Any = None,
    request: HttpRequest | None = None,
) -> Audit:
    """Add one entry to the workspace's chain; it is kept if and only if the transaction is.

    `target` is the object it was done to, or a few words where there is none. `before` and `after`
    are what JSON can hold. The actor defaults to the request's person. Writers of one workspace
    queue here until they commit, so call it late in a transaction.
    """
    if action not in ACTIONS:
        raise ValueError(f"Unknown audit action {action!r}: add it to workspaces.audit.ACTIONS.")
    key = key or getattr(request, "api_key", None)
    if actor is None and request is not None and request.user.is_authenticated:
        actor = request.user
    details = {
        "actor": actor.email if actor else None,
        "key": key.shown if key else None,
        "target": str(target),
        "before": before,
        "after": after,
        **_origin(request),
    }
    with transaction.atomic():
        head = _locked_head(workspace)
        entry = Audit(
            workspace=workspace,
            created_at=timezone.now(),
            seq=head.seq + 1,
            action=action,
            actor_id=actor.pk if actor else None,
            key_id=key.pk if key else None,
            details=_canonical({k: v for k, v in details.items() if v is not None and v != ""}),
            salt=secrets.token_hex(16),
        )
        if isinstance(target, models.Model):
            entry.target, entry.target_id = target._meta.model_name or "", str(target.pk)
        entry.details_digest = details_digest(entry.salt or "", entry.details or "")
        entry.hash = chained(head.hash, entry)
        entry.save(force_insert=True)
        AuditHead.unscoped.filter(pk=head.pk).update(seq=entry.seq, hash=entry.hash)
    return entry


def erase(entries: models.QuerySet[Audit]) -> int:
    """Take the details out of these entries for good; the chain still verifies."""
    return entries.exclude(details=None).update(details=None, salt=None)


def erase_person(user: User, workspace: Workspace | None = None) -> int:
    """Forget what a workspace's log says about a person, or every one's: needs the system scope."""
    named = models.Q(details__icontains=json.dumps(user.email)[1:-1])
    theirs = models.Q(actor_id=user.pk) | models.Q(target_id=str(user.pk))
    entries = Audit.objects.across_workspaces().filter(theirs | named)
    return erase(entries.filter(workspace=workspace) if workspace is not None else entries)


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a chain, naming the row."""

    seq: int
    problem: str

    def __str__(self) -> str:
        return f"entry {self.seq}: {self.problem}"


def head(workspace: Workspace) -> AuditHead:
    """Where the chain ends; an unsaved 0 where nothing was ever recorded."""
    found = AuditHead.objects.in_workspace(workspace).first()
    return found or AuditHead(workspace=workspace)


def faults(workspace: Workspace, *, head: tuple[int, str] | None = None) -> Iterator[Fault]:
    """Everything wrong with a workspace's chain, in order; nothing if it is whole.

    `head` is an earlier end of the chain (number, hash), which must still be part of it.
    """
    previous, expected = "", 1
    rows = Audit.objects.in_workspace(workspace).order_by("seq", "id")
    for entry in rows.iterator(chunk_size=2000):
        if entry.seq > expected:
            yield Fault(expected, _missing(expected, entry.seq - 1))
        if entry.details is not None and entry.details_digest != details_digest(
            entry.salt or "", entry.details
        ):
            yield Fault(entry.seq, f"its details were changed ({entry.id})")
        if entry.hash != chained(previous, entry):
            yield Fault(
                entry.seq,
                f"it was changed, replaced or moved, or follows one that was ({entry.id})",
            )
        if head and head[0] == entry.seq and head[1] != entry.hash:
            yield Fault(entry.seq, "its hash is not the one noted earlier: the chain was rewritten")
        previous, expected = entry.hash, entry.seq + 1
    if head and head[0] >= expected:
        yield Fault(head[0], "noted earlier, and now missing")
    yield from _faults_at_end(workspace, last=expected - 1, last_hash=previous)


def _faults_at_end(workspace: Workspace, *, last: int, last_hash: str) -> Iterator[Fault]:
    recorded = AuditHead.objects.in_workspace(workspace).first() or AuditHead()
    if recorded.seq > last:
        yield Fault(last + 1, _missing(last + 1, recorded.seq) + " (cut off at the end)")
    elif recorded.seq < last:
        yield Fault(recorded.seq + 1, "it comes after the recorded end of the chain")
    elif recorded.hash != last_hash:
        yield Fault(last, "its hash is not the recorded end of the chain")


def details_digest(salt: str, details: str) -> str:
    return hashlib.sha256(f"{salt}\n{details}".encode()).hexdigest()


def chained(previous: str, entry: Audit) -> str:
    """The hash of an entry, given the one before it. Changing this breaks every chain there is."""
    parts = [
        previous,
        str(entry.workspace_id),
        str(entry.seq),
        str(entry.id),
        entry.created_at.isoformat(timespec="microseconds"),
        entry.action,
        str(entry.actor_id or ""),
        str(entry.key_id or ""),
        entry.target,
        entry.target_id,
        entry.details_digest,
    ]
    return hashlib.sha256(_canonical(parts).encode()).hexdigest()


def _locked_head(workspace: Workspace) -> AuditHead:
    heads = AuditHead.objects.in_workspace(workspace).select_for_update()
    head = heads.first()
    if head is None:
        # Two first entries at once: one insert wins, both then queue on the row.
        AuditHead.unscoped.bulk_create([AuditHead(workspace=workspace)], ignore_conflicts=True)
        head = heads.get()
    return head


def _origin(request: HttpRequest | None) -> dict[str, str]:
    """From where: address and browser of a request, or nothing for a command or a job."""
    if request is None:
        return {"via": "command or job"}
    return {"ip": client_ip(request), "agent": user_agent(request)}


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=_plain)


def _plain(value: Any) -> str:
    if isinstance(value, uuid.UUID):
        return str(value)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _missing(first: int, last: int) -> str:
    return "missing" if first == last else f"missing, and so is every one up to {last}"
