"""What strangers try is limited by rows, so that every process counts as one and none forgets.

An attempt to log in by password takes from two counts, the account's and the network's, before the
password is looked at; a right password gives both back. A full count refuses even the right
password until its window has passed. A key that opens nothing takes from its address's count. How
often each may be tried are rows, too (AttemptLimit).
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import F
from django.http import HttpRequest
from django.utils import timezone

from workspaces.models import AttemptLimit, LoginAttempts
from workspaces.origin import client_ip, network_of
from workspaces.plans import ATTEMPTS

Name = AttemptLimit.Name
# As installed.
PER_ACCOUNT, PER_NETWORK = ATTEMPTS[Name.ACCOUNT][0], ATTEMPTS[Name.NETWORK][0]
WINDOW = timedelta(seconds=ATTEMPTS[Name.ACCOUNT][1])
# A full count changes nothing and returns no row; one whose window has passed begins anew.
COUNT = (
    "INSERT INTO workspaces_loginattempts AS a (subject, since, count) VALUES (%s, %s, 1)"
    " ON CONFLICT (subject) DO UPDATE SET"
    " count = CASE WHEN a.since <= %s THEN 1 ELSE a.count + 1 END,"
    " since = CASE WHEN a.since <= %s THEN excluded.since ELSE a.since END"
    " WHERE a.since <= %s OR a.count < %s RETURNING count"
)


def attempt(request: HttpRequest, email: str) -> bool:
    """Count an attempt to log in; False when there were too many already."""
    # Both are counted whatever the first says, or a full account would hide the network's count.
    limits = AttemptLimit.objects.in_bulk([Name.ACCOUNT, Name.NETWORK])
    of_account = _take(_account(email), limits.get(Name.ACCOUNT))
    of_network = _take(_network(request), limits.get(Name.NETWORK))
    return of_account and of_network


def give_back(request: HttpRequest, email: str) -> None:
    """The password was right: this attempt does not count. Earlier wrong ones still do."""
    subjects = (_account(email), _network(request))
    rows = LoginAttempts.objects.filter(subject__in=subjects, count__gt=0)
    rows.update(count=F("count") - 1)


def wrong_key(request: HttpRequest) -> int:
    """Count a key that opens nothing; 0, or after how many seconds its address may try again."""
    if settings.READ_ONLY:  # counting is writing
        return 0
    limit = AttemptLimit.objects.filter(name=Name.ADDRESS).first()
    address = _digest(f"address:{client_ip(request)}")
    return 0 if limit is None or _take(address, limit) else limit.seconds


def _take(subject: str, limit: AttemptLimit | None, now: datetime | None = None) -> bool:
    if limit is None or limit.amount is None:
        return True
    if not limit.amount:
        return False
    now = now or timezone.now()
    past = _time(now - timedelta(seconds=limit.seconds))
    with connection.cursor() as cursor:
        cursor.execute(COUNT, [subject, _time(now), past, past, past, limit.amount])
        return cursor.fetchone() is not None


def _time(at: datetime) -> Any:
    return connection.ops.adapt_datetimefield_value(at)


def _account(email: str) -> str:
    return _digest(f"account:{email.strip().lower()}")


def _network(request: HttpRequest) -> str:
    return _digest(f"network:{network_of(request)}")


def _digest(text: str) -> str:
    key = f"stackmemory.attempts:{settings.SECRET_KEY}".encode()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
