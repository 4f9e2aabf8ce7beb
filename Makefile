# Everything a checkout needs. `make` alone prints what there is.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help
help: ## print this list
	@echo "Trial notifier. What make can do here:"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# The first lock is what the service needs, the second what its tests and checks need besides.
$(VENV)/.ready: requirements.lock pyproject.toml
	@PYTHON="$(PYTHON)" VENV="$(VENV)" sh bin/setup requirements.lock
	@touch $@

$(VENV)/.ready-dev: requirements-dev.lock $(VENV)/.ready
	@PYTHON="$(PYTHON)" VENV="$(VENV)" sh bin/setup requirements-dev.lock
	@touch $@

.PHONY: setup
setup: $(VENV)/.ready-dev ## install everything into .venv (the other targets do it when needed)

.PHONY: run
run: $(VENV)/.ready ## start the whole service here; Ctrl-C stops it
	@exec $(BIN)/notifier up

# The plain run leaves out what needs a browser, minutes, or a kill; MARKS= runs everything.
MARKS := not browser and not faults and not slow
# A worker for each processor, with servers of its own; WORKERS=0 runs one test after the other.
WORKERS := auto
PARALLEL = -n $(WORKERS) --maxprocesses 8

.PHONY: test
test: setup ## run the tests; says what was skipped and why
	@$(BIN)/python -m pytest $(PARALLEL) -m "$(MARKS)"

.PHONY: coverage
coverage: setup ## run the plain tests and list the lines and branches they miss
	@$(BIN)/python -m pytest -q $(PARALLEL) -m "$(MARKS)" --cov

.PHONY: test-browser
test-browser: setup ## run the tests that need a Chromium
	@$(BIN)/python -m pytest -m browser

.PHONY: test-slow
test-slow: setup ## run the tests that install, clone and kill
	@$(BIN)/python -m pytest -m "(slow or faults) and not browser"

# CHAOS="--only Redis" for some rows, --engine sqlite for one engine, --short for fewer readers and kills.
CHAOS :=

.PHONY: chaos
chaos: setup ## break everything that can break while mails go out, and count who was missed; 45 minutes at most
	@$(BIN)/python -m tests.chaos $(CHAOS)

# Real records from REGISTRY if they are there, otherwise made-up ones. BENCH=leaks measures that instead.
BENCH :=
REGISTRY := ../shared/registry

.PHONY: bench
bench: setup ## measure ingesting, comparing, matching, planning, rendering, delivering and the form; a few minutes
	@$(BIN)/python -m bench $(BENCH) --registry "$(REGISTRY)"

.PHONY: changes
changes: setup ## show what would be mailed of the changes in REGISTRY, what is held as noise, and why
	@$(BIN)/python -m bench changes --registry "$(REGISTRY)"

.PHONY: pictures
pictures: setup ## draw every mail, and twenty digests from REGISTRY, light and dark, into build/mails
	@$(BIN)/python -m bench pictures --registry "$(REGISTRY)"

.PHONY: pages
pages: setup ## draw every page on one reader's way, light and dark, on a phone and a desk, into build/pages
	@$(BIN)/python -m bench pages

.PHONY: lint
lint: setup ## check style, types, import rules and migrations
	@BIN="$(BIN)" sh bin/lint

.PHONY: format
format: setup ## lay the code out
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

.PHONY: wheel
wheel: setup ## build the wheel into dist/
	@$(BIN)/python -m build --wheel --no-isolation

COMPILE := uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-find-links --quiet

.PHONY: lock
lock: ## renew both locks from pyproject.toml (needs the program uv)
	@command -v uv >/dev/null || { echo "make lock needs uv on the path; 'pip install uv' brings it."; exit 1; }
	$(COMPILE) --upgrade --extra build --output-file requirements.lock
	$(COMPILE) --extra build --extra dev --constraint requirements.lock --output-file requirements-dev.lock

.PHONY: clean
clean: ## remove what was built and installed, but no data
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage* htmlcov
