"""`python -m tests.moving.fill N FOLDER` fills a migrated database with N teams and a key."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import django

django.setup()

from allauth.mfa.models import Authenticator  # noqa: E402
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret  # noqa: E402

from stackmemory.archive.hashing import workspace_hash  # noqa: E402
from stackmemory.lib.tenancy import as_owner  # noqa: E402
from tests.moving.teams import make_team  # noqa: E402
from workspaces import api_keys  # noqa: E402
from workspaces.models import User, Workspace  # noqa: E402


def main(number: int, folder: Path) -> None:
    with as_owner():
        for n in range(number):
            make_team(f"team-{n}", folder)
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
