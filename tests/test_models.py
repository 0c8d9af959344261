"""Tenant tables fail closed, and rows cannot point into another workspace."""

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from frames.models import Event, Frame, Project
from stackmemory.lib.uuid7 import uuid7
from workspaces.models import UnscopedQuery, Workspace


def make_frame(workspace: Workspace, project: Project, **fields: object) -> Frame:
    frame_id = uuid7()
    return Frame.unscoped.create(
        id=frame_id, root_id=frame_id, workspace=workspace, project=project, name="x", **fields
    )


def test_unscoped_query_raises():
    with pytest.raises(UnscopedQuery, match="in_workspace"):
        Frame.objects.all()


def test_scoped_query_sees_its_workspace_only(acme, globex):
    for workspace in (acme, globex):
        project = Project.unscoped.create(workspace=workspace, slug="p", name="P")
        make_frame(workspace, project)
    assert Frame.objects.in_workspace(acme).count() == 1
    assert acme.frames.count() == 1
    assert Frame.objects.across_workspaces().count() == 2


def test_reference_into_another_workspace_is_refused(acme, globex):
    theirs = Project.unscoped.create(workspace=globex, slug="p", name="P")
    with pytest.raises(IntegrityError), transaction.atomic():
        make_frame(acme, theirs)
    mine = Project.unscoped.create(workspace=acme, slug="p", name="P")
    frame = make_frame(acme, mine)
    with pytest.raises(IntegrityError), transaction.atomic():
        Event.unscoped.create(
            workspace=globex, frame=frame, type="observation", occurred_at=timezone.now()
        )
    with pytest.raises(IntegrityError), transaction.atomic():
        Frame.unscoped.filter(id=frame.id).update(project=theirs)
