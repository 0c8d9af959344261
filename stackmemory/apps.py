from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate

from stackmemory import checks, schedules

__all__ = ["StackMemoryConfig", "checks"]


class StackMemoryConfig(AppConfig):
    name = "stackmemory"
    verbose_name = "StackMemory"

    def ready(self) -> None:
        post_migrate.connect(
            schedules.install,
            sender=apps.get_app_config("django_q"),
            dispatch_uid="stackmemory.schedules",
        )
