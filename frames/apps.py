from typing import Any

from django.apps import AppConfig
from django.db import connections
from django.db.models.signals import post_migrate

from frames import partitions


def make_partitions(using: str, **kwargs: Any) -> None:
    """After `migrate`, events have months to go to; after migrating away there is no table."""
    if "frames_event" in connections[using].introspection.table_names():
        partitions.make_ahead(using=using)


class FramesConfig(AppConfig):
    name = "frames"
    verbose_name = "Frames and what they hold"

    def ready(self) -> None:
        post_migrate.connect(make_partitions, sender=self, dispatch_uid="frames.partitions")
