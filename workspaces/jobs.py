"""What workers do about people and workspaces."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import models
from django.utils import timezone

from stackmemory.lib import blobs
from stackmemory.lib.row_security import tenant_models
from stackmemory.lib.tenancy import system_scope
from workspaces import audit, lifecycle
from workspaces.models import Audit, AuditHead, Invitation, LoginAttempts, Workspace
from workspaces.throttle import WINDOW

logger = logging.getLogger(__name__)
BATCH = 1000


def erase_due(now: datetime | None = None) -> list[str]:
    """Erase every workspace whose time to be restored has passed; return what they were called."""
    limit = (now or timezone.now()) - lifecycle.GRACE
    due = Workspace.objects.filter(deleted_at__lte=limit, erased_at=None).order_by("deleted_at")
    return [erase(workspace) for workspace in due]


def erase(workspace: Workspace) -> str:
    """Delete everything a workspace has, in batches; killed at any moment, it is simply run again.

    What stays is an empty row and an audit chain without details, which still verifies.
    """
    slug = workspace.slug
    for model in erasable_models():
        for count in _batches(model, workspace):
            logger.info("erasing %s: %s %s", slug, count, model._meta.label)
    for folder in Path(settings.MEDIA_ROOT).glob(f"*/{workspace.pk}"):
        shutil.rmtree(folder)
    blobs.forget_workspace(workspace.pk)
    with system_scope():
        audit.record(workspace=workspace, action="workspace.erased", target=workspace)
        audit.erase(Audit.objects.in_workspace(workspace))
        workspace.name, workspace.slug = "", f"erased-{workspace.pk.hex}"
        workspace.settings, workspace.erased_at = {}, timezone.now()
        workspace.save(update_fields=["name", "slug", "settings", "erased_at"])
    return slug


def forget_sessions(now: datetime | None = None) -> int:
    """Delete expired sessions, what the sessions page kept of ended ones, and old attempts."""
    gone, _ = Session.objects.filter(expire_date__lt=now or timezone.now()).delete()
    LoginAttempts.objects.filter(since__lt=(now or timezone.now()) - 2 * WINDOW).delete()
    UserSession.objects.exclude(session_key__in=Session.objects.values("session_key")).delete()
    return gone


def expire_invitations(now: datetime | None = None) -> int:
    """Free the places held for people who have not come for a month after their link ran out."""
    with system_scope():
        rows = Invitation.objects.across_workspaces().filter(accepted_at=None, revoked_at=None)
        old = rows.filter(expires_at__lt=(now or timezone.now()) - timedelta(days=30))
        return int(old.update(revoked_at=now or timezone.now()))


def erasable_models() -> list[type[models.Model]]:
    """Every tenant table except the log, each before those it refers to."""
    left = [model for model in tenant_models() if model not in (Audit, AuditHead)]
    ordered: list[type[models.Model]] = []
    while left:
        free = [m for m in left if not any(m in _targets(other) for other in left if other != m)]
        if not free:
            raise RuntimeError(f"tenant tables refer to each other in a circle: {left}")
        ordered += free
        left = [model for model in left if model not in free]
    return ordered


def _targets(model: type[models.Model]) -> set[object]:
    return {field.related_model for field in model._meta.local_fields if field.is_relation}


def _batches(model: type[models.Model], workspace: Workspace) -> Iterator[int]:
    """Delete batch after batch, walking the primary key so that no row is looked at twice."""
    own = [f.name for f in model._meta.local_fields if f.related_model == model]
    after = None
    while True:
        with system_scope():
            rows = model._default_manager.filter(workspace=workspace)
            found = rows.filter(pk__gt=after) if after else rows
            ids = list(found.order_by("pk").values_list("pk", flat=True)[:BATCH])
            if not ids:
                return
            for name in own:  # rows of later batches may point at these
                rows.filter(**{f"{name}__in": ids}).update(**{name: None})
            # Raw: whatever refers to these rows is gone already, so there is nothing to collect.
            rows.filter(pk__in=ids)._raw_delete(rows.db)
        after = ids[-1]
        yield len(ids)
