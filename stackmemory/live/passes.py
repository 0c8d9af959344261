"""Who may read a stream: decided when it begins, and again whenever that may have changed."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from importlib import import_module

from django.conf import settings

from stackmemory.lib.tenancy import workspace_scope
from workspaces.actor import Actor
from workspaces.models import ApiKey, Membership
from workspaces.news import Message


@dataclass(frozen=True)
class Pass:
    """What a stream was let in with: a key, or a person's login. `only` is the project asked for."""

    workspace: uuid.UUID
    key: uuid.UUID | None = None
    person: uuid.UUID | None = None
    login: str = ""
    bound_to: uuid.UUID | None = None
    only: uuid.UUID | None = None

    @property
    def holder(self) -> str:
        """Whose streams are counted together."""
        return f"key {self.key}" if self.key else f"person {self.person}"

    def admits(self, message: Message) -> bool:
        """Whether the holder may hear of this, and wants to."""
        if message.private_to is not None and message.private_to != self.person:
            return False
        return all(project in (None, message.project) for project in (self.bound_to, self.only))


def still_holds(given: Pass) -> bool:
    """Whether the stream may go on. In a scope of its own."""
    with workspace_scope(given.workspace, reading=True):
        actor = _of_key(given) if given.key else _of_person(given)
        return actor is not None and "read" in actor.permissions


def _of_key(given: Pass) -> Actor | None:
    keys = ApiKey.objects.across_workspaces().select_related("workspace")
    key = keys.filter(pk=given.key, workspace_id=given.workspace).first()
    if key is None or not key.is_usable or key.workspace.deleted_at is not None:
        return None
    membership = _membership(given.workspace, key.created_by_id) if key.created_by_id else None
    actor = Actor.of_key(key, membership)
    person = actor.user.pk if actor.user else None
    return actor if (person, actor.project_id) == (given.person, given.bound_to) else None


def _of_person(given: Pass) -> Actor | None:
    sessions = import_module(settings.SESSION_ENGINE).SessionStore()
    membership = _membership(given.workspace, given.person)
    if membership is None or membership.workspace.deleted_at is not None:
        return None
    return Actor.of_member(membership) if sessions.exists(given.login) else None


def _membership(workspace: uuid.UUID, person: uuid.UUID | None) -> Membership | None:
    memberships = Membership.objects.across_workspaces().select_related("user", "workspace")
    return memberships.filter(workspace_id=workspace, user_id=person, user__is_active=True).first()
