"""How often logging in was tried of late: by account and by network."""

from __future__ import annotations

from django.db import models


class LoginAttempts(models.Model):
    """One row a subject and no more, so that counting is a conditional UPDATE."""

    # A keyed digest: the table says of nobody that they tried.
    subject = models.CharField(max_length=64, primary_key=True)
    since = models.DateTimeField()
    count = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name_plural = "login attempts"

    def __str__(self) -> str:
        return f"{self.count} since {self.since:%H:%M}"
