# One front for everything; CI calls the same targets. Needs Python 3.11 or newer and make, nothing else.

PYTHON ?= python3
BIN := .venv/bin
PROJECTS := $(wildcard packages/*/pyproject.toml services/*/pyproject.toml)
READY := .venv/.ready
SERVICES := $(patsubst services/%/pyproject.toml,%,$(filter services/%,$(PROJECTS)))
IMAGES := $(SERVICES) worker-video
TAG ?= 0.1.0
CLUSTER ?= heavylift
HELM ?= helm

.DEFAULT_GOAL := help
.PHONY: help setup run test test-chart lint format lock images $(IMAGES:%=image-%) chart manifests cluster \
	cluster-down e2e soak bench simulate faults clean

help: ## Show this text
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## Install everything into .venv, from requirements.lock alone

run: $(READY) ## Start the platform and transcode FILE=… (a made-up film by default); ONCE=1 ends then; PORT= WORKERS= DATA= REDIS_URL=
	@exec $(BIN)/heavylift run $(if $(FILE),'$(FILE)') $(if $(ONCE),--once) $(if $(PORT),--port $(PORT)) \
		$(if $(WORKERS),--workers $(WORKERS)) $(if $(DATA),--data '$(DATA)')

test: lint ## Lint, check types, run the unit, integration and chart tests
	@$(BIN)/pytest --numprocesses $(TESTERS) --dist loadfile --no-loadscope-reorder

# A third of the time of the tests is waiting.
TESTERS = $(shell $(PYTHON) -c 'import os; print(3 * (os.cpu_count() or 1) // 2)')

test-chart: $(READY) ## The chart's tests alone, none left out; needs Helm 4 and Helm 3, HELM=helm HELM3=helm3
	@HEAVYLIFT_CHART_TESTS=required $(BIN)/pytest tests/chart

lint: $(READY) ## Check style, formatting and types
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/ty check

format: $(READY) ## Repair what ruff can repair
	@$(BIN)/ruff check --quiet --fix-only
	@$(BIN)/ruff format --quiet

lock: $(READY) ## Resolve requirements.lock and the images' locks anew after a change of a pyproject.toml
	@$(BIN)/python -m pip install --quiet --require-hashes --only-binary :all: -r .ci/uv.txt
	@$(COMPILE) --all-extras --group build --group dev-stack --group test pyproject.toml -o requirements.lock
	@$(MAKE) --no-print-directory --always-make $(LOCKS)

COMPILE := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 \
	$(foreach name,heavylift $(SERVICES:%=heavylift-%),--no-emit-package $(name))
LOCKS := images/build.lock $(patsubst %,services/%.lock,$(patsubst %,%/requirements,$(filter-out worker,$(SERVICES))) \
	worker/requirements-base worker/requirements-video)

# Begun as a copy, a lock keeps the versions and hashes of what it is a part of.
services/worker/requirements-video.lock: OPTIONS := --extra video
services/controller/requirements.lock: OPTIONS := --extra keda
images/build.lock: OPTIONS := --group build
$(LOCKS): requirements.lock
	@mkdir -p dist && cp $< dist/$(subst /,-,$@)
	@$(COMPILE) --no-annotate --constraint $< $(OPTIONS) $(wildcard $(@D)/pyproject.toml) -o dist/$(subst /,-,$@)
	@mv dist/$(subst /,-,$@) $@

images: $(IMAGES:%=image-%) ## Build the container images; TAG=0.1.0 BASE_IMAGE=python:3.13-slim SOURCE=https://…
	@docker image ls --filter 'reference=heavylift/*:$(TAG)' --format '{{.Repository}}:{{.Tag}}  {{.Size}}'

image-worker: OPTIONS := --target base
image-worker-video: OPTIONS := --target video
$(IMAGES:%=image-%): image-%:
	@echo "Building heavylift/$*:$(TAG) …"
	@DOCKER_BUILDKIT=1 docker build --quiet --tag heavylift/$*:$(TAG) $(OPTIONS) $(BUILD_ARGS) \
		--file services/$(firstword $(subst -, ,$*))/Dockerfile . >/dev/null

BUILD_ARGS = $(if $(BASE_IMAGE),--build-arg BASE_IMAGE=$(BASE_IMAGE)) --build-arg VERSION=$(TAG) \
	--build-arg SOURCE=$(SOURCE) --build-arg REVISION=$(shell git describe --always --abbrev=40 --exclude='*' --dirty)

chart: $(READY) ## Write what is made from other files: the chart's schema, README and dashboard, the plain manifests
	@$(BIN)/python -m charts.schema
	@$(BIN)/python -m charts.readme
	@$(BIN)/python -m charts.dashboard
	@$(MAKE) --no-print-directory manifests

manifests: ## Render the chart into k8s/manifests, for `kubectl apply` without Helm; HELM=helm
	@$(HELM) template heavylift charts/heavylift --namespace heavylift --kube-version 1.34.0 \
		--values charts/heavylift/ci/manifests-values.yaml >k8s/manifests/heavylift.yaml

cluster: images ## Make a local kind cluster with Heavylift on it, and say what to do next; CLUSTER=heavylift
	@k8s/kind/up '$(CLUSTER)' $(IMAGES:%=heavylift/%:$(TAG))

cluster-down: ## Delete that cluster
	@kind delete cluster --name '$(CLUSTER)'

e2e: $(READY) images ## Test the chart on two kind clusters of its own, removed afterwards; ONLY=test (one). Docker, kind, kubectl, helm
	@$(BIN)/pytest tests/e2e $(if $(ONLY),-k '$(ONLY)',--numprocesses 2 --dist loadscope --no-loadscope-reorder)

soak: $(READY) ## Scale in 500 times on a kind cluster of its own, with faults, and write docs/scaling-proof.md; SCALE_INS=500
	@$(BIN)/pytest tests/e2e/scaling -k 'interrupt_no_job or burst' --scale-ins $(or $(SCALE_INS),500) \
		--proof docs/scaling-proof.md

bench: $(READY) ## Measure, beside other task queues on the same machine; ROWS=submit,drain,… ROUNDS=5
	@$(BIN)/python -m bench

simulate: $(READY) ## Simulate scaling beside other autoscalers and write docs/scaling-simulation.md; TRACE=file.csv WAIT=30,120
	@$(BIN)/python -m bench.simulator

faults: $(READY) ## Run the long fault suite and write docs/faults.md; ONLY=scenario
	@$(BIN)/pytest -m faults tests/faults $(if $(ONLY),-k '$(ONLY)')

clean: ## Remove what was installed and cached; the jobs in .data stay
	rm -rf .venv .pytest_cache .ruff_cache .hypothesis dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# pip is the venv's last piece: without it (Debian without python3-venv) the next make begins anew.
$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and f"Python 3.11 or newer is needed, $(PYTHON) is {sys.version.split()[0]}. Name another one: make PYTHON=python3.12")'
	@$(PYTHON) -m venv .venv

# Compiled ahead: every process of the stack and of the tests starts in half the time.
$(READY): requirements.lock $(PROJECTS) | $(BIN)/pip
	@echo "Installing into .venv, which takes a minute once …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary :all: --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-index --no-build-isolation \
		$(PROJECTS:%/pyproject.toml=--editable %) && touch $@
