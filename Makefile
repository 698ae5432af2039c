# pbxweb: `make run` sets up everything below this folder and starts; `make help` lists the rest.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run setup engine test test-setup test-tools lint bench lock clean

VENV := .venv
BIN := $(VENV)/bin
PO := $(wildcard translations/*/LC_MESSAGES/*.po)
MO := $(PO:.po=.mo)
TEST_MINUTES := 45

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: setup engine ## set up what is missing and start pbxweb (stop: Ctrl-C)
	@exec $(BIN)/python app.py run

test: test-setup ## run all tests (sets up what they need)
	@timeout --signal=INT --kill-after=30 $(TEST_MINUTES)m $(BIN)/python -m pytest -n 4 --dist loadfile

lint: $(VENV)/.dev ## ruff and mypy --strict
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: test-setup ## measure speed and size, each beside its floor
	@$(BIN)/python -m tests.bench

lock: ## write the lock files anew from pyproject.toml and package.json
	@tools/lock.sh

clean: ## remove what `make` made; the state folder var/ stays
	@rm -rf $(VENV) node_modules static/vendor $(MO) .cache .pytest_cache .mypy_cache .ruff_cache

setup: $(VENV)/.run static/vendor/manifest.json $(MO)

engine: $(VENV)/.run
	@$(BIN)/python app.py engine install

test-setup: test-tools $(VENV)/.dev node_modules/.dev static/vendor/manifest.json $(MO) engine

test-tools:
	@tools/test-tools.sh

$(VENV)/.run: requirements.lock
	@tools/venv.sh $(VENV) $<
	@touch $@

$(VENV)/.dev: requirements-dev.lock
	@tools/venv.sh $(VENV) $<
	@touch $(VENV)/.run $@

node_modules/.run: package-lock.json
	@tools/node-modules.sh --omit=dev
	@touch $@

node_modules/.dev: package-lock.json
	@tools/node-modules.sh
	@touch node_modules/.run $@

static/vendor/manifest.json: node_modules/.run tools/assets.mjs static/icons.txt
	@node tools/assets.mjs

translations/%.mo: translations/%.po | $(VENV)/.run
	@echo "Compiling $< …"
	@$(BIN)/pybabel -q compile -i $< -o $@
