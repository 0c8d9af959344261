"""Small teams with something of everything, for moving them about."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

from django.db import connection
from django.utils import timezone

from frames.accepting import EventIn
from frames.anchoring import add_anchor
from frames.appending import append_batch
from frames.calls import close_frame, open_session, reopen_frame, start_frame
from frames.handing_off import hand_off
from frames.models import Event, KeptRow, Project, Transfer
from frames.partitions import ensure, month_of
from frames.tasking import change_status, create_task
from frames.transfer.importing import Options, import_stackmemory
from search.models import ContextBundle, ContextMark, SavedSearch
from stackmemory.lib.row_security import tenant_models
from tests.append_only import TRIGGERS
from tests.stores import A, Store
from workspaces import api_keys, usage
from workspaces.actor import Actor
from workspaces.jobs import erasable_models
from workspaces.models import Audit, AuditHead, Membership, User, Workspace


def make_team(slug: str, folder: Path) -> Workspace:
    """A workspace with two people and a little in every table that an archive holds."""
    workspace = Workspace.objects.create(
        slug=slug, name=slug.title(), settings={"b": 1, "a": [2.5]}
    )
    ensure([month_of(timezone.now())])
    people = [User.objects.create_user(f"{who}@{slug}.example") for who in ("ann", "ben")]
    ann, ben = (
        Actor.of_member(Membership.unscoped.create(workspace=workspace, user=user, role=role))
        for user, role in zip(people, ("owner", "member"), strict=True)
    )
    folder.mkdir(parents=True, exist_ok=True)
    store = Store(folder / f"{slug}.db", A)
    frame_id = store.frame(name="Imported", inputs='{"b": 1.10, "a": 1e-7}')
    store.event(frame_id, payload='{ "odd" : [1,2] }')
    store.event(frame_id, payload=json.dumps({"large": "é\n" * 40_000}))
    store.anchor(frame_id, text="Naïve 🐛 </script>", metadata="[1]")
    store.add("frames", frame_id=None, name="no id", created_at=1)
    store.context("readme_1", type="readme")
    import_stackmemory(workspace=workspace, path=store.done(), options=Options(project="shop"))
    project = Project.objects.in_workspace(workspace).get()
    api_keys.create(workspace=workspace, name="bot", scopes=["read"], actor=ann.user)
    session, _ = open_session(actor=ann, project=project, client="claude-code")
    top, _ = start_frame(actor=ann, project=project, session=session, name="Build")
    part, _ = start_frame(actor=ann, project=project, session=session, name="Part", parent=top)
    mine, _ = start_frame(
        actor=ben, project=project, name="Secret plan", parent=part, visibility="private"
    )
    for frame in (top, part, mine):
        append_batch(
            actor=ben if frame is mine else ann,
            events=[
                EventIn(frame=str(frame.pk), type="note", payload={"text": f"Secret {n}"})
                for n in range(3)
            ],
        )
    old, _ = add_anchor(actor=ann, project=project, frame=part, text="Old", type="DECISION")
    add_anchor(actor=ann, project=project, text="New", supersedes=old)
    add_anchor(actor=ben, project=project, frame=mine, text="Secret anchor")
    task, _ = create_task(actor=ben, project=project, frame=mine, title="Secret task")
    change_status(actor=ben, task=task, status="in_progress")
    close_frame(actor=ann, frame=part, outputs={"n": 1})
    reopen_frame(actor=ann, frame=part)
    hand_off(actor=ann, frame=part, to=f"ben@{slug}.example", message="Yours")
    usage.add(workspace=workspace, kind="requests", amount=3)
    SavedSearch.unscoped.create(workspace=workspace, user=ann.user, name="mine", query="q=x")
    for private in (False, True):
        bundle = ContextBundle.unscoped.create(
            workspace=workspace, project=project, user=ben.user, origin="api", budget=9, tokens=1,
            items=[{"kind": "frame", "score": 1.50}], text="Given", private=private, hash="x",
        )  # fmt: skip
    ContextMark.unscoped.create(
        workspace=workspace, project=project, bundle=bundle, kind="frame", object_id=part.pk,
        user=ann.user, useful=True,
    )  # fmt: skip
    assert KeptRow.objects.in_workspace(workspace).exists()
    assert Event.objects.in_workspace(workspace).count() == 11
    Transfer.objects.in_workspace(workspace).update(
        upload="imports/x", beat_at=timezone.now() - timedelta(hours=1)
    )
    return workspace


def purge(workspace: Workspace) -> None:
    """As if it had never been: its rows, its audit log, its people."""
    people = set(Membership.objects.in_workspace(workspace).values_list("user", flat=True))
    for model in erasable_models():
        model._base_manager.filter(workspace=workspace)._raw_delete("default")
    with connection.cursor() as cursor:
        triggers = []
        if connection.vendor == "sqlite":
            cursor.execute(TRIGGERS)
            triggers = cursor.fetchall()
            for name, _ in triggers:
                cursor.execute(f'DROP TRIGGER "{name}"')
        else:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("ALTER TABLE workspaces_audit DISABLE TRIGGER USER")
        for model in (Audit, AuditHead):
            model._base_manager.filter(workspace=workspace)._raw_delete("default")
        for _, sql in triggers:
            cursor.execute(sql)
        if connection.vendor != "sqlite":
            cursor.execute("ALTER TABLE workspaces_audit ENABLE TRIGGER USER")
    Workspace.objects.filter(pk=workspace.pk).delete()
    User.objects.filter(pk__in=people).delete()


def rows_of(workspace: Workspace) -> dict[str, int]:
    counts = {
        m._meta.label: m._base_manager.filter(workspace=workspace).count() for m in tenant_models()
    }
    return {label: number for label, number in counts.items() if number}
