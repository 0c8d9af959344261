"""Check the audit log's chains."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from stackmemory.lib.tenancy import workspace_scope
from workspaces import audit
from workspaces.models import Workspace

SHOWN = 20


class Command(BaseCommand):
    help = (
        "Checks every audit chain, or one: a changed, missing, added or moved entry and a cut-off "
        "end are named, and the exit status is 1. Each whole chain's end is printed; kept "
        "elsewhere and given back by --head, it also shows a chain rewritten since."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--workspace", metavar="SLUG", help="default: all, deleted ones too")
        parser.add_argument(
            "--head", metavar="SEQ:HASH", help="an end printed earlier, which must still be there"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        broken = 0
        for workspace in _workspaces(options["workspace"]):
            with workspace_scope(workspace.id):
                found = list(audit.faults(workspace, head=_head(options["head"])))
                end = audit.head(workspace)
            if found:
                broken += 1
                self._report(workspace, found)
            else:
                self.stdout.write(f"{workspace.slug}: whole, {end.seq} entries, head {end}")
        if broken:
            raise CommandError(f"{broken} broken audit chain{'s' if broken > 1 else ''}.")

    def _report(self, workspace: Workspace, found: list[audit.Fault]) -> None:
        for fault in found[:SHOWN]:
            self.stdout.write(f"{workspace.slug}: {fault}")
        if len(found) > SHOWN:
            self.stdout.write(f"{workspace.slug}: … and {len(found) - SHOWN} more")


def _workspaces(slug: str | None) -> Any:
    if slug is None:
        return Workspace.objects.order_by("slug")
    found = Workspace.objects.filter(slug=slug)
    if not found:
        raise CommandError(f"There is no workspace “{slug}”.", returncode=2)
    return found


def _head(text: str | None) -> tuple[int, str] | None:
    if text is None:
        return None
    seq, _, value = text.partition(":")
    if not seq.isdecimal() or not value:
        raise CommandError("--head wants SEQ:HASH, as printed by an earlier run.", returncode=2)
    return int(seq), value
