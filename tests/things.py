"""One of everything a workspace can have: what routes name in their paths."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from frames.models import (
    AgentSession,
    Anchor,
    Event,
    Export,
    Frame,
    Project,
    Task,
    Transfer,
    TransferItem,
)
from frames.partitions import ensure, month_of
from search.models import ContextBundle, SavedSearch
from stackmemory.lib.uuid7 import uuid7
from stackmemory.models import ArchiveImport
from workspaces import api_keys
from workspaces.models import Invitation, Membership, User, Workspace


def things(workspace: Workspace) -> dict[str, Any]:
    """Path argument → the value that names this workspace's own thing."""
    now = timezone.now()
    ensure([month_of(now)])
    slug = workspace.slug
    project = Project.unscoped.create(workspace=workspace, slug=f"{slug}-api", name="Api")
    session = AgentSession.unscoped.create(
        workspace=workspace, project=project, client="claude-code", started_at=now, last_seen_at=now
    )
    pk = uuid7()
    frame = Frame.unscoped.create(
        id=pk, root_id=pk, workspace=workspace, project=project, session=session, name="Work"
    )
    event = Event.unscoped.create(
        workspace=workspace, frame=frame, session=session, type="note", occurred_at=now
    )
    anchor = Anchor.unscoped.create(workspace=workspace, project=project, frame=frame, text="Fact")
    task = Task.unscoped.create(workspace=workspace, project=project, title="Do")
    transfer = Transfer.unscoped.create(workspace=workspace, project=project, name="context.db")
    item = TransferItem.unscoped.create(
        workspace=workspace, transfer=transfer, category="set_aside", table="frames", reason="why"
    )
    spare = User.objects.create_user(f"spare@{slug}.example", name="Spare")
    membership = Membership.unscoped.create(workspace=workspace, user=spare, role="member")
    invitation = Invitation.unscoped.create(
        workspace=workspace,
        email=f"invited@{slug}.example",
        token_digest=uuid7().hex,
        expires_at=now,
    )
    key, _ = api_keys.create(workspace=workspace, name="bot", scopes=["read"])
    saved = SavedSearch.unscoped.create(workspace=workspace, user=spare, name="s", query="q=x")
    bundle = ContextBundle.unscoped.create(
        workspace=workspace, project=project, session=session, origin="api", budget=100, tokens=0,
        hash="0" * 64,
    )  # fmt: skip
    export = Export.unscoped.create(workspace=workspace, format="archive", created_by=spare)
    arrival = ArchiveImport.objects.create(created_by=spare, name="a.zip", size=9)
    return {
        "workspace_slug": slug,
        "bundle_id": bundle.pk,
        "export_id": export.pk,
        "arrival_id": arrival.pk,
        "saved_id": saved.pk,
        "project_slug": project.slug,
        "session_id": session.pk,
        "frame_id": frame.pk,
        "event_id": event.pk,
        "anchor_id": anchor.pk,
        "task_id": task.pk,
        "transfer_id": transfer.pk,
        "item_id": item.pk,
        "membership_id": membership.pk,
        "invitation_id": invitation.pk,
        "key_id": key.pk,
        "workspace_id": workspace.pk,
    }
