from workspaces.models.api_key import ApiKey
from workspaces.models.audit import Audit, AuditHead
from workspaces.models.idempotency_key import IdempotencyKey
from workspaces.models.invitation import Invitation
from workspaces.models.limit import Bucket, Limit, LimitName, PlanLimit, Spending
from workspaces.models.login_attempts import AttemptLimit, LoginAttempts
from workspaces.models.login_place import LoginPlace
from workspaces.models.membership import Membership
from workspaces.models.news import News
from workspaces.models.pulse import History, Pulse
from workspaces.models.tenant import (
    TenantManager,
    TenantModel,
    TenantQuerySet,
    UnscopedQuery,
)
from workspaces.models.usage import NO_PROJECT, Usage
from workspaces.models.user import User
from workspaces.models.workspace import Workspace

__all__ = [
    "NO_PROJECT",
    "ApiKey",
    "AttemptLimit",
    "Audit",
    "AuditHead",
    "Bucket",
    "History",
    "IdempotencyKey",
    "Invitation",
    "Limit",
    "LimitName",
    "LoginAttempts",
    "LoginPlace",
    "Membership",
    "News",
    "PlanLimit",
    "Pulse",
    "Spending",
    "TenantManager",
    "TenantModel",
    "TenantQuerySet",
    "UnscopedQuery",
    "Usage",
    "User",
    "Workspace",
]
