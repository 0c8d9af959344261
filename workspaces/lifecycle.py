"""A workspace from its making to its erasure (the last step is in workspaces/jobs.py)."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from stackmemory.lib.tenancy import workspace_scope
from workspaces import audit
from workspaces.models import Membership, User, Workspace

# How long an owner can take a deletion back.
GRACE = timedelta(days=7)


def create(*, slug: str, name: str, owner: User, request: HttpRequest | None = None) -> Workspace:
    """Make a workspace with its first owner. Raises IntegrityError where the slug is taken."""
    with transaction.atomic():
        workspace = Workspace.objects.create(slug=slug, name=name)
        with workspace_scope(workspace.id):
            Membership.unscoped.create(workspace=workspace, user=owner, role=Membership.Role.OWNER)
            audit.record(
                workspace=workspace,
                action="workspace.created",
                target=workspace,
                after={"slug": slug, "name": name, "owner": owner.email},
                request=request,
            )
    return workspace


def rename(workspace: Workspace, *, name: str, slug: str, request: HttpRequest) -> None:
    """Give it another name or address. Raises IntegrityError where the slug is taken."""
    before = {"name": workspace.name, "slug": workspace.slug}
    after = {"name": name, "slug": slug}
    if before == after:
        return
    with transaction.atomic():
        workspace.name, workspace.slug = name, slug
        workspace.save(update_fields=["name", "slug"])
        audit.record(
            workspace=workspace,
            action="workspace.renamed",
            target=workspace,
            before=before,
            after=after,
            request=request,
        )


def delete(workspace: Workspace, *, request: HttpRequest) -> None:
    """Close a workspace to everybody; after GRACE its contents are erased."""
    with transaction.atomic():
        now = timezone.now()
        if Workspace.objects.live().filter(pk=workspace.pk).update(deleted_at=now):
            audit.record(
                workspace=workspace, action="workspace.deleted", target=workspace, request=request
            )


def restorable(user: User) -> list[Workspace]:
    """Deleted workspaces that this person may still bring back, with `erased_on` set on each."""
    owned = Workspace.objects.filter(
        memberships__user=user,
        memberships__role=Membership.Role.OWNER,
        deleted_at__gt=timezone.now() - GRACE,
        erased_at=None,
    )
    found = list(owned.order_by("name"))
    for workspace in found:
        workspace.erased_on = erased_on(workspace)
    return found


def erased_on(workspace: Workspace) -> datetime:
    """When a deleted workspace is due to be erased."""
    return workspace.deleted_at + GRACE


def restore(workspace: Workspace, *, request: HttpRequest) -> bool:
    """Open it again with everything it had; False where it is too late."""
    with workspace_scope(workspace.id):
        waiting = Workspace.objects.filter(
            pk=workspace.pk, deleted_at__gt=timezone.now() - GRACE, erased_at=None
        )
        if not waiting.update(deleted_at=None):
            return False
        audit.record(
            workspace=workspace, action="workspace.restored", target=workspace, request=request
        )
    return True
