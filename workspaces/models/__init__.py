from workspaces.models.membership import Membership
from workspaces.models.tenant import (
    TenantManager,
    TenantModel,
    TenantQuerySet,
    UnscopedQuery,
)
from workspaces.models.user import User
from workspaces.models.workspace import Workspace

__all__ = [
    "Membership",
    "TenantManager",
    "TenantModel",
    "TenantQuerySet",
    "UnscopedQuery",
    "User",
    "Workspace",
]
