from importlib import import_module
from typing import Any

from django.apps import AppConfig, apps
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate, pre_migrate

from stackmemory import checks, isolation_checks, read_only, schedules
from stackmemory.lib import guards, pooled, row_security, tenancy

__all__ = ["StackMemoryConfig", "checks", "isolation_checks"]


def secure(using: str, **kwargs: Any) -> None:
    """After `migrate`: whatever tables there are now, their rows keep to their workspace."""
    row_security.install(using)


class StackMemoryConfig(AppConfig):
    name = "stackmemory"
    verbose_name = "StackMemory"

    def ready(self) -> None:
        pooled.forget_in_children()
        # Its models are there by now.
        import_module("stackmemory.lib.cluster").guard()
        connection_created.connect(tenancy.step_down, dispatch_uid="stackmemory.step_down")
        connection_created.connect(read_only.freeze, dispatch_uid="stackmemory.freeze")
        post_migrate.connect(
            secure, sender=apps.get_app_config("frames"), dispatch_uid="stackmemory.secure"
        )
        # Once a migrate, whichever app it is sent for.
        once = apps.get_app_config("django_q")
        pre_migrate.connect(guards.drop, sender=once, dispatch_uid="stackmemory.guards.drop")
        post_migrate.connect(guards.make, sender=once, dispatch_uid="stackmemory.guards.make")
        post_migrate.connect(schedules.install, sender=once, dispatch_uid="stackmemory.schedules")
