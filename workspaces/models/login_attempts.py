"""How often something was tried of late that only strangers try often, and how often it may be."""

from __future__ import annotations

from django.db import models


class AttemptLimit(models.Model):
    """How often something may be tried: `amount` times in `seconds`. An operator's to change."""

    class Name(models.TextChoices):
        ACCOUNT = "logins_per_account", "Logins tried with one e-mail address"
        NETWORK = "logins_per_network", "Logins tried from one network"
        ADDRESS = "wrong_keys_per_address", "API keys that open nothing, from one address"

    name = models.CharField(max_length=30, choices=Name.choices, primary_key=True)
    # None: as often as one likes.
    amount = models.PositiveIntegerField(null=True, blank=True)
    seconds = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.name}: {self.amount} in {self.seconds} s"


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
