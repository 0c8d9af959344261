"""Whether a thing was erased: asked by every way by which it could come back."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from frames.models import Erased
from stackmemory.lib.refusal import Refusal
from workspaces.models import Workspace

LOOKUP = 5_000


class WasErased(Refusal):
    """What is to be written was erased here, and stays so."""

    status = 410

    def __init__(self, what: str, *, field: str | None = None) -> None:
        message = f"The {what} of this id was erased here. It is not taken again."
        super().__init__("erased", message, field=field)


class Tombstones:
    """Of one workspace. Names that were asked for are remembered; it costs nothing where nothing
    was ever erased."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._any: bool | None = None
        self._known: dict[tuple[str, str], bool] = {}

    def has(self, kind: str, name: str | None) -> bool:
        return bool(name) and bool(self.of(kind, [name or ""]))

    def of(self, kind: str, names: Iterable[str | None]) -> set[str]:
        """Those of `names` whose thing was erased."""
        wanted = {name for name in names if name}
        if not wanted or not self._is_any():
            return set()
        unknown = [name for name in wanted if (kind, name) not in self._known]
        for start in range(0, len(unknown), LOOKUP):
            digests = {digest(name): name for name in unknown[start : start + LOOKUP]}
            rows = Erased.objects.in_workspace(self.workspace).filter(kind=kind)
            found = set(rows.filter(digest__in=digests).values_list("digest", flat=True))
            self._known |= {(kind, name): key in found for key, name in digests.items()}
        return {name for name in wanted if self._known[kind, name]}

    def add(self, kind: str, names: Iterable[str]) -> None:
        """Remember for good that these are erased."""
        wanted = set(names)
        Erased.unscoped.bulk_create(
            [Erased(workspace=self.workspace, kind=kind, digest=digest(name)) for name in wanted],
            ignore_conflicts=True,
            batch_size=1_000,
        )
        self._known |= dict.fromkeys([(kind, name) for name in wanted], True)
        self._any = self._any or bool(wanted)

    def _is_any(self) -> bool:
        if self._any is None:
            self._any = Erased.objects.in_workspace(self.workspace).exists()
        return self._any


def was_erased(workspace: Workspace, kind: str, name: str) -> bool:
    rows = Erased.objects.in_workspace(workspace)
    return rows.filter(kind=kind, digest=digest(name)).exists()


def run_name(project_id: object, run_id: str) -> str:
    """The name of a session: clients' ids of runs are their own within a project only."""
    return f"{project_id}\x1f{run_id}"


def anchor_name(origin: str, source_id: str) -> str:
    """Anchors come from several kinds of rows, each with ids of its own."""
    return f"{origin}\x1f{source_id}"


def digest(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
