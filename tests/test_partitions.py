"""Months of the events table: made ahead, and no more than once."""

from __future__ import annotations

import io
import json
from datetime import UTC, date, datetime

import pytest
from django.core.management import call_command
from django.db import connection
from django_q.models import Schedule

from frames import partitions
from stackmemory import schedules


def maintain() -> dict[str, object]:
    out = io.StringIO()
    call_command("maintain_partitions", "--json", stdout=out)
    return json.loads(out.getvalue())


@pytest.mark.postgresql_only
def test_maintenance_makes_what_is_missing_and_then_nothing(db):
    last = partitions.ahead()[-1]
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE frames_event_{last:%Y%m}")
    assert maintain()["made"] == [f"{last:%Y-%m}"]
    again = maintain()
    assert again["made"] == []
    assert f"{last:%Y-%m}" in again["existing"]


@pytest.mark.postgresql_only
def test_words_for_people(db):
    last = partitions.ahead()[-1]
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE frames_event_{last:%Y%m}")
    out = io.StringIO()
    call_command("maintain_partitions", stdout=out)
    call_command("maintain_partitions", stdout=out)
    first, second = out.getvalue().splitlines()
    assert first == f"Made {last:%Y-%m}."
    assert second == f"Nothing to do: months up to {last:%Y-%m} exist."


@pytest.mark.sqlite_only
def test_on_one_plain_table_there_is_nothing_to_do(db):
    assert maintain() == {"status": "ok", "made": [], "existing": []}
    out = io.StringIO()
    call_command("maintain_partitions", stdout=out)
    assert "one plain table" in out.getvalue()


@pytest.mark.parametrize(
    ("at", "month"),
    [
        (datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC), date(2026, 11, 1)),
        (datetime(1970, 1, 1, tzinfo=UTC), date(2020, 1, 1)),
        (datetime(2099, 6, 1, tzinfo=UTC), date(2035, 12, 1)),
    ],
)
def test_month_of_a_time_stays_in_the_window_of_ids(at, month):
    assert partitions.month_of(at) == month


def test_ahead_crosses_the_year():
    months = partitions.ahead(datetime(2026, 11, 22, tzinfo=UTC))
    assert months == [date(2026, 11, 1), date(2026, 12, 1), date(2027, 1, 1), date(2027, 2, 1)]


def test_the_worker_makes_months_by_the_clock(db):
    assert Schedule.objects.get(func="frames.partitions.make_ahead").minutes == 24 * 60


def test_schedules_follow_the_list(db):
    Schedule.objects.update(func="gone.away")
    Schedule.objects.create(name="of an older version", func="gone.too")
    schedules.install(using="default")
    schedules.install(using="default")
    assert dict(Schedule.objects.values_list("name", "func")) == {
        name: function for name, (function, _) in schedules.SCHEDULES.items()
    }
