"""Make an API key for an agent or a script, and print it once."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from stackmemory.lib.tenancy import workspace_scope
from workspaces import api_keys
from workspaces.models import ApiKey, Workspace


class Command(BaseCommand):
    help = "Makes an API key of a workspace. The key is printed now and can never be had again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--workspace", required=True, metavar="SLUG")
        parser.add_argument("--name", required=True, help="what the key is for")
        parser.add_argument("--scopes", required=True, help="of read, write and admin: read,write")
        parser.add_argument("--project", metavar="SLUG", help="tie the key to one project")
        parser.add_argument("--expires-days", type=int, metavar="N", help="default: never expires")
        parser.add_argument("--json", action="store_true", help="one line for programs")

    def handle(self, *args: Any, **options: Any) -> None:
        workspace = _workspace(options["workspace"])
        days = options["expires_days"]
        if days is not None and not 0 < days <= 3650:
            raise CommandError("--expires-days must be between 1 and 3650.", returncode=2)
        try:
            with workspace_scope(workspace.id):
                key, text = api_keys.create(
                    workspace=workspace,
                    name=options["name"],
                    scopes=[
                        scope.strip() for scope in options["scopes"].split(",") if scope.strip()
                    ],
                    project_id=_project_id(workspace, options["project"]),
                    expires_at=timezone.now() + timedelta(days=days) if days else None,
                )
        except api_keys.InvalidKey as problem:
            raise CommandError(str(problem), returncode=2) from problem
        self.stdout.write(_as_json(key, text, options) if options["json"] else _as_text(key, text))


def _workspace(slug: str) -> Workspace:
    try:
        return Workspace.objects.live().get(slug=slug)
    except Workspace.DoesNotExist:
        raise CommandError(f"There is no workspace “{slug}”.", returncode=2) from None


def _project_id(workspace: Workspace, slug: str | None) -> Any:
    """Reached through the workspace: projects are an app above this one."""
    if slug is None:
        return None
    project = workspace.projects.filter(slug=slug).first()  # type: ignore[attr-defined]
    if project is None:
        raise CommandError(f"{workspace.slug} has no project “{slug}”.", returncode=2)
    return project.pk


def _as_json(key: ApiKey, text: str, options: dict[str, Any]) -> str:
    return json.dumps(
        {
            "status": "ok",
            "key": text,
            "id": str(key.pk),
            "name": key.name,
            "workspace": options["workspace"],
            "scopes": key.scopes,
            "project": options["project"],
            "expires_at": key.expires_at.isoformat() if key.expires_at else None,
        },
        ensure_ascii=False,
    )


def _as_text(key: ApiKey, text: str) -> str:
    until = f"until {key.expires_at:%Y-%m-%d}" if key.expires_at else "until it is revoked"
    return (
        f"{text}\nMay {', '.join(key.scopes)}, {until}. Shown this once; only a digest is stored."
    )
