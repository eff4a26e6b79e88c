# Snag: `make up` starts everything, `make test` tests everything. Needs Python >= 3.11, Java >= 17 and Maven.
.DEFAULT_GOAL := help
.PHONY: up test test-long lint types fast bench score contracts help lock clean sdk wheels
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

up: $(STAMP) ## start the whole stack in the foreground; Ctrl-C stops it
	@sh deploy/local/prerequisites.sh java maven
	@$(BIN)/snag up

test: $(STAMP) ## run every test, on its own Kafka, ClickHouse and browser
	@sh deploy/local/prerequisites.sh java maven browser npm
	@$(BIN)/python -c "from deploy.local.kafka import jars; jars.ensure()"
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test-long: $(STAMP) ## run the tests that take minutes each
	$(BIN)/python -m pytest -m long tests

fast: $(STAMP) ## run the tests that need no server
	$(BIN)/python -m pytest -n 2 --dist loadfile tests/unit tests/property

lint: $(STAMP) ## check style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP) ## check types
	$(BIN)/mypy

bench: $(STAMP) ## measure, each beside its peer; takes some minutes
	@sh deploy/local/prerequisites.sh java maven
	$(BIN)/python -m bench.collector
	$(BIN)/python -m bench.live
	$(BIN)/python -m bench.path
	$(BIN)/python -m bench.writer
	$(BIN)/python -m bench.simulator
	@sh deploy/local/prerequisites.sh browser npm
	$(BIN)/python -m bench.browser

score: $(STAMP) ## let the simulator's scenarios through a stack of their own; rewrites docs/score.md
	@sh deploy/local/prerequisites.sh java maven
	@$(BIN)/python -c "from deploy.local.kafka import jars; jars.ensure()"
	$(BIN)/python -m bench.score --write

contracts: $(STAMP) ## generate JSON Schema, AsyncAPI, OpenAPI, docs/signals.md and docs/simulator.md from the code
	$(BIN)/python -m schemas.jsonschema
	$(BIN)/python -m schemas.truth_schema
	$(BIN)/python -m schemas.asyncapi
	$(BIN)/python -m schemas.openapi
	$(BIN)/python -m schemas.signals_doc
	$(BIN)/python -m snag.simulator.doc

sdk: ## build the browser SDK into ingest/static; needs node
	cd sdk/browser && npm ci --no-audit --no-fund && npm run --silent types && npm run --silent build && npm run --silent size

wheels: $(STAMP) ## build the packages snag-analytics and snag-sdk into dist/
	$(BIN)/uv build --quiet --wheel --out-dir dist .
	$(BIN)/uv build --quiet --wheel --out-dir dist sdk/python

lock: $(STAMP) ## pin the dependencies of pyproject.toml anew
	$(BIN)/uv pip compile -q --upgrade --no-emit-index-url --no-header --all-extras --no-emit-package snag-sdk pyproject.toml -o requirements.lock

clean: ## remove the environment and the local stack's data
	rm -rf $(VENV) .snag deploy/local/kafka/lib

help: ## show this
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /	/' | expand -t 10

$(STAMP): requirements.lock pyproject.toml sdk/python/pyproject.toml
	@sh deploy/local/prerequisites.sh python
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@echo "installing the pinned dependencies into $(VENV)"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable . --editable sdk/python
	@touch $@
