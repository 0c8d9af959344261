"""How much a workspace may use: amounts by plan, exceptions by workspace, and what was used."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from workspaces.models.tenant import TenantModel


class LimitName(models.TextChoices):
    """What is limited. Each is counted as workspaces/limits.py says."""

    REQUESTS = "requests_per_minute", "Requests a minute, for each key"
    PERSON_REQUESTS = "requests_per_minute_person", "Requests a minute, for all keys of a person"
    ALL_REQUESTS = "requests_per_minute_all", "Requests a minute, for all keys together"
    EVENTS = "events_per_month", "Events appended in a month (UTC)"


class PlanLimit(models.Model):
    """What every workspace of a plan gets, unless it has a Limit of its own."""

    plan = models.CharField(max_length=30)
    name = models.CharField(max_length=30, choices=LimitName.choices)
    # None: no limit.
    amount = models.PositiveBigIntegerField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["plan", "name"], name="plan_limit_once"),
        ]

    def __str__(self) -> str:
        return f"{self.plan}: {self.name} {self.amount}"


class Limit(TenantModel):
    """What one workspace gets instead of what its plan says."""

    name = models.CharField(max_length=30, choices=LimitName.choices)
    amount = models.PositiveBigIntegerField(null=True, blank=True)

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["workspace", "name"], name="limit_once"),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.amount}"


class Bucket(models.Model):
    """A bucket of requests, known by when it will be full again. Not crash-safe, and need not be.

    It tells nothing of anybody and is taken from before every call of the API: no row of a
    workspace's, and no more columns than counting needs.
    """

    # The id of a key or a workspace, or what stands for a person in a workspace (limits.py).
    subject = models.UUIDField(primary_key=True)
    # Seconds since 1970, so that both engines reckon with it alike.
    full_at = models.FloatField()
    # The latest clock that took from it: one that is behind reckons with this.
    seen_at = models.FloatField()

    def __str__(self) -> str:
        return str(self.subject)


class Spending(TenantModel):
    """What a workspace has used up of a limit in a period (“2026-11”)."""

    name = models.CharField(max_length=30, choices=LimitName.choices)
    period = models.CharField(max_length=10)
    amount = models.PositiveBigIntegerField()

    class Meta(TenantModel.Meta):
        verbose_name_plural = "spending"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["workspace", "name", "period"], name="spending_once"),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.period}: {self.amount}"
