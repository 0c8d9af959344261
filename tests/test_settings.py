"""Settings come from the environment alone."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import environ
import pytest
from django.core.exceptions import ImproperlyConfigured

ROOT = Path(__file__).parent.parent
KEY = "k" * 25 + "0123456789abcdefghijklmnopqrstuvwxyz"
REMOTE = "postgresql://app:secret@db.example.com:5432/stackmemory"
# What docs/self-hosting.md asks for.
PRODUCTION = {
    "SITE_URL": "https://memory.example.com",
    "SECRET_KEY": KEY,
    "DATABASE_URL": REMOTE,
    "EMAIL_URL": "smtp+tls://user:password@smtp.example.com:587",
}


@pytest.fixture
def told(tmp_path, monkeypatch):
    """told(VARIABLE=…) are the settings of a process with just these variables."""

    def tell(**env: str) -> dict[str, Any]:
        clean = {"HOME": str(tmp_path), "VAR_DIR": str(tmp_path / "var")}
        with monkeypatch.context() as patch:
            patch.setattr(os, "environ", clean | env)
            patch.setattr(environ.Env, "ENVIRON", os.environ)
            return runpy.run_path(str(ROOT / "stackmemory" / "settings.py"))

    return tell


@pytest.fixture
def check(tmp_path):
    """check(…) is what `manage.py check --deploy` says: its exit code and words."""

    def deploy(**env: str) -> tuple[int, str]:
        clean = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "manage.py", "check", "--deploy", "--fail-level=WARNING"],
            cwd=ROOT,
            env=clean | {"VAR_DIR": str(tmp_path / "var")} | env,
            capture_output=True,
            text=True,
        )
        return done.returncode, done.stdout + done.stderr

    return deploy


def test_with_nothing_it_is_ones_own_copy_on_sqlite(told, tmp_path):
    settings = told()
    assert settings["DEBUG"] is False
    assert settings["SITE_URL"] == "http://localhost:8000"
    assert settings["SESSION_COOKIE_SECURE"] is False
    assert "127.0.0.1" in settings["ALLOWED_HOSTS"]
    database = settings["DATABASES"]["default"]
    assert database["ENGINE"] == "django.db.backends.sqlite3"
    assert database["NAME"] == str(tmp_path / "var" / "stackmemory.sqlite3")
    assert told()["SECRET_KEY"] == settings["SECRET_KEY"]
    assert (tmp_path / "var").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "var" / "secret_key").stat().st_mode & 0o777 == 0o600


def test_port_is_part_of_the_local_address(told):
    assert told(PORT="8123")["SITE_URL"] == "http://localhost:8123"


def test_railways_own_variables_are_enough_with_a_key(told):
    settings = told(
        RAILWAY_ENVIRONMENT="production",
        RAILWAY_PUBLIC_DOMAIN="stackmemory-production.up.railway.app",
        PORT="4321",
        SECRET_KEY=KEY,
        DATABASE_URL="postgresql://postgres:secret@postgres.railway.internal:5432/railway",
    )
    assert settings["SITE_URL"] == "https://stackmemory-production.up.railway.app"
    assert settings["CSRF_TRUSTED_ORIGINS"] == [settings["SITE_URL"]]
    assert settings["SESSION_COOKIE_SECURE"] is True
    assert settings["PRODUCTION"] is True
    assert "healthcheck.railway.app" in settings["ALLOWED_HOSTS"]
    assert "localhost" not in settings["ALLOWED_HOSTS"]
    assert settings["DATABASES"]["default"]["OPTIONS"]["sslmode"] == "require"


def test_own_address_wins_over_railways(told):
    settings = told(**PRODUCTION, RAILWAY_PUBLIC_DOMAIN="x.up.railway.app")
    assert settings["SITE_URL"] == "https://memory.example.com"
    assert "memory.example.com" in settings["ALLOWED_HOSTS"]


@pytest.mark.parametrize(
    ("env", "mode"),
    [
        ({}, "require"),
        ({"DATABASE_URL": f"{REMOTE}?sslmode=verify-full"}, "verify-full"),
        ({"DATABASE_URL": f"{REMOTE}?sslmode=disable"}, "disable"),
        ({"DATABASE_URL": "postgresql://app:x@127.0.0.1:5432/s"}, None),
        ({"DATABASE_URL": "postgresql://app:x@localhost/s"}, None),
        ({"SITE_URL": "http://localhost:8000"}, None),
    ],
)
def test_tls_to_a_remote_database_is_the_default_in_production(told, env, mode):
    database = told(**(PRODUCTION | env))["DATABASES"]["default"]
    assert database["ENGINE"] == "stackmemory.lib.postgresql"
    assert database["OPTIONS"].get("sslmode") == mode


def test_production_without_a_key_does_not_start(told):
    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY is not set") as refused:
        told(**(PRODUCTION | {"SECRET_KEY": ""}))
    assert "secrets.token_urlsafe" in str(refused.value)


def test_the_documented_production_environment_is_clean(check):
    code, words = check(**PRODUCTION)
    assert code == 0, words


def test_what_is_unsafe_is_said_with_an_id_and_a_hint(check):
    unsafe = {
        "DEBUG": "1",
        "SITE_URL": "http://memory.example.com",
        "RAILWAY_ENVIRONMENT": "production",
        "DATABASE_URL": "sqlite:////tmp/never-opened.sqlite3",
        "EMAIL_URL": "consolemail://",
        "MEDIA_ROOT": "/dev/null/files",
    }
    code, words = check(**(PRODUCTION | unsafe))
    assert code != 0
    for id_ in ("E001", "W001", "W002", "W003", "W005"):
        assert f"(stackmemory.{id_})" in words
        told = words.partition(f"(stackmemory.{id_})")[2].partition("(stackmemory.")[0]
        assert "HINT:" in told


def test_mail_goes_where_the_url_says(told):
    settings = told(**PRODUCTION)
    assert settings["EMAIL_BACKEND"].endswith("smtp.EmailBackend")
    assert (settings["EMAIL_HOST"], settings["EMAIL_PORT"]) == ("smtp.example.com", 587)
    assert settings["EMAIL_USE_TLS"] is True
