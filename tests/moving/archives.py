"""Archives as somebody else would write them."""

from __future__ import annotations

import json
import zipfile

from stackmemory.archive.hashing import combined, of_lines
from stackmemory.lib.uuid7 import uuid7

# An id that no archive has.
ELSEWHERE = str(uuid7())


def parts_of(path):
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name).decode() for name in file.namelist()}


def rewrite(path, change, *, honest=True):
    """The archive with one part changed; an honest forger mends the manifest too."""
    content = parts_of(path)
    manifest = json.loads(content.pop("manifest.json"))
    change(content, manifest)
    sums = []
    for part in manifest["parts"] if honest else []:
        text = content.get(part["file"])
        if text is not None:
            found = of_lines(
                part["name"], text.encode("utf-8", "surrogatepass").splitlines(keepends=True)
            )
            part.update(found._asdict())
            sums.append(found)
    if honest:
        manifest["workspace_hash"] = combined(sums)
    forged = path.with_name("forged.zip")
    with zipfile.ZipFile(forged, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in content.items():
            file.writestr(name, text.encode("utf-8", "surrogatepass"))
        file.writestr("manifest.json", json.dumps(manifest))
    return forged


def row_change(part, **values):
    def change(content, manifest):
        lines = content[f"rows/{part}.jsonl"].splitlines()
        row = json.loads(lines[0]) | values
        lines[0] = json.dumps(row, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        content[f"rows/{part}.jsonl"] = "\n".join(lines) + "\n"

    return change
