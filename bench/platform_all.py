"""Every platform benchmark, each in a process of its own; the last line is all figures as JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec

PARTS = ("platform_queue", "platform_cache", "platform_limits", "platform_sse")


def main() -> None:
    figures: dict[str, object] = {}
    for part in sys.argv[1:] or PARTS:
        name = f"bench.{part}"
        if find_spec(name) is None:
            continue
        print(f"--- {part}", flush=True)
        run = subprocess.Popen(
            [sys.executable, "-u", "-m", name], stdout=subprocess.PIPE, text=True
        )
        said = []
        for line in run.stdout or ():
            print(line, end="", flush=True)
            said.append(line)
        if run.wait():
            sys.exit(f"{part} failed")
        begins = max(number for number, line in enumerate(said) if line.startswith("{"))
        figures |= json.loads("".join(said[begins:]))
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
