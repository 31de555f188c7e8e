# `make` alone lists the targets. `make run` and `make test` do all the set-up themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
NAME ?=

.DEFAULT_GOAL := help
.PHONY: help run test check bench services kafka lock format clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.run ## start everything in one process and print where to look
	$(BIN)/sizewise up

test: $(VENV)/.dev ## run the tests, with every real service that `make services` has fetched
	$(BIN)/python -m pytest -n auto $(ARGS)

check: $(VENV)/.dev ## ruff, mypy --strict, import contracts, docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/test_docs.py

bench: $(VENV)/.dev ## measure: `make bench NAME=ingest`; without NAME it lists them
	$(BIN)/python -m bench $(NAME)

services: $(VENV)/.dev ## fetch and build the real services the tests use, once per version, outside the checkout
	$(BIN)/python -m deploy.services build

kafka: $(VENV)/.dev ## start a real Kafka broker to play with, until Ctrl-C
	$(BIN)/python -m deploy.services run kafka

format: $(VENV)/.dev ## let ruff rewrite the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(VENV)/.dev ## write requirements/*.txt anew from pyproject.toml
	$(PIP) install uv
	cd requirements && for set in run dev; do \
	  extras="--extra server --extra prometheus --extra listen --extra kubernetes --extra install"; \
	  [ $$set = run ] || extras="--all-extras"; \
	  ../$(BIN)/uv pip compile ../pyproject.toml --universal --python-version 3.11 --generate-hashes \
	    --no-header --no-emit-index-url --no-emit-find-links --quiet $$extras -o $$set.txt; done

clean: ## remove the environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

$(VENV)/.run: requirements/run.txt pyproject.toml
	$(call install,run)

$(VENV)/.dev: requirements/dev.txt pyproject.toml
	$(call install,dev)

define install
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "sizewise needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) -V). Try: make PYTHON=python3.12 $@"; exit 1; }
	@test -x $(BIN)/python || { echo "Creating $(VENV)"; $(PYTHON) -m venv $(VENV); }
	@echo "Installing requirements/$(1).txt (hashed) into $(VENV)"
	$(PIP) install --require-hashes -r requirements/$(1).txt
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@
endef
