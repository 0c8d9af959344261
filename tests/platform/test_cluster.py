"""kill -9, of a worker and of a whole cluster: no job is lost, and another has it within seconds."""

from __future__ import annotations

import os
import signal
import time

import psutil

from tests.platform.cluster import cluster, kill, lines, until

ASK = """
import django; django.setup()
import sys
from stackmemory.lib.queue import enqueue
for path in sys.argv[1:]:
    enqueue("tests.platform.jobs.outlive", path)
"""
# What became of them, as soon as all is over.
OUTCOME = """
import django; django.setup()
import time
from stackmemory.models import Job
while Job.objects.exclude(state__in=("done", "dead")).exists():
    time.sleep(0.05)
print(sorted(Job.objects.values_list("state", "attempts")))
"""


def test_nothing_is_lost_by_kill_9(own_database, tmp_path, monkeypatch):
    monkeypatch.setenv("JOBS_IN_PROCESS", "0")
    database = own_database(tmp_path)
    log, worker, whole = tmp_path / "log", tmp_path / "worker", tmp_path / "whole"
    environ = database.environ(tmp_path)
    try:
        database.run(tmp_path, "-c", ASK, str(worker), str(whole))
        with cluster(environ, log) as first:
            until(lambda: lines(worker), log)
            os.kill(int(lines(worker)[0]), signal.SIGKILL)
            until(lambda: lines(whole), log)
            kill(first)
        killed = time.monotonic()
        with cluster(environ, log) as second:
            until(lambda: len(lines(whole)) == 2, log)
            assert time.monotonic() - killed < 30
            outcome = database.run(tmp_path, "-c", OUTCOME)
            # One that waits may take the queue's lock along: the cluster ends, to be started anew.
            sentinel = psutil.Process(second.pid).children()[0]
            min(sentinel.children(), key=lambda child: child.create_time()).kill()
            until(lambda: second.poll() is not None, log)
        assert outcome == "[('done', 2), ('done', 2)]"
        assert len(lines(worker)) == len(lines(whole)) == 2
    finally:
        database.drop()
