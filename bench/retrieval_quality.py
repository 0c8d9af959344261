"""Recall, MRR and nDCG of the product's own search on LoCoMo-format conversations, on both engines.

Each conversation becomes a project, each of its sessions a frame, each turn an event; indexed and
searched as everything is. A question searches its own conversation's turns. Scored are categories
1-4 with evidence that can be found; recall@k is the share of the evidence among the first k.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

CUTS = (5, 10, 20)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path, help="JSON in LoCoMo's format")
    parser.add_argument("--full", action="store_true", help="the same: the data decides the size")
    parser.add_argument("--engine", choices=("sqlite", "postgres"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.engine:
        print(json.dumps(run(arguments.path)))
        return
    figures: dict[str, float] = {}
    print(f"{'':18}" + "".join(f"{f'R@{k}':>8}" for k in CUTS) + f"{'MRR':>8}{'nDCG@10':>9}")
    for engine in ("sqlite", "postgres"):
        for kind, values in measured(engine, arguments.path).items():
            name = f"{engine}_{kind}"
            print(f"{name:18}" + "".join(f"{values[f]:>8.3f}" for f in values))
            figures |= {f"{name}_{f}": value for f, value in values.items()}
    print(json.dumps(figures))


def measured(engine: str, path: Path) -> dict[str, dict[str, float]]:
    """One engine's figures, from a process of its own."""
    with tempfile.TemporaryDirectory(prefix="sm-bench-") as folder:
        server = None
        if engine == "postgres":
            from tests.postgres import Server

            server = Server()
        url = server.url if server else f"sqlite:///{folder}/bench.sqlite3"
        env = os.environ | {
            "DATABASE_URL": url,
            "VAR_DIR": folder,
            "DJANGO_SETTINGS_MODULE": "stackmemory.settings",
        }
        command = [sys.executable, "-m", "bench.retrieval_quality", str(path.resolve())]
        done = subprocess.run(
            [*command, "--engine", engine], env=env, stdout=subprocess.PIPE, text=True, check=True
        )
        if server:
            server.close()
    return json.loads(done.stdout.strip().splitlines()[-1])


def run(path: Path) -> dict[str, dict[str, float]]:
    import django

    django.setup()
    from django.core.management import call_command
    from django.test import override_settings

    from search.embedders import embedder
    from search.embedding import embed_all
    from search.indexing import reindex

    call_command("migrate", verbosity=0)
    workspace, questions = load(json.loads(path.read_text()))
    reindex(workspace=workspace)
    began = time.monotonic()
    figures = {}
    with override_settings(EMBEDDINGS="none"):
        embedder.cache_clear()
        figures["lexical"] = ask(workspace, questions)
    embedder.cache_clear()
    model = embedder()
    if model is not None:
        embed_all(workspace=workspace, model=model)
        figures["hybrid"] = ask(workspace, questions)
    print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)
    return figures


def load(data: list[dict]) -> tuple[object, list[tuple[object, str, set[str]]]]:
    """Write the conversations; return the workspace and (project, question, evidence) to ask."""
    from frames import partitions
    from frames.ingest import NewEvent, append_events, event_id
    from frames.models import Frame, Project
    from stackmemory.lib.tenancy import workspace_scope
    from stackmemory.lib.uuid7 import uuid7
    from workspaces.provision import create_workspace

    workspace = create_workspace(slug="bench", name="Bench", owner_email="b@example.com").workspace
    questions = []
    for number, sample in enumerate(data):
        sessions = list(sessions_of(sample["conversation"]))
        partitions.ensure({partitions.month_of(at) for at, _ in sessions})
        with workspace_scope(workspace.id):
            project = Project.unscoped.create(workspace=workspace, slug=f"c{number}", name="c")
            known = set()
            for at, turns in sessions:
                id_ = uuid7()
                frame = Frame.unscoped.create(
                    id=id_,
                    root_id=id_,
                    workspace=workspace,
                    project=project,
                    name="Conversation",
                    started_at=at,
                )
                rows = []
                for place, turn in enumerate(turns, start=1):
                    source_id = f"{number}:{turn['dia_id']}"
                    known.add(turn["dia_id"])
                    said = {"speaker": turn["speaker"], "content": turn["text"]}
                    if turn.get("blip_caption"):
                        said["caption"] = turn["blip_caption"]
                    when = at + timedelta(seconds=place)
                    rows.append(
                        NewEvent(
                            id=event_id(workspace, source_id, when, place),
                            project_id=project.id,
                            frame_id=frame.id,
                            session_id=None,
                            type="user_message",
                            occurred_at=when,
                            seq=place,
                            payload=json.dumps(said),
                            source_id=source_id,
                        )
                    )
                append_events(workspace=workspace, rows=rows)
        for question in sample["qa"]:
            evidence = re.findall(r"D\d+:\d+", " ".join(question.get("evidence", [])))
            found = {f"{number}:{e}" for e in evidence if e in known}
            if question["category"] != 5 and found:
                questions.append((project.id, question["question"], found))
    return workspace, questions


def sessions_of(conversation: dict) -> Iterator[tuple[datetime, list[dict]]]:
    number = 1
    while f"session_{number}_date_time" in conversation:
        said = conversation[f"session_{number}_date_time"]
        at = datetime.strptime(said, "%I:%M %p on %d %B, %Y").replace(tzinfo=UTC)
        yield at, conversation.get(f"session_{number}", [])
        number += 1


def ask(workspace: object, questions: list[tuple[object, str, set[str]]]) -> dict[str, float]:
    from frames.models import Event
    from search.backends import Filters
    from search.searching import search
    from stackmemory.lib.tenancy import workspace_scope
    from workspaces.access import PERMISSIONS
    from workspaces.actor import Actor

    actor = Actor(workspace, None, PERMISSIONS["viewer"])
    scores: defaultdict[str, list[float]] = defaultdict(list)
    with workspace_scope(workspace.id):
        events = Event.objects.in_workspace(workspace)
        names = dict(events.values_list("pk", "source_id"))
        for project, question, evidence in questions:
            filters = Filters(projects=[project], kinds=["event"])
            hits = search(actor=actor, text=question, filters=filters, limit=max(CUTS))
            found = [names[hit.document.object_id] for hit in hits]
            for cut in CUTS:
                scores[f"r{cut}"].append(len(evidence & set(found[:cut])) / len(evidence))
            places = [n for n, name in enumerate(found, start=1) if name in evidence]
            scores["mrr"].append(1 / places[0] if places else 0.0)
            gain = sum(1 / math.log2(n + 1) for n in places if n <= 10)
            best = sum(1 / math.log2(n + 1) for n in range(1, min(len(evidence), 10) + 1))
            scores["ndcg10"].append(gain / best)
    return {name: round(statistics.fmean(values), 4) for name, values in scores.items()}


if __name__ == "__main__":
    main()
