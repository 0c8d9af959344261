"""Who is acting: a person in a browser, or an agent with a key."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from stackmemory.lib.refusal import Forbidden
from workspaces.access import PERMISSIONS
from workspaces.models import ApiKey, Membership, User, Workspace

# What a key's scopes allow, in the permissions of roles.
SCOPES: dict[str, frozenset[str]] = {
    "read": PERMISSIONS["viewer"],
    "write": PERMISSIONS["member"],
    # an owner's key only, where it has a maker: no key may do more than they
    "admin": PERMISSIONS["admin"] | {"archive"},
}


@dataclass(frozen=True)
class Actor:
    """`user` is the person behind it: the one logged in, or the one who made the key, if any."""

    workspace: Workspace
    user: User | None
    permissions: frozenset[str]
    key: ApiKey | None = None

    @classmethod
    def of_member(cls, membership: Membership) -> Actor:
        permissions = PERMISSIONS.get(membership.role, frozenset())
        return cls(membership.workspace, membership.user, permissions)

    @classmethod
    def of_key(cls, key: ApiKey, membership: Membership | None) -> Actor:
        """`membership` is that of the key's maker: a key can do no more than its maker still may.

        A key that an operator made has no maker, and is bound by its scopes alone.
        """
        granted = frozenset[str]().union(*(SCOPES.get(scope, frozenset()) for scope in key.scopes))
        if key.created_by_id is not None:
            role = membership.role if membership else ""
            granted &= PERMISSIONS.get(role, frozenset())
        user = membership.user if membership else None
        return cls(key.workspace, user, granted, key)

    @property
    def project_id(self) -> uuid.UUID | None:
        """The one project a key is tied to."""
        return self.key.project_id if self.key else None

    def require(self, permission: str) -> None:
        """Raise Forbidden unless the actor may."""
        if permission not in self.permissions:
            who = "This key’s scopes do" if self.key else "Your role does"
            raise Forbidden("forbidden", f"{who} not include “{permission}”.")
