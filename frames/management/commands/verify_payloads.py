"""Check that every object that rows name is in the object store, and what it is to be."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from frames.cold import store
from frames.large import faults
from frames.management.commands.import_stackmemory import find_workspace, refuse
from frames.transfer.errors import BadStore
from stackmemory.lib.tenancy import system_scope
from workspaces.models import Workspace


class Command(BaseCommand):
    help = (
        "Read every large payload and every object of cold storage from the object store; exit 1 if"
        " one is missing or damaged."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--workspace", metavar="SLUG", help="only of this one")
        parser.add_argument("--json", action="store_true", help="the report as the last line")

    def handle(self, **options: Any) -> None:
        try:
            chosen = self._workspaces(options["workspace"])
        except BadStore as problem:
            refuse(self, str(problem), options)
        read, lost = {"payloads": 0, "cold": 0}, []
        for workspace in chosen:
            for kind, find in (("payloads", faults), ("cold", store.faults)):
                for fault in find(workspace):
                    read[kind] += 1
                    if fault is not None:
                        lost.append({"workspace": workspace.slug, **fault})
                        self.stderr.write(f"{workspace.slug}: {fault['problem']}")
        if options["json"]:
            self.stdout.write(
                json.dumps({"status": "lost" if lost else "ok", **read, "lost": lost})
            )
        else:
            self.stdout.write(
                f"{read['payloads']:,} large payloads and {read['cold']:,} objects of cold storage,"
                f" {len(lost):,} missing or damaged."
            )
        if lost:
            sys.exit(1)

    def _workspaces(self, slug: str | None) -> list[Workspace]:
        if slug:
            return [find_workspace(slug)]
        with system_scope():
            return list(Workspace.objects.filter(erased_at=None).order_by("slug"))
