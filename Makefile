# The commands a newcomer needs. `make demo` and `make test` prepare everything themselves.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
UV := $(BIN)/python -m uv
UV_VERSION := 0.13.9
BUF_VERSION := 1.75.0
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help setup demo test test-slow bench check lint types imports contracts proto stubs lock clean

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

setup: $(VENV)/.installed ## make a virtual environment with everything in it

$(VENV)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "ModelFoundry needs Python 3.11 or newer: pass PYTHON=python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "Python's venv module is missing: apt-get install python3-venv"; exit 1; }
	test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(UV) pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	touch $@

demo: setup ## decompose and compose digits networks through the four services and print the tables
	$(BIN)/modelfoundry demo --compose --output build/demo

# A process a core, each with the tests of whole files (of whole folders where services are shared: tests/conftest.py),
# the long ones of tests/integration before the short ones of tests/unit; every process computes on one thread.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

test: setup ## everything, except what is marked slow
	$(PYTEST) -m "not slow"

test-slow: setup ## what is marked slow
	$(PYTEST) -m slow

bench: setup ## measure how fast it is against plain ways of the same, in under 20 minutes (benchmarks/RESULTS.md)
	$(BIN)/python benchmarks/run.py $(if $(CIFAR10),--cifar10 $(CIFAR10)) $(if $(RESNET20),--resnet20 $(RESNET20))

check: lint types imports contracts ## all checks that are not tests

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

imports: setup
	$(BIN)/lint-imports

contracts: setup build/buf/node_modules/.bin/buf
	$(BIN)/python protos/generate.py --check
	$(BIN)/python clients/generate_sync.py --check
	build/buf/node_modules/.bin/buf lint protos
	build/buf/node_modules/.bin/buf format --diff --exit-code protos --path protos/modelfoundry
	protos/check-compatibility build/buf/node_modules/.bin/buf
	protos/generate-stubs build/buf/node_modules/.bin/buf --check

build/buf/node_modules/.bin/buf:
	npm install --silent --no-fund --no-audit --prefix build/buf @bufbuild/buf@$(BUF_VERSION)

proto: setup ## write protos/gen again after a change of the contracts
	$(BIN)/python protos/generate.py

stubs: build/buf/node_modules/.bin/buf ## write the TypeScript and Go stubs again after a change of the contracts
	protos/generate-stubs build/buf/node_modules/.bin/buf

lock: setup ## write requirements.lock again after a change of pyproject.toml
	$(UV) pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-annotate --no-header \
	    --python-version 3.11 --all-extras --group dev --output-file requirements.lock pyproject.toml

clean: ## remove what was built
	rm -rf build dist
