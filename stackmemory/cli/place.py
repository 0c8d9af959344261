"""Where we are: the repository, its name and branch, as the hook script would tell."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path


def repository(cwd: Path) -> Path | None:
    """The folder of the repository that `cwd` is in; of a worktree that of its repository."""
    for place in (cwd, *cwd.parents):
        git = place / ".git"
        if git.is_dir():
            return place
        if git.is_file():  # a worktree: "gitdir: /repo/.git/worktrees/x"
            target = git.read_text(errors="replace").partition(":")[2].strip().replace("\\", "/")
            if "/.git/worktrees/" in target:
                return Path(target.split("/.git/worktrees/")[0])
            return place
    return None


def slug_of(name: str) -> str:
    """What the server calls a project of this name."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    words = re.sub(r"[^\w\s-]", "", plain.lower())
    return re.sub(r"[-\s]+", "-", words).strip("-_")[:50].strip("-")
