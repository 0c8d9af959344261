"""Signing up, logging in and out, passwords, second factors, sessions."""

from __future__ import annotations

import re

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import (
    format_hotp_value,
    hotp_value,
    yield_hotp_counters_from_time,
)
from allauth.usersessions.models import UserSession
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from tests.conftest import PASSWORD
from workspaces import throttle
from workspaces.accounts import MFAAdapter
from workspaces.models import LoginAttempts, User

pytestmark = pytest.mark.django_db
SIGNUP = {"name": "Dora", "email": "dora@example.com", "password1": "a long enough secret"}


@pytest.fixture(autouse=True)
def fresh_limits():
    cache.clear()


@pytest.fixture
def verified_only(settings):
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"


def log_in(client: Client, email: str, password: str = PASSWORD, **extra):
    return client.post("/account/login/", {"login": email, "password": password}, **extra)


def links(text: str) -> list[str]:
    return re.findall(r"https?://[^/\s]+(/\S+)", text)


def current_code(secret: str) -> str:
    return format_hotp_value(hotp_value(secret, next(yield_hotp_counters_from_time())))


def test_sign_up_locally_works_without_mail(client):
    response = client.post("/account/signup/", SIGNUP, follow=True)
    assert response.request["PATH_INFO"] == "/workspaces/"
    assert "Create your first workspace" in response.text
    assert User.objects.get(email="dora@example.com").name == "Dora"


def test_sign_up_waits_for_the_address_to_be_verified(client, verified_only):
    client.post("/account/signup/", SIGNUP)
    assert client.get("/workspaces/").status_code == 302
    (path,) = links(mail.outbox[0].body)
    assert client.post(path).status_code == 302
    client.get("/account/logout/")
    assert log_in(Client(), "dora@example.com", SIGNUP["password1"]).url == "/"


def test_sign_up_does_not_tell_who_has_an_account(client, verified_only, alice):
    known = client.post("/account/signup/", SIGNUP | {"email": alice.email})
    new = Client().post("/account/signup/", SIGNUP)
    assert (known.status_code, known.url) == (new.status_code, new.url)
    assert mail.outbox[0].to == [alice.email]
    assert User.objects.count() == 2


def test_weak_password_is_refused_with_a_reason(client):
    response = client.post("/account/signup/", SIGNUP | {"password1": "12345678"})
    assert "too common" in response.text
    assert not User.objects.exists()


def test_closed_sign_up_says_how_to_get_in(client, settings):
    settings.SIGNUP_OPEN = False
    assert "by invitation" in client.get("/account/signup/").text
    client.post("/account/signup/", SIGNUP)
    assert not User.objects.exists()
    assert "/account/signup/" not in client.get("/account/login/").text


def test_login_and_logout(client, alice):
    assert log_in(client, "ALICE@example.com").url == "/"
    assert client.get("/account/").status_code == 200
    client.post("/account/logout/")
    assert client.get("/account/").status_code == 302


def test_logout_takes_a_post(login, alice):
    client = login(alice)
    assert "Log out?" in client.get("/account/logout/").text
    assert client.get("/account/").status_code == 200


def test_wrong_password_and_unknown_person_read_the_same(client, alice):
    wrong = log_in(client, alice.email, "nonsense").text
    unknown = log_in(client, "nobody@example.com", "nonsense").text
    assert "not correct" in wrong
    strip = lambda page: re.sub(r'value="[^"]*"', "", page)  # noqa: E731
    assert strip(wrong) == strip(unknown)


def test_guessing_one_account_is_stopped(client, alice):
    for _ in range(5):
        log_in(client, alice.email, "guess")
    refused = log_in(client, alice.email)
    assert "Too many failed login attempts" in refused.text
    assert client.get("/account/").status_code == 302


def test_attempts_are_counted_across_processes(client, alice, bob):
    for _ in range(throttle.PER_ACCOUNT):
        log_in(client, alice.email, "guess")
        cache.clear()  # as another process has a cache of its own
    assert "Too many" in log_in(client, alice.email.upper()).text
    assert log_in(Client(), bob.email).url == "/"
    LoginAttempts.objects.update(since=timezone.now() - throttle.WINDOW)
    assert log_in(client, alice.email).url == "/"


def test_right_passwords_use_nothing_up_and_forgive_nothing(client, alice):
    for _ in range(3):
        log_in(client, alice.email, "guess")
    for _ in range(10):
        cache.clear()
        assert log_in(Client(), alice.email).url == "/"
    log_in(client, alice.email, "guess")
    log_in(client, alice.email, "guess")
    cache.clear()
    assert "Too many" in log_in(client, alice.email).text


def test_one_network_trying_many_accounts_is_stopped(rf):
    request = rf.get("/", REMOTE_ADDR="192.0.2.1")
    neighbour = rf.get("/", REMOTE_ADDR="192.0.2.200")
    for number in range(throttle.PER_NETWORK):
        assert throttle.attempt(request, f"p{number}@example.com")
    assert not throttle.attempt(neighbour, "another@example.com")
    assert throttle.attempt(rf.get("/", REMOTE_ADDR="198.51.100.1"), "another@example.com")


def test_password_reset_by_mail(client, alice):
    client.post("/account/password/reset/", {"email": alice.email})
    (path,) = links(mail.outbox[0].body)
    response = client.get(path, follow=True)
    form = response.request["PATH_INFO"]
    new = "another long secret 9"
    client.post(form, {"password1": new, "password2": new})
    assert log_in(Client(), alice.email, new).url == "/"
    assert Client().get(path, follow=True).status_code == 200
    assert "no longer" in Client().get(path).text or "invalid" in Client().get(path).text.lower()


def test_passwords_are_argon2(settings):
    from stackmemory import settings as ours

    assert ours.PASSWORD_HASHERS[0].endswith("Argon2PasswordHasher")


def test_authenticator_app_guards_the_login(client, alice):
    log_in(client, alice.email)
    asked = client.get("/account/2fa/totp/activate/", follow=True)
    assert "Confirm" in asked.text
    page = client.post(
        asked.request["PATH_INFO"] + "?next=/account/2fa/totp/activate/",
        {"password": PASSWORD},
        follow=True,
    )
    secret = page.context["form"].secret
    client.post("/account/2fa/totp/activate/", {"code": current_code(secret)})
    stored = Authenticator.objects.get(user=alice, type="totp")
    assert secret not in str(stored.data)

    thief = Client()
    assert log_in(thief, alice.email).url.startswith("/account/2fa/authenticate/")
    assert thief.get("/account/").status_code == 302
    thief.post("/account/2fa/authenticate/", {"code": "000000"})
    assert thief.get("/account/").status_code == 302
    codes = Authenticator.objects.get(user=alice, type="recovery_codes").wrap().get_unused_codes()
    thief.post("/account/2fa/authenticate/", {"code": codes[0]})
    assert thief.get("/account/").status_code == 200


def test_admin_asks_for_the_same_login(client, alice):
    User.objects.filter(pk=alice.pk).update(is_staff=True, is_superuser=True)
    assert client.get("/admin/", follow=True).request["PATH_INFO"] == "/account/login/"
    assert client.post(
        "/admin/login/", {"username": alice.email, "password": PASSWORD}
    ).url.startswith("/account/login/")
    log_in(client, alice.email)
    assert client.get("/admin/").status_code == 200


def test_sessions_are_listed_and_ended(client, alice, bob):
    log_in(client, alice.email, headers={"user-agent": "Mozilla/5.0 (X11; Linux) Firefox/140.0"})
    phone = Client()
    log_in(phone, alice.email, headers={"user-agent": "Mozilla/5.0 (iPhone) Safari/600"})
    other = Client()
    log_in(other, bob.email)
    page = client.get("/account/sessions/").text
    assert "Firefox on Linux" in page
    assert "Safari on iPhone" in page
    theirs = UserSession.objects.get(user=bob)
    assert client.post(f"/account/sessions/{theirs.pk}/end/").status_code == 404
    assert other.get("/account/").status_code == 200
    on_phone = UserSession.objects.get(user=alice, user_agent__contains="iPhone")
    client.post(f"/account/sessions/{on_phone.pk}/end/")
    assert phone.get("/account/").status_code == 302
    assert client.get("/account/").status_code == 200


def test_ending_all_other_sessions(client, alice):
    log_in(client, alice.email)
    others = [Client(), Client()]
    for other in others:
        log_in(other, alice.email)
    client.post("/account/sessions/")
    assert [other.get("/account/").status_code for other in others] == [302, 302]
    assert client.get("/account/").status_code == 200


def test_profile_changes_the_name_and_nothing_else(login, bob):
    client = login(bob)
    data = {"name": "Robert", "email": "x@example.com", "is_staff": "1", "is_superuser": "1"}
    assert client.post("/account/", data).status_code == 302
    bob.refresh_from_db()
    assert (bob.name, bob.email, bob.is_staff) == ("Robert", "bob@example.com", False)


@pytest.mark.parametrize(
    "path",
    [
        "/account/", "/account/email/", "/account/password/change/", "/account/2fa/",
        "/account/2fa/webauthn/", "/account/sessions/", "/account/3rdparty/",
    ],
)  # fmt: skip
def test_account_pages_are_in_our_own_dress(client, alice, path):
    log_in(client, alice.email)
    page = client.get(path)
    assert page.status_code == 200
    assert 'class="account"' in page.text
    assert page.text.count("<h1") == 1


def test_github_and_google_are_offered_only_where_configured(client):
    page = client.get("/account/login/").text
    assert "GitHub" not in page
    assert "Google" not in page


def test_second_factors_outlive_a_changed_secret_key(settings):
    adapter = MFAAdapter()
    stored = adapter.encrypt("a secret")
    assert "a secret" not in stored
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "a new one"
    assert adapter.decrypt(stored) == "a secret"
