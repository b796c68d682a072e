# One vocabulary for people, pre-commit and CI. `make help` lists it.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

HOST ?= 127.0.0.1
PORT ?= 3000
VENV := .venv
BIN := $(VENV)/bin
POETRY := .poetry/bin/poetry
SERVICE := credit_scoring.service:CreditScoring
# The first of these that is 3.11 to 3.13.
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c '$(SUPPORTED)' 2>/dev/null && echo $$python && break; done)
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check

export BENTOML_DO_NOT_TRACK := True

.PHONY: help
help: ## List the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "No Python 3.11, 3.12 or 3.13 found. Install one, or name it: make PYTHON=/path/to/python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/%.installed: requirements/%.txt pyproject.toml | $(VENV)/bin/python
	@echo "Installing what the lock file holds ($<), hashes checked …"
	@$(PIP_INSTALL) --require-hashes -r $<
	@$(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: install
install: $(VENV)/train.installed ## Set up what training and serving need

.PHONY: install-dev
install-dev: $(VENV)/dev.installed ## Set up what tests and checks need, too

.PHONY: train
train: install ## Train on the embedded data and publish to the model store
	$(BIN)/credit-scoring train

.PHONY: serve
serve: install ## Serve on HOST:PORT; trains first if the store has no model yet
	@$(BIN)/credit-scoring train --if-missing
	@echo "Swagger: http://$(HOST):$(PORT)/"
	@exec $(BIN)/bentoml serve $(SERVICE) --host $(HOST) --port $(PORT)

.PHONY: build
build: install ## Build the Bento that carries the newest model
	$(BIN)/bentoml build

.PHONY: test
test: install-dev ## Run the whole test suite
	$(BIN)/pytest

.PHONY: check
check: install-dev ## Formatting, lint, types and floors
	$(BIN)/black --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: format
format: install-dev ## Format and mend what can be mended
	$(BIN)/black .
	$(BIN)/ruff check --fix .

.PHONY: poetry
poetry: $(POETRY) ## Install pinned Poetry (for who changes dependencies, and for CI)

.PHONY: lock
lock: $(POETRY) ## Lock the dependencies anew and export them (for who changes pyproject.toml)
	index=$$($(BIN)/python -c 'from pip._internal.models.index import PyPI; print(PyPI.simple_url)'); \
	POETRY_PYPI_MIRROR_URL=$$index $(POETRY) lock
	$(MAKE) export

.PHONY: export
export: $(POETRY) ## Export poetry.lock to requirements/ for pip
	$(POETRY) export --only main --output requirements/serve.txt
	$(POETRY) export --only main,train --output requirements/train.txt
	$(POETRY) export --only main,train,dev --output requirements/dev.txt
	$(POETRY) export --only main,train,spark --output requirements/spark.txt
	$(POETRY) export --only main,train,spark,notebooks --output requirements/notebooks.txt

$(POETRY): | $(VENV)/bin/python
	$(PYTHON) -m venv .poetry
	.poetry/bin/python -m pip install --quiet poetry==2.5.1 poetry-plugin-export==1.10.1 poetry-plugin-pypi-mirror==0.6.5

.PHONY: notebooks
notebooks: install-dev ## Run the notebooks from top to bottom (Spark needs Java)
	$(PIP_INSTALL) --require-hashes -r requirements/notebooks.txt
	$(BIN)/pytest tests/test_notebooks.py

.PHONY: bench
bench: install-dev ## Measure the service beside its peers (about half an hour; a quiet machine)
	$(BIN)/python -m benchmarks.serving

.PHONY: quality
quality: install-dev ## Measure the model's quality by a fixed protocol (about ten minutes)
	$(BIN)/python -m benchmarks.quality

.PHONY: clean
clean: ## Remove the virtual environments and caches; models stay
	rm -rf $(VENV) .poetry .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
