# make run: everything, in the foreground. make test, make check: what CI does.
# Needs Python 3.11 or newer, make and git; no compiler.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
PIP_INSTALL := $(PIP) install --require-hashes --only-binary :all:

.PHONY: help run install install-dev test check bench format lock clean

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/'

run: install ## start everything; Ctrl-C stops it
	@exec $(BIN)/python -m launcher

install: $(VENV)/.installed ## the virtual environment with the pinned packages

install-dev: $(VENV)/.installed-dev ## what tests and checks need on top

# The stamps make this run again only when the requirement files have changed.
$(VENV)/.installed: requirements/base.txt pyproject.toml | $(BIN)/pip
	@echo "Installing the pinned packages into $(VENV) ..."
	@$(PIP_INSTALL) -r requirements/base.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.installed-dev: requirements/dev.txt $(VENV)/.installed
	@echo "Installing what tests and checks need ..."
	@$(PIP_INSTALL) -r requirements/dev.txt
	@touch $@

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Tarkeep needs Python 3.11 or newer; set PYTHON=python3.11 or the like." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "Python's venv module is missing. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)

test: install-dev ## the whole test suite, with the servers it needs
	$(BIN)/python -m pytest $(ARGS)

check: install-dev ## formatting, lint, types, Django's checks, migrations, API schema
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	DJANGO_SETTINGS_MODULE=tests.settings $(BIN)/python manage.py check --fail-level WARNING
	DJANGO_SETTINGS_MODULE=tests.settings $(BIN)/python manage.py makemigrations --check --dry-run
	DJANGO_SETTINGS_MODULE=tests.settings $(BIN)/python manage.py spectacular --validate --fail-on-warn --file /dev/null

bench: install ## Tarkeep beside restic and tar+pigz+openssl+aws (ARGS="--size 2GiB")
	$(BIN)/python -m bench $(ARGS)

format: install-dev ## let ruff format and mend the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header --no-annotate

lock: install-dev ## write requirements/*.txt from *.in (ARGS=--upgrade for newer versions)
	$(COMPILE) $(ARGS) requirements/base.in -o requirements/base.txt
	$(COMPILE) $(ARGS) requirements/dev.in -o requirements/dev.txt

clean: ## remove caches and the virtual environment; data, backups and logs stay
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
