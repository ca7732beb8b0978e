# make run: everything, in the foreground. make test, make check: what CI does.
# Needs Python 3.11 or newer, make and git; no compiler.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
PIP_INSTALL := $(PIP) install --require-hashes --only-binary :all:

# Tests wait for servers more than they calculate: two processes for each of two cores.
TESTS_AT_ONCE ?= 4

# Tests start hundreds of processes: none is to compile anew what it imports, also where Python is
# told to write no bytecode.
COMPILED = $(BIN)/python -m compileall -q backup_project backups_app bench launcher scripts tarkeep_client tests worker

.PHONY: help run install install-dev test faults soak check audit bench docs format lock messages shots clean

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
	@$(COMPILED)
	$(BIN)/python -m pytest -n $(TESTS_AT_ONCE) --dist loadgroup $(ARGS)

faults: install-dev ## the fault matrix: its tests, and a table row by row
	@$(COMPILED)
	$(BIN)/python -m pytest --rows -q -n $(TESTS_AT_ONCE) --dist loadgroup $(ARGS)

soak: install-dev ## hours of random kills and faults, then random sequences (ARGS="--minutes 600")
	$(BIN)/python -m tests.soak --minutes 60 $(ARGS)
	$(BIN)/python -m tests.soak.service --minutes 60 $(ARGS)
	TARKEEP_EXAMPLES=300 $(BIN)/python -m pytest -q --timeout=36000 tests/engine/test_machine.py

check: install-dev ## formatting, lint, types, known faults, Django's checks, migrations, API schema
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python scripts/check_floors.py
	DJANGO_SETTINGS_MODULE=tests.settings $(BIN)/python manage.py check --deploy --fail-level WARNING
	DJANGO_SETTINGS_MODULE=tests.settings $(BIN)/python manage.py makemigrations --check --dry-run
	DJANGO_SETTINGS_MODULE=tests.settings $(BIN)/python manage.py spectacular --validate --fail-on-warn --file /dev/null

audit: install-dev ## ask the advisory database about the pinned packages (needs a network)
	$(BIN)/uvx pip-audit@2.10.1 --strict --require-hashes --disable-pip -r requirements/base.txt

bench: install ## Tarkeep beside restic and tar+pigz+openssl+aws (ARGS="--size 2GiB")
	$(BIN)/python -m bench $(ARGS)

docs: install-dev ## write docs/commands.md from the programs' own help
	DJANGO_SETTINGS_MODULE=tests.settings $(BIN)/python -m tests.support.command_page

format: install-dev ## let ruff format and mend the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--constraints requirements/floors.txt --no-emit-index-url --no-emit-find-links --no-header --no-annotate

lock: install-dev ## write requirements/*.txt from *.in (ARGS=--upgrade for newer versions)
	$(COMPILE) $(ARGS) requirements/base.in -o requirements/base.txt
	$(COMPILE) -c requirements/base.txt requirements/service.in -o requirements/service.txt
	$(COMPILE) $(ARGS) requirements/dev.in -o requirements/dev.txt

shots: install-dev ## pictures of the dashboard in each state, into docs/img/
	$(BIN)/python -m tests.e2e.shots

# Needs GNU gettext. What was translated stays; new texts come in empty and are to be filled in.
MESSAGES := PYTHONPATH=.. DJANGO_SETTINGS_MODULE=tests.settings ../$(BIN)/django-admin
messages: install-dev ## collect the dashboard's texts for their translation, and compile it
	cd backups_app && $(MESSAGES) makemessages -l pt_BR -d django --no-location --no-wrap --no-obsolete
	cd backups_app && $(MESSAGES) makemessages -l pt_BR -d djangojs --no-location --no-wrap --no-obsolete -i "vendor/*"
	cd backups_app && $(MESSAGES) compilemessages

clean: ## remove caches and the virtual environment; data, backups and logs stay
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
