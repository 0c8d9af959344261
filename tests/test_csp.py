"""What every answer tells the browser: no inline script, no framing, TLS in production."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from tests.test_access import INSIDE_PAGES
from tests.things import things

ROOT = Path(settings.BASE_DIR)
PAGES = [
    "/account/login/",
    "/account/signup/",
    "/account/password/reset/",
    "/invitations/x/",
    "/nothing/",
]


def policy(response) -> dict[str, list[str]]:
    parts = (part.split() for part in response["Content-Security-Policy"].split(";"))
    return {name: values for name, *values in parts}


@pytest.mark.django_db
@pytest.mark.parametrize("path", PAGES)
def test_policy_of_public_pages(path):
    found = policy(Client().get(path))
    assert found["default-src"] == ["'none'"]
    assert found["object-src"] == found["base-uri"] == found["frame-ancestors"] == ["'none'"]
    assert found["form-action"] == ["'self'"]
    for directive, values in found.items():
        assert not {"'unsafe-inline'", "'unsafe-eval'", "*", "https:", "http:"} & set(values), (
            directive
        )
        assert "data:" not in values or directive == "img-src"


@pytest.mark.django_db
def test_pages_carry_nothing_inline(login, alice, acme):
    values, client = things(acme), login(alice)
    alice.is_staff = alice.is_superuser = True
    alice.save()
    urls = [route.url(values) for route in INSIDE_PAGES]
    urls += ["/", "/workspaces/", "/workspaces/new/", "/account/", "/account/email/", "/admin/"]
    looked = 0
    for url in urls:
        response = client.get(url, follow=True)
        assert response.status_code == 200, url
        if response["Content-Type"].startswith("text/html"):
            assert "script-src" in policy(response), url
            assert inline(response.text, policy(response)) == [], url
            looked += 1
    assert looked > 25


class Inline(HTMLParser):
    """Collects whatever the policy would stop, or would have to be loosened for."""

    def __init__(self, script_sources: list[str]) -> None:
        super().__init__()
        self.script_sources, self.found, self.in_script = script_sources, [], False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        for name, value in values.items():
            if name.startswith("on") or name == "style":
                self.found.append(f"<{tag} {name}>")
            goes = name in ("href", "src", "action", "formaction", "data")
            if goes and re.match(r"\s*(javascript|data:text)", value, re.I):
                self.found.append(f"<{tag} {name}={value[:40]}>")
        allowed = f"'nonce-{values.get('nonce')}'" in self.script_sources
        if tag == "style" and not allowed:
            self.found.append("<style>")
        if tag == "script":
            self.in_script = values.get("type") != "application/json" and not allowed
            if "src" in values and not values["src"].startswith("/static/"):
                self.found.append(f"script from {values['src']}")

    def handle_data(self, data: str) -> None:
        if self.in_script and data.strip():
            self.found.append(f"script: {data.strip()[:60]}")

    def handle_endtag(self, tag: str) -> None:
        self.in_script = self.in_script and tag != "script"


def inline(html: str, found: dict[str, list[str]]) -> list[str]:
    parser = Inline(found["script-src"])
    parser.feed(html)
    return parser.found


@pytest.mark.django_db
def test_other_headers(client):
    response = client.get("/account/login/")
    assert response["X-Frame-Options"] == "DENY"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Referrer-Policy"] == "same-origin"
    assert response["Cross-Origin-Opener-Policy"] == "same-origin"


def test_inline_finder_finds():
    strict = {"script-src": ["'self'", "'nonce-abc'"]}
    bad = [
        "<script>alert(1)</script>",
        '<script nonce="other">x()</script>',
        '<img src="x" onerror="x()">',
        "<style>p{}</style>",
        '<p style="color: red">',
        '<a href="javascript:x()">',
        '<script src="https://evil.example/x.js"></script>',
    ]
    assert all(inline(html, strict) for html in bad)
    good = '<script nonce="abc">x()</script><script type="application/json">{}</script><script src="/static/x.js"></script>'
    assert inline(good, strict) == []


PRODUCTION = {
    "SITE_URL": "https://memory.example",
    "SECRET_KEY": "0123456789 a long random value, made for this test alone 9876543210",
    "DATABASE_URL": "postgresql://u:p@db.example/x",
    "EMAIL_URL": "smtp+tls://u:p@smtp.example:587",
}


def in_production(code: str, **changes: str) -> str:
    """Run code with a production environment, in a process of its own; returns what it prints."""
    keep = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    with tempfile.TemporaryDirectory() as var:
        done = subprocess.run(
            [sys.executable, "-c", f"import os; os.environ['DJANGO_SETTINGS_MODULE'] = 'stackmemory.settings'\n{code}"],
            env=keep | PRODUCTION | {"VAR_DIR": var} | changes,
            cwd=ROOT, capture_output=True, text=True,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_production_settings_are_safe_by_default_and_pass_the_checks_of_a_deploy():
    code = """
from django.conf import settings as s
assert s.SESSION_COOKIE_SECURE and s.CSRF_COOKIE_SECURE and s.SESSION_COOKIE_HTTPONLY
assert s.SECURE_SSL_REDIRECT and s.SECURE_HSTS_SECONDS >= 31_536_000
assert s.SECURE_HSTS_INCLUDE_SUBDOMAINS and s.SECURE_HSTS_PRELOAD
assert s.ALLOWED_HOSTS == ["memory.example"] and not s.DEBUG
assert s.CSRF_TRUSTED_ORIGINS == ["https://memory.example"]
assert s.ACCOUNT_EMAIL_VERIFICATION == "mandatory"
assert s.ACCOUNT_DEFAULT_HTTP_PROTOCOL == "https"
assert not s.MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN and not s.MFA_ALLOW_UNVERIFIED_EMAIL
import django; django.setup()
from django.core.management import call_command
call_command("check", "--deploy", "--fail-level", "WARNING")
print("clean")
"""
    assert in_production(code).strip().endswith("clean")


def test_github_and_google_appear_when_their_ids_are_given():
    code = """
import django; django.setup()
from django.conf import settings
from django.urls import reverse
print(reverse("github_login"), reverse("google_login"))
print(settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]["form-action"])
"""
    ids = {f"{p}_CLIENT_{part}": "x" for p in ("GITHUB", "GOOGLE") for part in ("ID", "SECRET")}
    out = in_production(code, **ids)
    assert "/account/github/login/ /account/google/login/" in out
    assert "https://github.com" in out
    assert "https://accounts.google.com" in out
