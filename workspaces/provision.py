"""Making a workspace and, if need be, its owner's account: what an operator does first."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction

from workspaces import lifecycle
from workspaces.models import User, Workspace


class CannotProvision(Exception):
    """Why a workspace was not made, in one sentence for the operator."""


@dataclass(frozen=True)
class Provisioned:
    workspace: Workspace
    owner: User
    # Set when the account is new: shown once, stored nowhere.
    password: str | None


def create_workspace(
    *, slug: str, name: str, owner_email: str, password: str | None = None
) -> Provisioned:
    """Make the workspace with this person as its owner.

    A new e-mail address gets an account with `password` or a generated one; an existing account
    keeps its own. Raises CannotProvision, and then nothing has been written.
    """
    email = owner_email.strip().lower()
    _check_email(email)
    workspace = Workspace(slug=slug, name=name.strip())
    _check_workspace(workspace)
    try:
        with transaction.atomic():
            owner, made = _person(email, password := password or new_password())
            workspace = lifecycle.create(slug=workspace.slug, name=workspace.name, owner=owner)
    except IntegrityError as error:  # somebody else was quicker
        raise CannotProvision(f"A workspace “{slug}” exists already.") from error
    return Provisioned(workspace, owner, password if made else None)


def new_password() -> str:
    """128 random bits, easy to select with a double click."""
    return secrets.token_hex(16)


def _person(email: str, password: str) -> tuple[User, bool]:
    try:
        return User.objects.get_by_natural_key(email), False
    except User.DoesNotExist:
        return User.objects.create_user(email, password, verified=True), True


def _check_email(email: str) -> None:
    try:
        validate_email(email)
    except ValidationError as error:
        raise CannotProvision(f"“{email}” is not an e-mail address.") from error


def _check_workspace(workspace: Workspace) -> None:
    if Workspace.objects.filter(slug=workspace.slug).exists():
        raise CannotProvision(f"A workspace “{workspace.slug}” exists already.")
    try:
        workspace.clean_fields()
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise CannotProvision(f"{field}: {messages[0]}") from error
