# racelab: every target works from a fresh clone. `make help` lists them.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$p"; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --quiet --disable-pip-version-check
SOURCES := app operator loadgen tests
VERSION := $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' operator/racelab_operator/version.py)
IMAGE_NAME := docker.io/library/racelab:$(VERSION)
# The first of these that is installed builds the image; BUILDER=podman chooses another one.
BUILDER ?= $(firstword $(foreach tool,docker podman buildah,$(if $(shell command -v $(tool)),$(tool))))

help: ## this list
	@sed -n 's/^\([a-z0-9]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

$(VENV)/python: 
	@[[ -n "$(PYTHON)" ]] || { echo "racelab needs Python 3.11 or later: install it, or name it: make PYTHON=/path/to/python3.12 …" >&2; exit 2; }
	@"$(PYTHON)" -c 'import ensurepip' 2>/dev/null || { echo "racelab needs Python's venv module: on Debian and Ubuntu, apt-get install python3-venv" >&2; exit 2; }
	@"$(PYTHON)" -m venv $(VENV)
	@touch $@

$(VENV)/installed: $(VENV)/python pyproject.toml constraints.txt
	@echo "installing racelab into $(VENV)" >&2
	@$(PIP) install -c constraints.txt -e .
	@touch $@

$(VENV)/developer: $(VENV)/installed
	@echo "installing the developers' tools into $(VENV)" >&2
	@$(PIP) install -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(VENV)/installed ## the quickstart experiment on this machine, under 90 seconds
	@$(BIN)/racelab run k8s/experiments/quickstart.yaml

test: $(VENV)/developer ## all tests that need no cluster
	@$(BIN)/python -m pytest -m 'not cluster' $(ARGS)

check: $(VENV)/developer ## lint, types, import contracts, derived files
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/ruff format --check $(SOURCES)
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@PYTHONPATH=tests $(BIN)/python -m derived --check

generate: $(VENV)/developer ## renew what is derived: catalog, CRD, report schema, docs tables
	@PYTHONPATH=tests $(BIN)/python -m derived

image: ## build the image with docker, podman or buildah: make image [IMAGE=racelab:dev]
	@[[ -n "$(BUILDER)" ]] || { echo "make image needs docker, podman or buildah: install one of them" >&2; exit 2; }
	@$(BUILDER) build -t "$(or $(IMAGE),$(IMAGE_NAME))" .

kind: ## a kind cluster on this machine with the image on it; then: helm install lab helm/racelab
	@command -v kind >/dev/null || { echo "make kind needs kind: https://kind.sigs.k8s.io" >&2; exit 2; }
	@kind get clusters 2>/dev/null | grep -qx racelab || kind create cluster --name racelab --config k8s/kind.yaml
	@$(MAKE) --no-print-directory image
	@archive=$$(mktemp -d); trap 'rm -rf "$$archive"' EXIT; \
		$(BUILDER) save -o "$$archive/racelab.tar" "$(IMAGE_NAME)"; \
		kind load image-archive "$$archive/racelab.tar" --name racelab

e2e: $(VENV)/developer ## tests on the cluster of the current kubeconfig: make e2e IMAGE=racelab:dev
	@[[ -n "$(IMAGE)" ]] || { echo "make e2e needs IMAGE=NAME:TAG, an image that the cluster can start" >&2; exit 2; }
	@for tool in kubectl helm; do command -v $$tool >/dev/null || { echo "make e2e needs $$tool: install it" >&2; exit 2; }; done
	@RACELAB_IMAGE="$(IMAGE)" $(BIN)/python -m pytest -m cluster $(ARGS)

bench: $(VENV)/developer ## measure: loss efficiency, client cost, cost of each strategy
	@PYTHONPATH=tests $(BIN)/python -m bench $(ARGS)

pictures: $(VENV)/developer ## renew docs/pictures from a real lab, with a real browser
	@PYTHONPATH=tests $(BIN)/python -m pictures

clean: ## remove what the lab and its tools made here
	@[[ ! -x $(BIN)/racelab ]] || $(BIN)/racelab down --quiet
	@rm -rf $(VENV) .racelab .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist
	@find app operator loadgen tests -name __pycache__ -prune -exec rm -rf {} +

.PHONY: help demo test check generate image kind e2e bench pictures clean
