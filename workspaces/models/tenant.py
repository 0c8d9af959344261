"""What every table of a workspace has in common: the column, and a manager that fails closed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from django.db import models
from django.utils import timezone

from stackmemory.lib.uuid7 import uuid7

if TYPE_CHECKING:
    from workspaces.models.workspace import Workspace


class UnscopedQuery(RuntimeError):
    """A tenant table was about to be read without saying whose rows are meant."""


class TenantQuerySet(models.QuerySet[Any]):
    """The vocabulary every tenant table shares."""

    def in_workspace(self, workspace: Workspace) -> Self:
        return self.filter(workspace=workspace)


class TenantManager(models.Manager[Any]):
    """`Model.objects`: raises until scoped. Made with `TenantManager.from_queryset(...)()`.

    Related managers, constraint validation and the admin go through `Meta.default_manager_name`
    (`unscoped`) and are not affected.
    """

    def get_queryset(self) -> models.QuerySet[Any]:
        raise UnscopedQuery(
            f"{self.model.__name__}.objects has no workspace. Use .in_workspace(workspace), a "
            f"related manager such as workspace.{self.model._meta.model_name}s, or, in commands, "
            "jobs and admin only, .across_workspaces()."
        )

    def in_workspace(self, workspace: Workspace) -> Any:
        return super().get_queryset().filter(workspace=workspace)

    def across_workspaces(self) -> Any:
        """Every workspace's rows. For commands, jobs and admin; never in a view."""
        return super().get_queryset()


class TenantModel(models.Model):
    """A row that belongs to one workspace for good."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    workspace = models.ForeignKey(
        "workspaces.Workspace", on_delete=models.CASCADE, related_name="%(class)ss"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects: Any = TenantManager.from_queryset(TenantQuerySet)()
    unscoped: Any = models.Manager.from_queryset(TenantQuerySet)()

    class Meta:
        abstract = True
        default_manager_name = "unscoped"
