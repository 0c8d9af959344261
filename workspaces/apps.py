from django.apps import AppConfig
from django.db.models.signals import post_migrate

from workspaces import plans


class WorkspacesConfig(AppConfig):
    name = "workspaces"
    verbose_name = "Workspaces and people"

    def ready(self) -> None:
        post_migrate.connect(plans.install, sender=self, dispatch_uid="workspaces.plans")
