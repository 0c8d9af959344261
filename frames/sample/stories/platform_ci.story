session platform priya claude-code ci/faster days=14 hour=8.2

# task | CI in six minutes instead of eighteen
> Median CI time of dispatch-api is 18 min, people stop waiting and merge on green-ish. Get it under seven without dropping a test.
## review | Where do eighteen minutes go?
run gh run list -R tidewater-example/dispatch-api -w ci -L 50 --json databaseId,updatedAt,createdAt | python3 ci/where.py
| step                 median   p90
| checkout               0:09   0:14
| install python deps    3:41   4:20
| build image            4:52   7:31
| migrate test db        1:38   1:50
| pytest                 6:44   8:02
| mypy                   1:12   1:20
= Install, image and migrations are 10 of 18 minutes and the same on every run.
DECISION 7: CI tests run against the image that will be deployed; the image is built once per commit and its layers are cached by the hash of requirements.
## write | Cache what does not change
edit .github/workflows/ci.yml
-       - run: docker build -t dispatch-api:${{ github.sha }} .
+       - uses: docker/build-push-action@v6
+         with:
+           cache-from: type=registry,ref=ghcr.io/tidewater-example/dispatch-api:cache
+           cache-to: type=registry,ref=ghcr.io/tidewater-example/dispatch-api:cache,mode=max
+           load: true
edit Dockerfile
- COPY . /app
- RUN pip install --require-hashes -r requirements.txt
+ COPY requirements.txt /app/
+ RUN --mount=type=cache,target=/root/.cache/pip pip install --require-hashes -r requirements.txt
+ COPY . /app
fail gh workflow run ci.yml --ref ci/faster && gh run watch --exit-status
| ✘ build image: failed to solve: failed to configure registry cache exporter: denied: permission_denied: write_package
run gh api repos/tidewater-example/dispatch-api/actions/permissions/workflow
| {"default_workflow_permissions":"read","can_approve_pull_request_reviews":false}
edit .github/workflows/ci.yml
+     permissions:
+       contents: read
+       packages: write
run gh run watch --exit-status
| ✓ build image 0:41 (cached 11/13 layers)
FACT 5: The organisation gives workflows read-only tokens by default; a job that pushes a cache needs packages: write itself.
= The image builds in 41 s when requirements have not changed.
## write | A template database and four processes
< 212 migrations take 98 s, on every run. Dump the migrated schema once per hash of the migrations folder, and let each pytest worker clone it (`CREATE DATABASE … TEMPLATE`).
write ci/template_db.sh
| #!/usr/bin/env bash
| # Restore the migrated schema of this exact set of migrations, or make and keep it.
| set -euo pipefail
| key=$(git ls-files -s '*/migrations/*.py' | sha256sum | cut -c1-16)
| if ! aws s3 cp "s3://tw-ci/schema-$key.dump" /tmp/schema.dump; then
|   python manage.py migrate --noinput
|   pg_dump -Fc "$DATABASE_URL" > /tmp/schema.dump
|   aws s3 cp /tmp/schema.dump "s3://tw-ci/schema-$key.dump"
| fi
| pg_restore --no-owner -d "$DATABASE_URL" /tmp/schema.dump
### debug | Tests pass alone and fail together
fail pytest -q -n 4
| FAILED tests/pricing/test_upload.py::test_upload_is_atomic - django.db.utils.IntegrityError: duplicate key value violates unique constraint "pricing_upload_pkey"
| FAILED tests/returns/test_api.py::test_label_for_return - django.db.utils.IntegrityError: duplicate key value violates unique constraint "returns_return_pkey"
| 2 failed, 1187 passed in 118.20s
< The restored dump carries sequences from migrations that insert rows; `pg_dump -Fc` without data resets them to 1 while the rows are there again through the template. Dump with data: it's only reference tables.
run pytest -q -n 4
| 1189 passed in 109.44s
= The schema dump includes reference data and its sequences.
= Schema from a dump keyed by the migrations' hash: 4 s instead of 98 s. Four processes: pytest in 1:49.
run gh run list -w ci -L 20 --json conclusion,durationMs --jq '[.[].durationMs]|sort|.[length/2]'
| 341000
CONSTRAINT 6: ci/template_db.sh must fall back to plain migrate; a broken cache may slow CI down but never fail it.
out {"pull_request": 310, "median_seconds": 341}
= CI takes 5 min 41 s (median), the same 1,189 tests. PR 310.
