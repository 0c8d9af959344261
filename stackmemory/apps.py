from django.apps import AppConfig


class StackMemoryConfig(AppConfig):
    name = "stackmemory"
    verbose_name = "StackMemory"
