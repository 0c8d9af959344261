"""API keys: how they are made, recognised, replaced and ended.

A key reads `sm_<public: 10>_<secret: 32><checksum: 6>`, all base62 (0-9A-Za-z):

- the public part finds the row and may be shown and logged;
- the secret has 190 random bits; of the whole key only its SHA-256 is stored (a fast hash is right
  for a value nobody can guess);
- the checksum is the CRC-32 of everything before it, most significant digit first. It is no
  secret: it lets a scanner, an editor or this module reject a typo or a cut-off key without
  asking the database.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import uuid
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.conf import settings
from django.db import models, transaction
from django.http import HttpRequest
from django.utils import timezone

from stackmemory.lib.prepared import Prepared
from stackmemory.lib.tenancy import enter_workspace, secret_scope
from workspaces import audit, news
from workspaces.models import ApiKey, User, Workspace
from workspaces.origin import person_of

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
PATTERN = re.compile(r"sm_([0-9A-Za-z]{10})_[0-9A-Za-z]{32}[0-9A-Za-z]{6}", re.ASCII)
# How long a rotated key goes on working beside its successor, unless said otherwise.
OVERLAP = timedelta(hours=24)
LAST_USED_EVERY = timedelta(minutes=1)
_by_public: Prepared[ApiKey] = Prepared(
    lambda public: (
        ApiKey.objects.across_workspaces().select_related("workspace").filter(public=public)
    ),
    public="",
)


class InvalidKey(ValueError):
    """Why a key was not made, in one sentence."""


def create(
    *,
    workspace: Workspace,
    name: str,
    scopes: Iterable[str],
    project_id: uuid.UUID | None = None,
    expires_at: datetime | None = None,
    actor: User | None = None,
    request: HttpRequest | None = None,
) -> tuple[ApiKey, str]:
    """Make a key; returns it and its text, which can never be had again.

    `project_id` must be a project of this workspace; the caller has looked it up there.
    """
    with transaction.atomic():
        key, text = _new(workspace, name.strip(), _checked(scopes), project_id, expires_at)
        key.created_by = actor or person_of(request)
        key.save(force_insert=True)
        audit.record(
            workspace=workspace,
            action="key.created",
            actor=actor,
            target=key,
            after=_described(key),
            request=request,
        )
    return key, text


def authenticate(text: str) -> ApiKey | None:
    """The usable key this text is, with its workspace; None for anything else."""
    with recognised(text) as key:
        return key


@contextmanager
def recognised(text: str) -> Iterator[ApiKey | None]:
    """Run the block with the usable key this text is, in its workspace's scope; else with None.

    A malformed text costs no query. A well-formed one costs one, and one comparison in constant
    time, whether its public part exists or not.
    """
    match = PATTERN.fullmatch(text)
    if match is None or not hmac.compare_digest(text[-6:], checksum(text[:-6])):
        yield None
        return
    with secret_scope(digest(text)):
        key = _by_public.one(public=match[1])
        matches = hmac.compare_digest(digest(text), key.digest if key else digest("nobody's"))
        if key is None or not matches or not key.is_usable or key.workspace.deleted_at is not None:
            yield None
            return
        enter_workspace(key.workspace_id)
        yield key


def note_use(key: ApiKey) -> None:
    """Remember that the key was used: at most one write a minute, which never undoes a revocation."""
    now = timezone.now()
    if settings.READ_ONLY or (key.last_used_at and now - key.last_used_at < LAST_USED_EVERY):
        return
    ApiKey.objects.in_workspace(key.workspace).filter(pk=key.pk).filter(
        models.Q(last_used_at=None) | models.Q(last_used_at__lte=now - LAST_USED_EVERY)
    ).update(last_used_at=now)


def rotate(
    key: ApiKey, *, overlap: timedelta = OVERLAP, request: HttpRequest
) -> tuple[ApiKey, str]:
    """A successor with the same rights; the old one works until `overlap` has passed.

    A key that would expire keeps its lifetime: the successor gets as many days as the old one had.
    """
    with transaction.atomic():
        now = timezone.now()
        old = (
            ApiKey.objects.in_workspace(key.workspace)
            .select_for_update()
            .usable()
            .filter(pk=key.pk)
        ).first()
        if old is None or old.replaced_by_id:
            raise InvalidKey("This key has been revoked, replaced or has expired meanwhile.")
        lifetime = old.expires_at - old.created_at if old.expires_at else None
        new, text = _new(
            key.workspace,
            old.name,
            old.scopes,
            old.project_id,
            now + lifetime if lifetime else None,
        )
        new.created_by = person_of(request)
        new.save(force_insert=True)
        until = min(old.expires_at or now + overlap, now + overlap)
        ApiKey.objects.in_workspace(key.workspace).filter(pk=old.pk).update(
            replaced_by=new, expires_at=until
        )
        audit.record(
            workspace=key.workspace,
            action="key.rotated",
            target=old,
            before=_described(old),
            after={**_described(new), "old works until": until},
            request=request,
        )
    return new, text


def revoke(key: ApiKey, *, request: HttpRequest) -> None:
    """End a key at once; a revoked one stays as it is."""
    with transaction.atomic():
        found = ApiKey.objects.in_workspace(key.workspace).filter(pk=key.pk, revoked_at=None)
        if found.update(revoked_at=timezone.now()):
            news.tell(key.workspace_id, news.ACCESS, "ended", [key.pk])
            audit.record(
                workspace=key.workspace,
                action="key.revoked",
                target=key,
                before=_described(key),
                request=request,
            )


def checksum(text: str) -> str:
    """CRC-32 in six base62 digits."""
    value, digits = zlib.crc32(text.encode("ascii")), ""
    for _ in range(6):
        value, rest = divmod(value, 62)
        digits = ALPHABET[rest] + digits
    return digits


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _new(
    workspace: Workspace,
    name: str,
    scopes: list[str],
    project_id: uuid.UUID | None,
    expires_at: datetime | None,
) -> tuple[ApiKey, str]:
    if not name:
        raise InvalidKey("A key needs a name, so that people know what it is for.")
    public = _random(10)
    body = f"sm_{public}_{_random(32)}"
    text = body + checksum(body)
    key = ApiKey(
        workspace=workspace,
        name=name,
        public=public,
        digest=digest(text),
        scopes=scopes,
        project_id=project_id,
        expires_at=expires_at,
    )
    return key, text


def _checked(scopes: Iterable[str]) -> list[str]:
    wanted, known = set(scopes), ApiKey.Scope.values
    if unknown := wanted - set(known):
        raise InvalidKey(
            f"Unknown scope: {', '.join(sorted(unknown))}. Scopes are {', '.join(known)}."
        )
    if not wanted:
        raise InvalidKey("A key needs at least one scope.")
    return [scope for scope in known if scope in wanted]


def _random(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def _described(key: ApiKey) -> dict[str, object]:
    return {
        "name": key.name,
        "key": key.shown,
        "scopes": key.scopes,
        "project": key.project_id,
        "expires": key.expires_at,
    }
