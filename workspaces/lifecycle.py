"""A workspace from its making to its erasure (the last step is in workspaces/jobs.py)."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from stackmemory.lib.tenancy import workspace_scope
from workspaces import audit, news
from workspaces.models import Membership, User, Workspace
from workspaces.models.workspace import GRACE
from workspaces.request import PersonRequest


def create(*, slug: str, name: str, owner: User, request: PersonRequest | None = None) -> Workspace:
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


def rename(workspace: Workspace, *, name: str, slug: str, request: PersonRequest) -> None:
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


def delete(workspace: Workspace, *, request: PersonRequest) -> None:
    """Close a workspace to everybody; after GRACE its contents are erased."""
    with transaction.atomic():
        now = timezone.now()
        if Workspace.objects.live().filter(pk=workspace.pk).update(deleted_at=now):
            audit.record(
                workspace=workspace, action="workspace.deleted", target=workspace, request=request
            )
            news.tell(workspace.pk, news.ACCESS, "ended")


def restorable(user: User) -> list[Workspace]:
    """Deleted workspaces that this person may still bring back."""
    owned = Workspace.objects.filter(
        memberships__user=user,
        memberships__role=Membership.Role.OWNER,
        deleted_at__gt=timezone.now() - GRACE,
        erased_at=None,
    )
    return list(owned.order_by("name"))


def restore(workspace: Workspace, *, request: PersonRequest) -> bool:
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
