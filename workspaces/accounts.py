"""How accounts behave here: allauth's adapters, each overriding as little as it can."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialLogin
from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.encoding import force_bytes

from workspaces import invitations, places, throttle
from workspaces.models import User


class AccountAdapter(DefaultAccountAdapter):
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return settings.SIGNUP_OPEN or invitations.remembered(request) is not None

    # The link of an invitation was mailed, so following it proves the address.
    def is_email_verified(self, request: HttpRequest, email: str) -> bool:
        invitation = invitations.remembered(request)
        return invitation is not None and invitation.email == email.lower()

    def unstash_verified_email(self, request: HttpRequest) -> str | None:
        invitation = invitations.remembered(request)
        return invitation.email if invitation else None

    # Besides allauth's own limits, which are counted in the cache and not exactly.
    def authenticate(self, request: HttpRequest, **credentials: Any) -> Any:
        email = credentials.get("email", "")
        if not throttle.attempt(request, email):
            raise self.validation_error("too_many_login_attempts")
        user = super().authenticate(request, **credentials)
        if user:
            throttle.give_back(request, email)
        return user

    def save_user(self, request: HttpRequest, user: Any, form: Any, commit: bool = True) -> Any:
        user.name = form.cleaned_data.get("name", "").strip()
        return super().save_user(request, user, form, commit)

    def post_login(self, request: HttpRequest, user: Any, **kwargs: Any) -> HttpResponse:  # type: ignore[override]
        places.note_login(request, user)
        return super().post_login(request, user, **kwargs)


class SocialAccountAdapter(DefaultSocialAccountAdapter):
    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        return AccountAdapter(request).is_open_for_signup(request)

    def populate_user(
        self, request: HttpRequest, sociallogin: SocialLogin, data: dict[str, Any]
    ) -> User:
        user = super().populate_user(request, sociallogin, data)
        names = (data.get("first_name"), data.get("last_name"))
        user.name = data.get("name") or " ".join(part for part in names if part)
        return user


class MFAAdapter(DefaultMFAAdapter):
    """Keeps TOTP secrets and recovery seeds encrypted under SECRET_KEY.

    A changed SECRET_KEY needs the old one in SECRET_KEY_FALLBACKS for as long as rows encrypted
    under it remain.
    """

    def encrypt(self, text: str) -> str:
        return _fernet().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return _fernet().decrypt(encrypted_text).decode()


def _fernet() -> MultiFernet:
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return MultiFernet([Fernet(_derived(key)) for key in keys])


def _derived(key: str | bytes) -> bytes:
    return base64.urlsafe_b64encode(hashlib.sha256(b"stackmemory.mfa:" + force_bytes(key)).digest())
