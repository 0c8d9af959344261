"""Make a workspace and, for a new e-mail address, its owner's account."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from workspaces.provision import CannotProvision, Provisioned, create_workspace


class Command(BaseCommand):
    help = (
        "Makes a workspace owned by the person with this e-mail address. A person who has no "
        "account yet gets one, with a generated password that is printed once."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--slug", required=True, help="its name in addresses: /w/SLUG/")
        parser.add_argument("--name", required=True, help="its name for people")
        parser.add_argument("--owner", required=True, metavar="EMAIL")
        parser.add_argument("--json", action="store_true", help="one line for programs")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            made = create_workspace(
                slug=options["slug"], name=options["name"], owner_email=options["owner"]
            )
        except CannotProvision as error:
            raise CommandError(str(error), returncode=2) from error
        url = f"{settings.SITE_URL}/w/{made.workspace.slug}/"
        self.stdout.write(as_json(made, url) if options["json"] else as_text(made, url))


def as_json(made: Provisioned, url: str) -> str:
    return json.dumps(
        {
            "status": "ok",
            "id": str(made.workspace.id),
            "slug": made.workspace.slug,
            "name": made.workspace.name,
            "url": url,
            "owner": made.owner.email,
            "account": "made" if made.password else "existing",
            "password": made.password,
        },
        ensure_ascii=False,
    )


def as_text(made: Provisioned, url: str) -> str:
    lines = [f"Made workspace “{made.workspace.name}” at {url}", f"Owner: {made.owner.email}"]
    if made.password:
        lines.append(f"Password: {made.password}  (shown this once; change it after logging in)")
    else:
        lines.append("They had an account already and log in as before.")
    return "\n".join(lines)
