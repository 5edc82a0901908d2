# The commands of the house. From a bare clone with Python 3.11 or newer and make: `make run`, `make test`.

VENV := .venv
BIN := $(VENV)/bin
# The first Python here that is new enough; `make PYTHON=/path/to/python run` chooses another one.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
# Extra words for the program behind a target: `make test ARGS="-k booking -x"`.
ARGS ?=
PIP := $(BIN)/python -m pip --disable-pip-version-check install -qq --no-input
LOCK := $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	--no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock'

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run test check bench chaos lock clean

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1@\2/p' $(MAKEFILE_LIST) | awk -F@ '{ printf "%-14s %s\n", $$1, $$2 }'

run: $(VENV)/run.stamp ## Start everything on http://localhost:8000 with SQLite and simulated vendors
	@$(BIN)/frontdesk run $(ARGS)

test: $(VENV)/dev.stamp ## Run the tests on SQLite and on a real PostgreSQL and Valkey
	@$(BIN)/python -m pytest -q -n logical --maxprocesses 4 --dist worksteal $(ARGS)

check: $(VENV)/dev.stamp ## Lint, types, floors, spelling, settings, change notes
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/frontdesk config check
	$(BIN)/towncrier build --draft --version next > /dev/null

bench: $(VENV)/dev.stamp ## Measure the text dialogue beside its two floors
	@$(BIN)/python -m bench $(ARGS)

chaos: $(VENV)/dev.stamp ## Kill the server at random moments and prove that nothing is lost or doubled
	@$(BIN)/python -m bench.chaos $(ARGS)

lock: $(VENV)/dev.stamp ## Write requirements.txt and requirements-dev.txt anew from pyproject.toml
	$(LOCK) --group build --output-file requirements.txt $(ARGS)
	$(LOCK) --group dev --constraint requirements.txt --output-file requirements-dev.txt $(ARGS)

clean: ## Remove the environment and all caches; the data stays
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Each stamp says that what its lock names is installed. Everything is checked by hash, and our own package is built with
# what the lock brought, so nothing unlocked runs.
$(VENV)/run.stamp: requirements.txt pyproject.toml | $(BIN)/pip
	@echo "Installing what Frontdesk needs into $(VENV): once, about a minute."
	@$(PIP) --require-hashes -r requirements.txt
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.stamp: requirements-dev.txt pyproject.toml | $(BIN)/pip
	@echo "Installing what Frontdesk and its tests need into $(VENV): once, a minute or two."
	@$(PIP) --require-hashes -r requirements-dev.txt
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(BIN)/pip:
	@test -n "$(PYTHON)" || { echo "Frontdesk needs Python 3.11 or newer: make PYTHON=/path/to/python ..."; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "$(PYTHON) could not make $(VENV). On Debian and Ubuntu its venv module is the package python3-venv."; exit 1; }
