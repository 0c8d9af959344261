"""`python -m tests.moving.fill N FOLDER` fills a migrated database with N teams and a key."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from unittest import mock

import django

django.setup()

from allauth.mfa.models import Authenticator  # noqa: E402
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret  # noqa: E402
from django.conf import settings  # noqa: E402
from django.core.files.uploadedfile import SimpleUploadedFile  # noqa: E402
from django.utils import timezone  # noqa: E402

from frames.cold.moving import archive  # noqa: E402
from frames.models import Export, Project, Transfer  # noqa: E402
from frames.transfer import upload  # noqa: E402
from stackmemory.archive.hashing import workspace_hash  # noqa: E402
from stackmemory.arrivals.progress import folder_of  # noqa: E402
from stackmemory.exports import making  # noqa: E402
from stackmemory.lib.tenancy import as_owner  # noqa: E402
from stackmemory.lib.uuid7 import uuid7  # noqa: E402
from stackmemory.models import ArchiveImport  # noqa: E402
from tests.moving.cold import JUNE, NOW  # noqa: E402
from tests.moving.teams import make_team  # noqa: E402
from tests.pages import make_frame  # noqa: E402
from tests.stacks import closed, happen  # noqa: E402
from tests.stores import A, Store  # noqa: E402
from workspaces import api_keys  # noqa: E402
from workspaces.models import User, Workspace  # noqa: E402


def put_beside(workspace: Workspace, folder: Path) -> None:
    """Files of every kind: a month in cold storage with a large payload in it, an upload that waits
    for a worker and one that is on its way, an export to be fetched and an archive half-way; and what
    no row names."""
    owner = User.objects.get(email=f"ann@{workspace.slug}.example")
    project = Project.objects.in_workspace(workspace).get()
    frame = make_frame(project, name="Summer", **closed(started_at=JUNE))
    large = {"text": f"of {workspace.slug} " + "ü" * 40_000}
    happen(workspace, frame, [("note", {"text": "zeppelin"}), ("note", large)], start=JUNE)
    assert sum(moved.events for moved in archive(project, now=NOW)) == 2
    store = Store(folder / f"{workspace.slug}-waits.db", A)
    store.frame(name="Waited")
    sent = SimpleUploadedFile("context.db", store.done().read_bytes())
    with mock.patch.dict(settings.Q_CLUSTER, sync=False):
        upload.receive(
            workspace=workspace, user=owner, files=[sent], project_slug="later",
            keep_project_ids=False, dry_run=False,
        )  # fmt: skip
    half = Transfer.unscoped.create(
        id=uuid7(), workspace=workspace, state="receiving", name="half", options={"size": 99}
    )
    put(upload.folder_of(half) / "bundle.part", b"half of it")
    export = Export.unscoped.create(workspace=workspace, format="archive", created_by=owner,
                                    project=project, options={"private": False})  # fmt: skip
    Export.unscoped.filter(pk=export.pk).update(state="running", beat_at=timezone.now())
    making.make(Export.unscoped.get(pk=export.pk))
    arrival = ArchiveImport.objects.create(created_by=owner, name="a.zip", size=99, sha256="0" * 64)
    put(folder_of(arrival) / "archive.part", b"some of it")
    put(folder_of(arrival).parent / "stray" / "archive.zip", b"of nobody")


def put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def main(number: int, folder: Path) -> None:
    with as_owner():
        for n in range(number):
            put_beside(make_team(f"team-{n}", folder), folder)
        first = Workspace.objects.get(slug="team-0")
        ann = User.objects.get(email="ann@team-0.example")
        ann.set_password("correct horse battery staple")
        ann.save()
        TOTP.activate(ann, generate_totp_secret())
        _, key = api_keys.create(workspace=first, name="bot", scopes=["read", "write"], actor=ann)
        old, _ = api_keys.create(workspace=first, name="old", scopes=["read"])
        new, _ = api_keys.create(workspace=first, name="new", scopes=["read"])
        type(old).unscoped.filter(pk=old.pk).update(replaced_by=new)
        hashes = {w.slug: workspace_hash(w) for w in Workspace.objects.all()}
        secret = Authenticator.objects.get().data
    print(json.dumps({"key": key, "hashes": hashes, "mfa": secret}))


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
