"""Roles, grants, extensions and row-level security: what a host needs once, and may repeat."""

from __future__ import annotations

import json
import os
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db import connection

from stackmemory.lib import row_security
from stackmemory.lib.tenancy import as_owner


class Command(BaseCommand):
    help = (
        "Make roles, grants, extensions and row-level security. `migrate` does this too; run it "
        "by hand after giving the database user more rights, or to make a login of lesser rights."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--app-login",
            metavar="NAME",
            help="also make a role to log in with that owns nothing; its password is read from"
            " the environment variable APP_LOGIN_PASSWORD",
        )
        parser.add_argument("--json", action="store_true")

    def handle(self, **options: Any) -> None:
        if connection.vendor != "postgresql":
            self.stdout.write("SQLite has no roles; there is nothing to set up.")
            return
        with as_owner():
            setup = row_security.install()
            if options["app_login"]:
                self._login(setup, options["app_login"])
        if options["json"]:
            self.stdout.write(json.dumps(vars(setup)))
            return
        self.stdout.write(f"Roles: {', '.join(setup.roles.values()) or 'none'}")
        self.stdout.write(f"Row-level security on {len(setup.tables)} tables")
        self.stdout.write(f"Extensions: {', '.join(setup.extensions) or 'none'}")
        for weaker in setup.weaker:
            self.stdout.write(self.style.WARNING(f"Weaker: {weaker}"))

    def _login(self, setup: row_security.Setup, name: str) -> None:
        password = os.environ.get("APP_LOGIN_PASSWORD", "")
        if not setup.roles or not password:
            self.stderr.write(
                "No login was made: "
                + ("set APP_LOGIN_PASSWORD to its password." if setup.roles else setup.weaker[-1])
            )
            sys.exit(2)
        row_security.add_login("default", name, password)
