"""The workspace a person meets on their first `make run`, and how they log in to it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from frames.sample.load import load_sample
from stackmemory.lib.tenancy import system_scope
from workspaces.models import User, Workspace
from workspaces.provision import create_workspace, new_password

SLUG = "demo"
EMAIL = "demo@example.com"
NAME = "Robin Hale"


@dataclass(frozen=True)
class Login:
    email: str
    password: str | None  # None: it is not the one we made, so only its owner knows it


def ensure_demo() -> Login:
    """Make the demo workspace, its owner and its sample where they are missing; change nothing else.

    The password is written down before the account is made, so that a run which is killed in
    between leaves nobody locked out.
    """
    password = kept_password() or keep(new_password())
    with system_scope():
        workspace = (
            Workspace.objects.filter(slug=SLUG).first()
            or create_workspace(
                slug=SLUG, name="Demo", owner_email=EMAIL, password=password
            ).workspace
        )
        owner = User.objects.filter(email=EMAIL).first()
        if owner is None:
            return Login(EMAIL, None)
        if not owner.name:
            owner.name = NAME
            owner.save(update_fields=["name"])
        load_sample(workspace=workspace, owner=owner)
        return Login(EMAIL, password if owner.check_password(password) else None)


def login_file() -> Path:
    return Path(settings.VAR_DIR) / "demo-login.json"


def kept_password() -> str | None:
    try:
        return str(json.loads(login_file().read_text())["password"])
    except (FileNotFoundError, ValueError, KeyError):
        return None


def keep(password: str) -> str:
    """Write the password where the next run finds it; readable by this account alone."""
    login_file().parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(login_file(), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump({"email": EMAIL, "password": password}, file)
    return password
