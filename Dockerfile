# syntax=docker/dockerfile:1
# One image, its role by command: web (the default), worker, all, migrate (stackmemory/entrypoint.sh).

FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY requirements/base.txt /requirements.txt
RUN python -m venv /venv && /venv/bin/pip install --require-hashes -r /requirements.txt
COPY . /app
WORKDIR /app
# Static files get their hashed names here; the address and key are used for nothing else.
RUN SITE_URL=https://build.invalid SECRET_KEY=build VAR_DIR=/tmp/var \
    /venv/bin/python manage.py collectstatic --noinput -v 0 \
    && /venv/bin/python -m compileall -q /app /venv

FROM python:3.13-slim
# pg_dump and pg_restore for backups, as new as the server; Debian's own are older.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates postgresql-common \
    && /usr/share/postgresql-common/pgdg/apt.postgresql.org.sh -y \
    && apt-get install -y --no-install-recommends postgresql-client-18 \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --home-dir /data --create-home stackmemory \
    && mkdir -p /data/files && chown -R stackmemory /data
COPY --from=build /venv /venv
COPY --from=build /app /app
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 VAR_DIR=/data PORT=8000
WORKDIR /app
USER stackmemory
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
    CMD ["/app/stackmemory/entrypoint.sh", "healthy"]
ENTRYPOINT ["/app/stackmemory/entrypoint.sh"]
CMD ["web"]
