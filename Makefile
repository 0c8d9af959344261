# Two commands for people: `make run` and `make test`. The rest is what they are made of.
PYTHON ?= python3
PORT ?= 8000
VENV := .venv
PY := $(VENV)/bin/python

.PHONY: run test dev lint types migrations test-sqlite test-postgres lock clean

run: $(VENV)/.base ## a working copy with a sample workspace, on SQLite, at http://localhost:$(PORT)
	@PORT=$(PORT) $(PY) manage.py run_local

test: test-sqlite test-postgres lint types migrations ## everything CI runs

dev: $(VENV)/.dev

test-sqlite: $(VENV)/.dev
	TEST_ENGINE=sqlite $(PY) -m pytest -n 2

test-postgres: $(VENV)/.dev
	TEST_ENGINE=postgres $(PY) -m pytest -n 2

lint: $(VENV)/.dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

types: $(VENV)/.dev
	$(VENV)/bin/mypy .

migrations: $(VENV)/.dev
	DATABASE_URL=sqlite:///:memory: $(PY) manage.py makemigrations --check --dry-run
	$(PY) -m tests.migrations_on_postgres

lock: $(VENV)/.dev ## versions anew, with hashes and without anyone's index address
	$(VENV)/bin/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header -q --upgrade requirements/base.in -o requirements/base.txt
	$(VENV)/bin/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header -q --upgrade requirements/dev.in -o requirements/dev.txt

clean:
	rm -rf $(VENV) var staticfiles

$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "StackMemory needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 …"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.base: $(PY) requirements/base.txt
	$(PY) -m pip install -q --disable-pip-version-check --require-hashes -r requirements/base.txt
	@touch $@

$(VENV)/.dev: $(VENV)/.base requirements/dev.txt
	$(PY) -m pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@
