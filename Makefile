# One vocabulary for people, pre-commit and CI. `make help` lists it.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

HOST ?= 127.0.0.1
PORT ?= 3000
WORKERS ?= 2
VENV := .venv
BIN := $(VENV)/bin
POETRY := .poetry/bin/poetry
PYTEST = $(BIN)/pytest -n $(WORKERS) --dist loadscope --no-loadscope-reorder -p no:schemathesis
SERVICE := credit_scoring.service:CreditScoring
DEMO_MODEL := data/models/demo.bentomodel
# The first of these that is 3.11 to 3.13.
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c '$(SUPPORTED)' 2>/dev/null && echo $$python && break; done)
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check

export BENTOML_DO_NOT_TRACK := True

##@ Try it

.PHONY: help
help: ## List the commands
	@sed -nE 's/^##@ (.*)/\n\1/p; s/^([a-z-]+):.*## /  \1\t/p' $(MAKEFILE_LIST) | expand -t 16

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "No Python 3.11, 3.12 or 3.13 found. Install one, or name it: make PYTHON=/path/to/python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/%.installed: requirements/%.txt pyproject.toml | $(VENV)/bin/python
	@echo "Installing what the lock file holds ($<), hashes checked …"
	@$(PIP_INSTALL) --require-hashes -r $<
	@$(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: serve
serve: install ## Serve champion or demo model on HOST:PORT; TRAIN=1 trains
	@$(BIN)/python -m credit_scoring.serving.port "$(HOST)" "$(PORT)"
	@$(BIN)/credit-scoring $(if $(TRAIN),train,models import $(DEMO_MODEL) --if-missing)
	@echo "Swagger: http://$(HOST):$(PORT)/"
	@exec $(BIN)/bentoml serve $(SERVICE) --host $(HOST) --port $(PORT)

.PHONY: train
train: install ## Train on the demo data; a store's first model becomes champion
	$(BIN)/credit-scoring train

.PHONY: demo-model
demo-model: install ## Train the demo model that comes with the code again
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh deploy/demo_model.sh $(DEMO_MODEL)

.PHONY: build
build: install ## Build the Bento that carries the champion
	$(BIN)/bentoml build

.PHONY: clean
clean: ## Remove environments and caches; models, secrets stay
	rm -rf $(VENV) .poetry .ops .mypy_cache .ruff_cache .pytest_cache .hypothesis dist
	[ ! -d build ] || find build -mindepth 1 -maxdepth 1 ! -name secrets ! -name model -exec rm -rf {} +

##@ Change it

.PHONY: install
install: $(VENV)/train.installed ## Set up what training and serving need

.PHONY: install-dev
install-dev: $(VENV)/dev.installed ## Set up what tests and checks need, too

.PHONY: test
test: install-dev ## Run the quick tests, WORKERS at once
	$(PYTEST) -m "not slow and not shipping"

.PHONY: test-slow
test-slow: install-dev ## Run what the quick tests leave out
	$(PYTEST) -m "slow and not shipping"

.PHONY: test-all
test-all: install-dev ## Run the whole test suite (half an hour)
	$(PYTEST)

.PHONY: check
check: install-dev ## Check formatting, lint, types and import layers
	$(BIN)/black --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: format
format: install-dev ## Format, and fix what can be fixed automatically
	$(BIN)/black .
	$(BIN)/ruff check --fix .

.PHONY: poetry
poetry: $(POETRY) ## Install pinned Poetry (to change dependencies, and for CI)

.PHONY: lock
lock: $(POETRY) ## Lock and export the dependencies after a change
	index=$$($(BIN)/python -c 'from pip._internal.models.index import PyPI; print(PyPI.simple_url)'); \
	POETRY_PYPI_MIRROR_URL=$$index $(POETRY) lock
	$(MAKE) export

.PHONY: export
export: $(POETRY) ## Export poetry.lock to requirements/ for pip
	$(POETRY) export --only main --output requirements/serve.txt
	$(POETRY) export --only main,train --output requirements/train.txt
	$(POETRY) export --only main,train,dev --output requirements/dev.txt
	$(POETRY) export --only main,batch --output requirements/batch.txt
	$(POETRY) export --only main,train,spark --output requirements/spark.txt
	$(POETRY) export --only main,train,spark,notebooks --output requirements/notebooks.txt

$(POETRY): | $(VENV)/bin/python
	$(PYTHON) -m venv .poetry
	.poetry/bin/python -m pip install --quiet poetry==2.5.1 poetry-plugin-export==1.10.1 poetry-plugin-pypi-mirror==0.6.5

.PHONY: test-spark
test-spark: install-dev ## Test what needs Spark and Java, and the notebooks
	$(PIP_INSTALL) --require-hashes -r requirements/notebooks.txt
	$(BIN)/pytest tests/test_notebooks.py tests/batch/test_job.py tests/batch/test_engines.py tests/cli/test_score_spark.py tests/batch/test_spark_cluster.py tests/training/test_spark_search.py

.PHONY: bench
bench: install-dev ## Benchmark the service and its peers (half an hour)
	$(BIN)/python -m benchmarks.serving
	$(BIN)/python -m benchmarks.serving.overload

.PHONY: quality
quality: install-dev ## Measure the model's quality by a fixed protocol (an hour)
	$(BIN)/python -m benchmarks.quality

##@ Ship: the image, and docker compose with all services on one machine
VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
IMAGE ?= credit-scoring:$(VERSION)
TRAIN_IMAGE ?= credit-scoring-train:$(VERSION)
MODEL ?= credit_scoring:champion
BASE_IMAGE ?= $(shell sed -n 's/^FROM //p' deploy/image/base/Dockerfile)
REGISTRY ?= 127.0.0.1:5000
BUILD_OPTIONS ?= # more for `docker build`, without dashes: network=host build-arg=NAME=VALUE
COMPOSE ?= docker compose
SYFT ?= syft
SBOM ?= build/sbom.json
SERVICES ?=

.PHONY: image
image: install ## Build the service's image as IMAGE, with MODEL in it
	@$(BIN)/credit-scoring models import $(DEMO_MODEL) --if-missing
	@PATH="$(CURDIR)/$(BIN):$$PATH" IMAGE=$(IMAGE) MODEL=$(MODEL) BASE_IMAGE=$(BASE_IMAGE) VERSION=$(VERSION) \
	    BUILD_OPTIONS="$(addprefix --opt ,$(BUILD_OPTIONS))" sh deploy/image/build.sh

.PHONY: train-image
train-image: ## Build the image that trains, as TRAIN_IMAGE
	docker build --file deploy/image/Dockerfile.train --tag $(TRAIN_IMAGE) \
	    --build-arg BASE_IMAGE=$(BASE_IMAGE) --build-arg VERSION=$(VERSION) \
	    $(addprefix --,$(BUILD_OPTIONS)) .

.PHONY: sbom
sbom: ## Write the bill of materials of IMAGE to SBOM
	@mkdir -p $(dir $(SBOM))
	$(SYFT) scan docker:$(IMAGE) --output cyclonedx-json=$(SBOM)

.PHONY: push
push: ## Push IMAGE to REGISTRY; its digest goes to build/
	@mkdir -p build
	docker tag $(IMAGE) $(REGISTRY)/$(IMAGE)
	docker push $(REGISTRY)/$(IMAGE)
	@docker image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' $(REGISTRY)/$(IMAGE) \
	    | grep '^$(patsubst docker.io/%,%,$(REGISTRY))/' | head -n 1 > build/image.digest
	@cat build/image.digest && [ -s build/image.digest ] \
	    || { echo "error: docker names no digest of $(REGISTRY)/$(IMAGE)." >&2; exit 1; }

.PHONY: push-index
push-index: ## Push IMAGE-PLATFORM of all PLATFORMS as one IMAGE
	@mkdir -p build
	@sh deploy/image/push_index.sh $(REGISTRY) $(IMAGE) $(PLATFORMS) > build/image.digest
	@cat build/image.digest

.PHONY: secrets
secrets: install ## Make the passwords and the key that `make up` needs
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh deploy/compose/secrets.sh build/secrets

.PHONY: up
up: secrets ## Start service, PostgreSQL, monitor, Prometheus and Grafana
	@docker image inspect $(IMAGE) >/dev/null 2>&1 || $(MAKE) image
	IMAGE=$(IMAGE) $(COMPOSE) up --detach --wait $(SERVICES)
	@echo "Service: http://127.0.0.1:$(PORT) (key: build/secrets/demo.key)  Grafana: http://127.0.0.1:$(or $(GRAFANA_PORT),3001)  Prometheus: http://127.0.0.1:$(or $(PROMETHEUS_PORT),9090)"

.PHONY: down
down: ## Stop all of it; stored data stays
	IMAGE=$(IMAGE) $(COMPOSE) down

.PHONY: test-deploy
test-deploy: install-dev ## Test image, registry and compose on a container engine
	$(BIN)/pytest -s -m shipping tests/shipping

.PHONY: test-cluster
test-cluster: install-dev ## Test deploy and faults on the cluster of KUBECONFIG
	CLUSTER_TESTS=1 $(BIN)/pytest -s -m shipping tests/shipping/test_cluster.py

.PHONY: test-clients
test-clients: install-dev ## Generate API clients in two languages and use them (node)
	$(BIN)/pytest -s -m shipping tests/clients

##@ Deploy to Kubernetes: docs/deployment.md has it step by step
IMAGE_DIGEST ?= $(if $(filter local,$(OVERLAY)),$(IMAGE))
ROLLOUT = $(PYTHON) deploy/kubernetes/rollout.py
# Model and commit, for the history of revisions, where this machine has the image; else NOTE says them.
NOTE_OF = docker image inspect --format '{{index .Config.Labels "credit-scoring.model"}}, commit {{index .Config.Labels "org.opencontainers.image.revision"}}'
OVERLAYS := local staging production
# Whose release workflow built the images, and from what.
REPOSITORY ?= $(GITHUB_REPOSITORY)
COMMIT ?= $(shell git rev-parse HEAD)

.PHONY: verify-images
verify-images: ## Refuse images that REPOSITORY's release did not build
	@sh deploy/verify_images.sh "$(REPOSITORY)" "$(COMMIT)" "$(IMAGE_DIGEST)" $(if $(TRAIN_DIGEST),"$(TRAIN_DIGEST)")

.PHONY: deploy
deploy: ## Migrate, roll IMAGE_DIGEST out to OVERLAY, or roll back
	@$(ROLLOUT) deploy "$(OVERLAY)" --image "$(IMAGE_DIGEST)" --note "$(or $(NOTE),$(shell $(NOTE_OF) "$(IMAGE_DIGEST)" 2>/dev/null))" \
	    --canary "$(CANARY_DIGEST)" --canary-replicas "$(CANARY_REPLICAS)" \
	    --canary-weight "$(CANARY_WEIGHT)" --train "$(TRAIN_DIGEST)"

.PHONY: note
note: ## Print model and commit of IMAGE
	@$(NOTE_OF) "$(IMAGE)"

.PHONY: rollback
rollback: ## Roll OVERLAY back to the last ready revision, or REVISION
	@$(ROLLOUT) rollback "$(OVERLAY)" --revision "$(REVISION)"

.PHONY: watch-canary
watch-canary: ## Withdraw the challenger if PROMETHEUS alerts within FOR
	@$(ROLLOUT) watch "$(OVERLAY)" --prometheus "$(PROMETHEUS)" $(if $(FOR),--for "$(FOR)")

.PHONY: withdraw-canary
withdraw-canary: ## End the challenger
	@$(ROLLOUT) withdraw "$(OVERLAY)"

.PHONY: smoke
smoke: ## Smoke-test the service at URL, or that of OVERLAY
	@$(if $(URL),$(PYTHON) deploy/smoke.py "$(URL)",$(ROLLOUT) smoke "$(OVERLAY)") $(SMOKE_OPTIONS)

.PHONY: smoke-image
smoke-image: install ## Start IMAGE alone, hardened, and smoke-test it
	@PATH="$(CURDIR)/$(BIN):$$PATH" IMAGE=$(IMAGE) sh deploy/smoke_image.sh $(SMOKE_OPTIONS)

.PHONY: release-model
release-model: install ## Import the model that a release is to carry
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh deploy/release_model.sh deploy/models/release.env $(DEMO_MODEL)

.PHONY: check-model
check-model: install ## Check that MODEL may go to production
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh deploy/check_model.sh "$(MODEL)" deploy/models/release.env

.PHONY: export-model
export-model: install ## Export MODEL to build/model/, its hash beside it
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh deploy/export_model.sh "$(MODEL)" build/model

.PHONY: manifests
manifests: ## Write Prometheus' rules again for its operator
	@$(PYTHON) deploy/kubernetes/manifests.py

.ops/installed: deploy/lint-requirements.txt
	$(PYTHON) -m venv .ops
	@.ops/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

.PHONY: lint-deploy
lint-deploy: .ops/installed ## Check deploy/ and .github/ against their schemas
	@PATH="$(CURDIR)/.ops/bin:$$PATH" sh deploy/lint.sh $(OVERLAYS)
