"""How the web process is served: `gunicorn -c python:stackmemory.serving stackmemory.asgi`.

gunicorn reads these names as its settings; WEB_CONCURRENCY (processes) is its own variable.
"""

from __future__ import annotations

import os
import warnings

worker_class = "asgi"
bind = f"{os.environ.get('HOST', '0.0.0.0')}:{os.environ.get('PORT', '8000')}"
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
# A deploy waits this long for requests that have begun; streams are told to reconnect.
graceful_timeout = 25
timeout = 120
keepalive = 5
# The heartbeat is a file; on a slow disk it would stall.
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None
control_socket_disable = True
accesslog = "-" if os.environ.get("ACCESS_LOG") == "1" else None

# Static files are small and read from disk by a thread; without collectstatic they have no folder.
warnings.filterwarnings("ignore", "StreamingHttpResponse must consume synchronous iterators")
warnings.filterwarnings("ignore", "No directory at")
