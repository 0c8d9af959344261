"""Probes: the process alone, and whether it can serve, without login, name or TLS."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client

from frames import partitions
from stackmemory import health


def test_healthz_answers_without_database_login_or_known_host(db, django_assert_num_queries):
    with django_assert_num_queries(0):
        answer = Client(headers={"host": "10.0.0.7"}).get("/healthz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "alive"}
    assert answer["Cache-Control"] == "no-store"


def test_probes_are_not_redirected_to_https(settings, db):
    settings.SECURE_SSL_REDIRECT = True
    assert Client().get("/healthz").status_code == 200
    assert Client().get("/readyz").status_code == 200


def test_readyz_when_all_is_well(db, django_assert_max_num_queries):
    Client().get("/readyz")
    with django_assert_max_num_queries(3):
        answer = Client(headers={"host": "10.0.0.7"}).get("/readyz")
    assert answer.status_code == 200, answer.content
    assert answer.json() == {"status": "ready", "read_only": False, "problems": []}


def test_readyz_names_migrations_that_wait(db, monkeypatch):
    known = health._known_migrations() | {("frames", "0999_next")}
    monkeypatch.setattr(health, "_known_migrations", lambda: known)
    answer = Client().get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {
        "status": "not ready",
        "read_only": False,
        "problems": [
            {
                "check": "migrations",
                "problem": "Not applied: frames.0999_next.",
                "mend": "Run: python manage.py migrate",
            }
        ],
    }


@pytest.mark.postgresql_only
def test_readyz_names_a_missing_month_until_it_is_made(db):
    following = partitions.ahead()[1]
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE frames_event_{following:%Y%m}")
    answer = Client().get("/readyz")
    assert answer.status_code == 503
    [problem] = answer.json()["problems"]
    assert problem["check"] == "partitions"
    assert f"{following:%Y-%m}" in problem["problem"]
    assert "maintain_partitions" in problem["mend"]
    call_command("maintain_partitions", "--json")
    assert Client().get("/readyz").status_code == 200


def test_a_database_that_does_not_answer():
    """In a process of its own, whose database is a closed port: alive, not ready, no secrets told."""
    script = (
        "import django, json; django.setup(); from django.test import Client\n"
        "alive, ready = Client().get('/healthz'), Client().get('/readyz')\n"
        "print(json.dumps([alive.status_code, ready.status_code, ready.json()]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ
        | {
            "DJANGO_SETTINGS_MODULE": "stackmemory.settings",
            "DATABASE_URL": "postgresql://someone:hunter2@127.0.0.1:1/nothing",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    alive, ready, body = json.loads(done.stdout)
    assert (alive, ready) == (200, 503)
    [problem] = body["problems"]
    assert problem["check"] == "database"
    assert "DATABASE_URL" in problem["mend"]
    assert "hunter2" not in done.stdout + done.stderr
