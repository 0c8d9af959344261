"""`python -m tests.cast` fills an empty, migrated database: two teams, and a key of every kind."""

from __future__ import annotations

import json
from datetime import timedelta

import django

django.setup()

from django.utils import timezone  # noqa: E402

from frames.models import Project  # noqa: E402
from stackmemory.lib.tenancy import system_scope  # noqa: E402
from workspaces import api_keys  # noqa: E402
from workspaces.models import ApiKey, AttemptLimit, Membership, User, Workspace  # noqa: E402

PASSWORD = "correct horse battery staple"
WRITE = ("read", "write")
SPARE = 30


def main() -> None:
    with system_scope():
        acme = Workspace.objects.create(slug="acme", name="Acme")
        globex = Workspace.objects.create(slug="globex", name="Globex")
        people = {
            name: _person(name, workspace, role)
            for name, workspace, role in (
                ("alice", acme, "owner"),
                ("bob", acme, "member"),
                ("viola", acme, "viewer"),
                ("gone", acme, "member"),
                ("charlie", globex, "owner"),
            )
        }
        projects = {
            slug: Project.unscoped.create(workspace=workspace, slug=slug, name=slug.title())
            for slug, workspace in (
                ("api", acme),
                ("web", acme),
                *((f"spare-{number}", acme) for number in range(1, SPARE + 1)),
                ("ledger", globex),
            )
        }
        keys = {
            "alice": _key(acme, people["alice"], "read", "write", "admin"),
            "bob": _key(acme, people["bob"], *WRITE),
            "reader": _key(acme, people["bob"], "read"),
            "project": _key(acme, people["bob"], *WRITE, project=projects["api"]),
            "robot": _key(acme, None, *WRITE),
            "viola": _key(acme, people["viola"], *WRITE),
            "gone": _key(acme, people["gone"], *WRITE),
            "expired": _key(acme, people["bob"], *WRITE, expired=True),
            "revoked": _key(acme, people["bob"], *WRITE, revoked=True),
            "charlie": _key(globex, people["charlie"], *WRITE),
        }
        Membership.unscoped.filter(user=people["gone"]).delete()
        # All tests ask from one address, and many with keys that open nothing.
        AttemptLimit.objects.filter(name=AttemptLimit.Name.ADDRESS).update(amount=None)
        ids = {slug: str(project.pk) for slug, project in projects.items()}
    print(json.dumps({"keys": keys, "ids": ids}))


def _person(name: str, workspace: Workspace, role: str) -> User:
    user = User.objects.create_user(f"{name}@example.com", PASSWORD, name=name.title())
    Membership.unscoped.create(workspace=workspace, user=user, role=role)
    return user


def _key(
    workspace: Workspace,
    maker: User | None,
    *scopes: str,
    project: Project | None = None,
    expired: bool = False,
    revoked: bool = False,
) -> str:
    now = timezone.now()
    key, text = api_keys.create(
        workspace=workspace,
        name="key",
        scopes=scopes,
        actor=maker,
        project_id=project.pk if project else None,
        expires_at=now - timedelta(days=1) if expired else None,
    )
    if revoked:
        ApiKey.unscoped.filter(pk=key.pk).update(revoked_at=now)
    return text


if __name__ == "__main__":
    main()
