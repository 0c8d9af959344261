#!/bin/sh
# What a container does is its command:
#   web      the site, on PORT                worker   jobs and schedules
#   all      both in one container            migrate  the database, brought up to date; then ends
#   healthy  ends well if the container is    anything else: manage.py with these arguments
set -eu
cd "$(dirname "$0")/.."
case "${1:-web}" in
    web) exec python -m gunicorn -c python:stackmemory.serving stackmemory.asgi ;;
    worker) exec python manage.py qcluster ;;
    all) exec python manage.py serve ;;
    healthy)
        # A worker has no port: it is healthy while it runs.
        grep -q qcluster /proc/1/cmdline && exit 0
        exec python -c "
import os, urllib.request as web
direct = web.build_opener(web.ProxyHandler({}))
direct.open(f'http://127.0.0.1:{os.environ.get(\"PORT\", \"8000\")}/healthz', timeout=4)
" ;;
    sh | bash | python) exec "$@" ;;
    *) exec python manage.py "$@" ;;
esac
