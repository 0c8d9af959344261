"""A cluster whose idle worker was killed begins anew.

Workers wait for jobs at a pipe with a lock. One that is killed while it waits takes the lock along,
and no worker of its cluster would ever get a job again. So all of it ends, and whoever keeps it
(`serve`, the container's restart policy) starts it anew; running jobs are handed out again. A worker
killed at work holds no lock, and is replaced by django-q2.
"""

from __future__ import annotations

import logging
import os
from typing import Any

from django_q.cluster import Sentinel

logger = logging.getLogger(__name__)
IDLE = -1


def guard() -> None:
    plain = Sentinel.reincarnate

    def reincarnate(self: Any, process: Any) -> None:
        worker = process in self.pool
        if worker and (process.exitcode or 0) < 0 and process.timer.value == IDLE:
            logger.critical("A waiting worker was killed; the cluster ends, to be started anew")
            for each in (*self.pool, self.monitor, self.pusher):
                each.kill()
            os._exit(1)
        plain(self, process)

    Sentinel.reincarnate = reincarnate  # type: ignore[method-assign]
