"""Filtered vector search: the product's against exact comparison and against ChromaDB, in turns."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.search_data import Data
from bench.search_load import MODEL
from bench.serving import ROOT

# As many nearest are asked for of either side.
QUESTIONS, WARM, NEAREST = 250, 20, 10
ENVIRONMENT = ROOT / "var" / "bench-search"


def compare(data: Data, home: Path, *, with_chroma: bool) -> dict[str, Any]:
    """Medians and recall of both sides, each question asked of one right after the other."""
    from django.db import connection

    from search import vectors
    from search.backends import Filters, Where, backend
    from stackmemory.lib.tenancy import workspace_scope
    from workspaces.models import Workspace

    questions = list(data.questions(QUESTIONS + WARM, seed=5))
    known = {w.pk: w for w in Workspace.objects.filter(pk__in=data.workspaces)}
    number_of = {data.id_of(n): n for n in range(len(data.of))}
    chroma = started(data, questions, home) if with_chroma else None
    times: dict[str, list[float]] = {"ours": [], "chroma": []}
    recall: dict[str, list[float]] = {"ours": [], "chroma": []}
    by_size: dict[str, list[float]] = {"small": [], "large": []}
    connection.ensure_connection()
    for number, (place, _, vector) in enumerate(questions):
        workspace = known[data.workspaces[place]]
        began = time.perf_counter()
        with workspace_scope(workspace.pk):
            (kept,) = vectors.sets_of(workspace)
            where = Where(MODEL, kept.dimension, kept.bucket)
            rows = backend().by_vector(workspace, vector, where, Filters(), NEAREST)
        ms = (time.perf_counter() - began) * 1000
        if number < WARM:
            continue
        right = exact(data, place, vector)
        times["ours"].append(ms)
        by_size["small" if kept.bucket is None else "large"].append(ms)
        recall["ours"].append(share([number_of[id_] for id_, _ in rows], right))
        if chroma:
            chroma.stdin.write(f"{number}\n")
            chroma.stdin.flush()
            answer = json.loads(chroma.stdout.readline())
            times["chroma"].append(answer["ms"])
            recall["chroma"].append(share(answer["found"], right))
    if chroma:
        chroma.stdin.close()
        chroma.wait(60)
    figures = {"recall_at_10": round(float(np.mean(recall["ours"])), 4)}
    for side, ms in [*times.items(), *((f"ours_{name}", ms) for name, ms in by_size.items())]:
        if ms:
            figures |= {f"{side}_vector_p{p}_ms": at(ms, p) for p in (50, 95, 99)}
    if chroma:
        figures["chroma_recall_at_10"] = round(float(np.mean(recall["chroma"])), 4)
        ratio = np.median(times["chroma"]) / np.median(times["ours"])
        figures["chroma_vs_ours"] = round(float(ratio), 2)
        figures["chroma_vs_ours_mean"] = round(
            float(np.mean(times["chroma"]) / np.mean(times["ours"])), 2
        )
    return figures


def exact(data: Data, place: int, vector: np.ndarray) -> set[int]:
    ours = np.flatnonzero(data.of == place)
    near = data.vectors[ours].astype(np.float32) @ vector
    return set(ours[np.argsort(-near)[:NEAREST]].tolist())


def share(found: list[int], right: set[int]) -> float:
    return len(set(found) & right) / len(right)


def started(data: Data, questions: list[Any], home: Path) -> subprocess.Popen[str]:
    """ChromaDB with everything in it, in a process of its own."""
    folder = home / "chroma"
    folder.mkdir()
    np.save(folder / "vectors.npy", data.vectors)
    np.save(folder / "owners.npy", data.of)
    np.save(folder / "questions.npy", np.array([v for _, _, v in questions], dtype=np.float32))
    np.save(folder / "asking.npy", np.array([place for place, _, _ in questions]))
    process = subprocess.Popen(
        [python(), ROOT / "bench" / "search_chroma.py", folder],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | {"TMPDIR": str(home)},
    )  # fmt: skip
    first = process.stdout.readline() if process.stdout else ""
    if not first:
        raise SystemExit("ChromaDB did not start.")
    made = json.loads(first)
    print(f"ChromaDB {made['version']} took {made['seconds']} s for its index", file=sys.stderr)
    return process


def python() -> Path:
    """Of an environment with ChromaDB, which is made where there is none: nothing else needs it."""
    found = ENVIRONMENT / "bin" / "python"
    done = ENVIRONMENT / "done"
    if not done.exists():
        print("Installing ChromaDB into var/bench-search …", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", ENVIRONMENT], check=True)
        pip = [found, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        locked = ROOT / "requirements" / "bench.txt"
        subprocess.run(
            [*pip, "--require-hashes", "-r", locked],
            check=True,
            stdout=sys.stderr,
            stderr=subprocess.DEVNULL,
        )
        done.touch()
    return found


def at(values: list[float], percent: int) -> float:
    return round(float(np.percentile(values, percent)), 2)
