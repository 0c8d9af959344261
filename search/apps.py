from django.apps import AppConfig
from django.utils.module_loading import import_string

from frames.signals import content_changed


class SearchConfig(AppConfig):
    name = "search"
    verbose_name = "Search"

    def ready(self) -> None:
        # By name: models are there only now.
        listener = import_string("search.following.on_content_changed")
        content_changed.connect(listener, dispatch_uid="search.following")
