"""What each engine does its own way: finding candidates. Ranking is the same for both."""

from __future__ import annotations

from types import ModuleType

from django.db import connection

from search.backends import postgres, sqlite
from search.backends.asked import HEAD, Filters, Light, Measured, Where

__all__ = ["HEAD", "Filters", "Light", "Measured", "Where", "backend"]


def backend() -> ModuleType:
    return postgres if connection.vendor == "postgresql" else sqlite
