"""What is different where an archive is brought by somebody who is no operator.

They become the owner, and the only member: nobody is made a member unasked. Of the others named in it
those are recognised with whom they share a workspace here; in the place of everybody else stands
somebody of that name who cannot log in, so that no address is taken, and nobody learns who has one.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from stackmemory.archive.container import Container
from stackmemory.archive.errors import BadArchive
from workspaces import audit
from workspaces.models import LimitName, Membership, PlanLimit, User, Workspace

# So many times as large as the largest upload may be what an archive unpacks to.
MOST_GROWN = 20


@dataclass(frozen=True)
class Newcomer:
    """`done` is called in the transaction that writes, once all of it is there."""

    owner: User
    most_bytes: int
    done: Callable[[Workspace], None] = lambda workspace: None

    def check(self, container: Container) -> None:
        """Raises BadArchive for what would be too much."""
        size = sum(told.bytes for told in container.parts)
        if size > MOST_GROWN * self.most_bytes:
            raise BadArchive(
                f"It would take {size >> 20:,} MB, and {MOST_GROWN * self.most_bytes >> 20:,} MB is"
                " the most that is taken this way; an operator can take it with import_workspace."
            )
        events = sum(told.rows for told in container.parts if told.name == "frames.event")
        most = _most_events()
        if most is not None and events > most:
            raise BadArchive(
                f"It holds {events:,} events, and a new workspace may have {most:,} a month; an"
                " operator can take it with import_workspace."
            )

    def people(self, people: dict[str, tuple[uuid.UUID, str]]) -> dict[str, uuid.UUID]:
        """Who rows are of from now on, by the address that the archive has."""
        shared = Membership.unscoped.filter(user=self.owner).values("workspace")
        known = User.objects.filter(
            email__in=people, memberships__workspace__in=shared, is_active=True
        )
        found: dict[str, uuid.UUID] = {user.email: user.pk for user in known.distinct()}
        found |= {self.owner.email: self.owner.pk}
        for email, (_, name) in people.items():
            if email not in found:
                shown = name or email.partition("@")[0]
                user = User(
                    email=f"archived-{uuid.uuid4().hex}@archive.invalid", name=shown[:150],
                    is_active=False,
                )  # fmt: skip
                user.set_unusable_password()
                user.save(force_insert=True)
                found[email] = user.pk
        return found

    def settle(self, workspace: Workspace, manifest: dict[str, Any]) -> list[dict[str, str]]:
        """Make it theirs; who was a member, to be invited again."""
        members = Membership.unscoped.filter(workspace=workspace)
        others = members.exclude(user=self.owner).select_related("user").order_by("user__name")
        told = [{"name": m.user.display_name, "role": m.role} for m in others]
        members.delete()
        Membership.unscoped.create(workspace=workspace, user=self.owner, role="owner")
        # Patterns that nobody here has judged would run over all that is written.
        if workspace.settings.pop("redaction", None) is not None:
            workspace.save(update_fields=["settings"])
        audit.record(
            workspace=workspace, action="workspace.imported", actor=self.owner, target=workspace,
            after={"archive of": manifest.get("made_at"), "hash": manifest.get("workspace_hash")},
        )  # fmt: skip
        self.done(workspace)
        return told


def _most_events() -> int | None:
    """What the plan of a new workspace allows in a month; None for any number."""
    plan = Workspace._meta.get_field("plan").get_default()
    rows = PlanLimit.objects.filter(plan=plan, name=LimitName.EVENTS)
    found: int | None = rows.values_list("amount", flat=True).first()
    return found
