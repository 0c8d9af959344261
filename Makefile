# Two commands for people: `make run` and `make test`. The rest is what they are made of.
PYTHON ?= python3
PORT ?= 8000
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --no-input

.PHONY: run test dev lint types migrations test-sqlite test-postgres lock clean

run: export PORT := $(PORT)
run: $(VENV)/.base ## a working copy with a sample workspace, on SQLite, at http://localhost:$(PORT)
	@exec $(PY) manage.py run_local

test: test-sqlite test-postgres lint types migrations ## everything CI runs
	@echo "All of it passed: tests on SQLite and PostgreSQL, lint, types, migrations."

dev: $(VENV)/.dev ## what tests, checks and benchmarks need

test-sqlite: $(VENV)/.dev
	TEST_ENGINE=sqlite $(PY) -m pytest -n 2 --dist loadgroup

test-postgres: $(VENV)/.dev
	TEST_ENGINE=postgres $(PY) -m pytest -n 2 --dist loadgroup

lint: $(VENV)/.dev
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

types: $(VENV)/.dev
	$(PY) -m mypy .

migrations: $(VENV)/.dev ## none missing, and all of them forwards and back on both engines
	$(PY) -m tests.migrations

lock: $(VENV)/.dev ## versions anew, with hashes and without anyone's index address
	$(PY) -m uv pip compile --universal --python-version 3.11 --generate-hashes --no-header -q --upgrade requirements/base.in -o requirements/base.txt
	$(PY) -m uv pip compile --universal --python-version 3.11 --generate-hashes --no-header -q --upgrade requirements/dev.in -o requirements/dev.txt
	$(PY) -m uv pip compile --universal --python-version 3.11 --generate-hashes --no-header -q --upgrade requirements/bench.in -o requirements/bench.txt

clean: ## forget the environment; the data in var/ stays
	rm -rf $(VENV) staticfiles

# One rule for environment and packages, so that whatever was interrupted is made again.
$(VENV)/.base: requirements/base.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "StackMemory needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 …"; exit 1; }
	@$(PY) -m pip --version >/dev/null 2>&1 || { echo "Making $(VENV) …"; $(PYTHON) -m venv --clear $(VENV); }
	@echo "Installing …"
	@$(PIP) install -q --require-hashes -r requirements/base.txt
	@touch $@

$(VENV)/.dev: $(VENV)/.base requirements/dev.txt
	@echo "Installing what tests need …"
	@$(PIP) install -q --require-hashes -r requirements/dev.txt
	@touch $@
