# Everything a checkout needs. `make` alone prints what there is.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help
help: ## print this list
	@echo "Trial notifier. What make can do here:"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(READY) ## install everything into .venv (the other targets do it when needed)

$(READY): requirements.lock pyproject.toml
	@PYTHON="$(PYTHON)" VENV="$(VENV)" sh bin/setup
	@touch $@

.PHONY: run
run: setup ## start the whole service here; Ctrl-C stops it
	@trap : INT TERM; $(BIN)/notifier up; code=$$?; [ $$code -eq 130 ] || [ $$code -eq 143 ] || exit $$code

.PHONY: test
test: setup ## run the tests; says what was skipped and why
	@$(BIN)/python -m pytest -m "not browser and not faults and not slow"

.PHONY: test-browser
test-browser: setup ## run the tests that need a Chromium
	@$(BIN)/python -m pytest -m browser

.PHONY: test-slow
test-slow: setup ## run the tests that install, clone and kill
	@$(BIN)/python -m pytest -m "(slow or faults) and not browser"

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

.PHONY: lock
lock: ## renew requirements.lock from pyproject.toml (needs the program uv)
	@command -v uv >/dev/null || { echo "make lock needs uv: put it on the path, for instance with 'pip install uv'."; exit 1; }
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --upgrade --generate-hashes \
		--no-header --no-annotate --no-emit-index-url --no-emit-find-links --quiet --output-file requirements.lock

.PHONY: clean
clean: ## remove what was built and installed, but no data
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage* htmlcov
