"""Erase somebody: from a workspace, or with their account from all of them."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from stackmemory.erasing.person import erase_account, erase_from, found_in, traces
from stackmemory.lib.tenancy import workspace_scope
from workspaces.members import CannotChange
from workspaces.models import User, Workspace


class Command(BaseCommand):
    help = (
        "Erase somebody from a workspace, or with their account from all of them. Their work for the"
        " team stays, without their name, unless --work is given."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email")
        parser.add_argument(
            "--workspace", metavar="SLUG", help="of this one only; the account stays"
        )
        parser.add_argument("--work", action="store_true", help="what they did for the team, too")
        parser.add_argument("--dry-run", action="store_true", help="say what would go, and no more")

    def handle(self, **options: Any) -> None:
        user = User.objects.filter(email=options["email"].strip().lower()).first()
        if user is None:
            raise CommandError(f"There is nobody with the address {options['email']}.")
        workspaces = found_in(user)
        if options["workspace"]:
            workspaces = [each for each in workspaces if each.slug == options["workspace"]]
            if not workspaces:
                raise CommandError(f"Nothing of them is in a workspace “{options['workspace']}”.")
        for workspace in workspaces:
            self._tell(workspace, user, options["work"])
        if options["dry_run"]:
            self.stdout.write("Nothing was changed (dry run).")
            return
        try:
            if options["workspace"]:
                erase_from(workspaces[0], user, work=options["work"], in_steps=True)
            else:
                erase_account(user, work=options["work"])
        except CannotChange as problem:
            raise CommandError(f"Nothing was changed. {problem}") from None
        what = (
            "They are erased there."
            if options["workspace"]
            else "They and their account are erased."
        )
        self.stdout.write(f"{what} Backups have them for as long as those are kept.")

    def _tell(self, workspace: Workspace, user: User, work: bool) -> None:
        with workspace_scope(workspace.pk):
            found = traces(workspace, user, work=work)
        team = "go too" if work else "stay, without their name"
        self.stdout.write(
            f"{workspace.slug}: {found.private:,} private frames go, {found.team:,} of the team {team};"
            f" {found.events:,} events, {found.keys:,} keys, {found.searches:,} saved searches and"
            f" {found.contexts:,} contexts of {found.sessions:,} sessions."
            + (f" A legal hold keeps {found.held:,} frames." if found.held else "")
        )
