"""What a workspace may use, seen and changed."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from stackmemory.lib.tenancy import workspace_scope
from workspaces import audit, limits
from workspaces.models import LimitName, Workspace

PLAN = "plan"


class Command(BaseCommand):
    help = (
        "Shows the limits of a workspace, and gives it limits of its own: NAME=NUMBER, NAME=none "
        "for no limit, NAME=plan for what its plan says."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--workspace", metavar="SLUG", required=True)
        parser.add_argument("--json", action="store_true", help="one line of JSON, for programs")
        parser.add_argument("changes", nargs="*", metavar="NAME=NUMBER")

    def handle(self, *args: Any, **options: Any) -> None:
        workspace = Workspace.objects.live().filter(slug=options["workspace"]).first()
        if workspace is None:
            raise CommandError(f"There is no workspace “{options['workspace']}”.", returncode=2)
        changes = dict(_parsed(change) for change in options["changes"])
        with workspace_scope(workspace.pk):
            before = _amounts(workspace)
            for name, amount in changes.items():
                if amount == PLAN:
                    limits.follow_plan(workspace, name)
                else:
                    limits.set_limit(workspace, name, amount)
            after = _amounts(workspace)
            if after != before:
                audit.record(
                    workspace=workspace, action="workspace.settings", target=workspace,
                    before=before, after=after,
                )  # fmt: skip
            used = limits.spent(workspace, LimitName.EVENTS)
        if options["json"]:
            self.stdout.write(json.dumps({"limits": after, "events_this_month": used}))
            return
        for name, amount in after.items():
            self.stdout.write(f"{name}: {'no limit' if amount is None else amount}")
        self.stdout.write(f"events this month: {used}")


def _amounts(workspace: Workspace) -> dict[str, int | None]:
    return {name.value: limits.allowed(workspace, name) for name in LimitName}


def _parsed(change: str) -> tuple[str, Any]:
    name, _, amount = change.partition("=")
    if name not in LimitName.values:
        known = ", ".join(LimitName.values)
        raise CommandError(f"There is no limit “{name}”. Limits are {known}.", returncode=2)
    if amount in ("none", PLAN):
        return name, None if amount == "none" else PLAN
    if not amount.isdecimal() or int(amount) >= 2**63:
        message = f"{name} is “{amount}”; it has to be a number, none or plan."
        raise CommandError(message, returncode=2)
    return name, int(amount)
