"""Logging in by password is limited by rows, so that every process counts as one and none forgets.

An attempt takes from two counts, the account's and the network's, before the password is looked
at; a right password gives both back. A full count refuses even the right password until its window
has passed.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import timedelta

from django.conf import settings
from django.db.models import F
from django.http import HttpRequest
from django.utils import timezone

from workspaces.models import LoginAttempts
from workspaces.origin import network_of

WINDOW = timedelta(minutes=5)
PER_ACCOUNT = 5
# A whole office may be behind one address.
PER_NETWORK = 50


def attempt(request: HttpRequest, email: str) -> bool:
    """Count an attempt; False when there were too many already."""
    # Both are counted whatever the first says, or a full account would hide the network's count.
    of_account = _take(_account(email), PER_ACCOUNT)
    of_network = _take(_network(request), PER_NETWORK)
    return of_account and of_network


def give_back(request: HttpRequest, email: str) -> None:
    """The password was right: this attempt does not count. Earlier wrong ones still do."""
    subjects = (_account(email), _network(request))
    rows = LoginAttempts.objects.filter(subject__in=subjects, count__gt=0)
    rows.update(count=F("count") - 1)


def _take(subject: str, limit: int) -> bool:
    now = timezone.now()
    rows = LoginAttempts.objects.filter(subject=subject)
    LoginAttempts.objects.bulk_create(
        [LoginAttempts(subject=subject, since=now)], ignore_conflicts=True
    )
    if rows.filter(since__lte=now - WINDOW).update(since=now, count=1):
        return True
    return bool(rows.filter(count__lt=limit).update(count=F("count") + 1))


def _account(email: str) -> str:
    return _digest(f"account:{email.strip().lower()}")


def _network(request: HttpRequest) -> str:
    return _digest(f"network:{network_of(request)}")


def _digest(text: str) -> str:
    key = f"stackmemory.attempts:{settings.SECRET_KEY}".encode()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
