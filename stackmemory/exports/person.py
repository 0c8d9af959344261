"""What is kept about one person, for that person: their account, and what is theirs in each team."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from django.db.models import Q
from django.utils import timezone

from frames.cold.container import as_event
from frames.losses import Losses
from frames.models import AgentSession, Anchor, Event, Frame, HandOff, Task
from frames.transfer.reading import events_of, groups, parts
from search.models import SavedSearch
from stackmemory.archive.rows import EVENT_ORDER, plain
from stackmemory.lib.tenancy import person_scope, system_scope, workspace_scope
from workspaces.models import ApiKey, Audit, Membership, User

FORMAT, VERSION = "stackmemory-person", 1
Row = dict[str, Any]


def lines_about(user: User) -> Iterator[bytes]:
    """One JSON document, piece by piece. No secret is in it, nor anybody else's private frame.

    Each piece is read in a scope of its own, so that it may be sent while it is made.
    """
    with person_scope(user.pk):
        about = _account(user)
        memberships = list(
            Membership.objects.across_workspaces()
            .filter(user=user, workspace__deleted_at=None)
            .select_related("workspace")
            .order_by("workspace__slug")
        )
    head = {"format": FORMAT, "version": VERSION, "made_at": plain(timezone.now()), **about}
    yield (_json(head)[:-1] + ',\n"workspaces":[').encode()
    for number, membership in enumerate(memberships):
        yield (",\n" if number else "\n").encode()
        yield from _workspace(user, membership)
    yield b'],\n"audit":['
    yield from _listed(_audit(user))
    yield b"]}\n"


def _account(user: User) -> Row:
    addresses = EmailAddress.objects.filter(user=user)
    return {
        "account": {
            "id": str(user.pk),
            "email": user.email,
            "name": user.name,
            "joined_at": plain(user.date_joined),
            "last_login_at": plain(user.last_login),
        },
        "email_addresses": list(addresses.values("email", "verified", "primary")),
        "second_factors": [
            {"type": each.type, "created_at": plain(each.created_at), "last_used_at": plain(each.last_used_at)}
            for each in Authenticator.objects.filter(user=user)
        ],
        "other_accounts": list(SocialAccount.objects.filter(user=user).values("provider", "uid")),
        "browsers": [
            {
                "ip": str(each.ip), "agent": each.user_agent, "since": plain(each.created_at),
                "last_seen_at": plain(each.last_seen_at),
            }
            for each in UserSession.objects.filter(user=user)
        ],
    }  # fmt: skip


def _workspace(user: User, membership: Membership) -> Iterator[bytes]:
    workspace = membership.workspace
    with workspace_scope(workspace.pk):
        about: Row = {
            "slug": workspace.slug,
            "name": workspace.name,
            "role": membership.role,
            "since": plain(membership.created_at),
            "last_seen_at": plain(membership.last_seen_at),
            "keys": [
                {
                    "name": key.name, "shown": key.shown, "scopes": key.scopes,
                    "created_at": plain(key.created_at), "expires_at": plain(key.expires_at),
                    "revoked_at": plain(key.revoked_at), "last_used_at": plain(key.last_used_at),
                }
                for key in ApiKey.objects.in_workspace(workspace).filter(created_by=user)
            ],
            "saved_searches": list(
                SavedSearch.objects.in_workspace(workspace).filter(user=user).values("name", "query")
            ),
            "sessions": _rows(
                AgentSession.objects.in_workspace(workspace).filter(user=user).order_by("pk"),
                "id", "client", "branch", "host", "started_at", "last_seen_at", "ended_at",
            ),
            "hand_offs": _rows(
                HandOff.objects.in_workspace(workspace)
                .filter(Q(from_user=user) | Q(to_user=user)).order_by("pk"),
                "id", "frame_id", "message", "state", "answer", "created_at", "answered_at",
            ),
        }  # fmt: skip
        frames = Frame.objects.in_workspace(workspace).filter(owner=user).order_by("pk")
        counted = list(frames.values_list("pk", "event_count"))
    yield (_json(about)[:-1] + ',\n"frames":[').encode()
    first = True
    for ids in parts([pk for pk, _ in counted], 50):
        with workspace_scope(workspace.pk):
            rows = _frames(user, workspace, ids)
        for row in rows:
            yield ("\n" if first else ",\n").encode() + _json(row).encode()
            first = False
    yield b'],\n"events":['
    first = True
    query, losses = Event.objects.in_workspace(workspace), Losses()
    for group in groups(counted):
        found = events_of(
            query, group, EVENT_ORDER, workspace_id=workspace.pk,
            cold=lambda row: as_event(row, workspace.pk), losses=losses,
        )  # fmt: skip
        while True:
            with workspace_scope(workspace.pk):
                events = next(found, None)
            if events is None:
                break
            for event in events:
                yield ("\n" if first else ",\n").encode() + _json(
                    _event(losses.whole(event))
                ).encode()
                first = False
    yield f'],\n"lost":{json.dumps(losses.told())}}}'.encode()


def _frames(user: User, workspace: Any, ids: list[Any]) -> list[Row]:
    rows = _rows(
        Frame.objects.in_workspace(workspace).filter(pk__in=ids).order_by("pk"),
        "id", "name", "type", "state", "visibility", "started_at", "closed_at", "inputs", "outputs",
        "digest_text",
    )  # fmt: skip
    for name, model, fields in (
        ("anchors", Anchor, ("type", "text", "priority", "noted_at")),
        ("tasks", Task, ("title", "description", "status", "opened_at")),
    ):
        held: dict[str, list[Row]] = {}
        query = model.objects.in_workspace(workspace).filter(frame__in=ids).order_by("pk")
        for row in _rows(query, "frame_id", *fields):
            held.setdefault(row.pop("frame_id"), []).append(row)
        for row in rows:
            row[name] = held.get(row["id"], [])
    return rows


def _event(event: Event) -> Row:
    return {
        "id": str(event.pk), "frame_id": str(event.frame_id), "type": event.type, "seq": event.seq,
        "occurred_at": plain(event.occurred_at), "payload": event.payload,
    }  # fmt: skip


def _audit(user: User) -> Iterator[Row]:
    """What the logs say that they did, and that was done to them; in teams they have left, too."""
    theirs = Q(actor_id=user.pk) | Q(target_id=str(user.pk))
    last = None
    while True:
        with system_scope():
            found = Audit.objects.across_workspaces().filter(theirs).order_by("pk")
            found = found.filter(pk__gt=last) if last else found
            entries = list(found.select_related("workspace")[:500])
        for entry in entries:
            mine = entry.actor_id == user.pk
            told = {"details": entry.data} if mine else {}
            yield {
                "workspace": entry.workspace.slug, "at": plain(entry.created_at),
                "action": entry.action, "by_you": mine, **told,
            }  # fmt: skip
        if len(entries) < 500:
            return
        last = entries[-1].pk


def _rows(query: Any, *fields: str) -> list[Row]:
    return [
        {name: plain(value) for name, value in zip(fields, values, strict=True)}
        for values in query.values_list(*fields)
    ]


def _listed(rows: Iterator[Row]) -> Iterator[bytes]:
    for number, row in enumerate(rows):
        yield (",\n" if number else "\n").encode() + _json(row).encode()


def _json(value: Row) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
