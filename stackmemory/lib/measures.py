"""What is counted for /metrics, by name. Counting is in memory, shared by a web server's processes.

The processes share files in PROMETHEUS_MULTIPROC_DIR, which stackmemory/serving.py names before
anything is counted; without it each process counts for itself.
"""

from __future__ import annotations

import os
from pathlib import Path

from prometheus_client import Counter, Gauge, Histogram

if folder := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
    Path(folder).mkdir(parents=True, exist_ok=True)

requests = Counter("stackmemory_requests", "Requests answered.", ["method", "route", "status"])
request_seconds = Histogram(
    "stackmemory_request_seconds",
    "Time to an answer; of a stream, to its beginning.",
    ["route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
streams = Gauge("stackmemory_streams", "Streams that are open.", multiprocess_mode="livesum")
listeners = Gauge(
    "stackmemory_listeners", "Processes that hear the database now.", multiprocess_mode="livesum"
)
listener_cuts = Counter("stackmemory_listener_cuts", "Times a listener lost the database.")
delivered = Counter("stackmemory_news_delivered", "Messages handed to streams.")
cache_reads = Counter("stackmemory_cache_reads", "Reads of the cache.", ["found"])
