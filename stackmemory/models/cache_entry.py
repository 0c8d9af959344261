"""What the cache holds; lib/cache.py reads and writes it."""

from __future__ import annotations

from django.db import models


class CacheEntry(models.Model):
    """One value. On PostgreSQL the table is unlogged: quick, and empty after a crash of the server."""

    key = models.TextField(primary_key=True)
    # A whole number stands here as one, so that it can be added to in one statement.
    number = models.BigIntegerField(null=True)
    value = models.BinaryField(null=True)
    # Seconds since 1970; null: never.
    expires = models.FloatField(null=True)

    class Meta:
        # No index besides the key's, so that a new value can lie where the old one did.
        verbose_name_plural = "cache entries"

    def __str__(self) -> str:
        return self.key
