# The front door: `make help` lists what there is. The environment is set up on first use.

PYTHON ?=
VENV ?= .venv
BUDGET ?= 60
SEED ?=
SEEDS ?= 0..200
ARGS ?=

PY := $(VENV)/bin/python
STAMP := $(VENV)/.stamp
# What is checked: these folders, where they hold code already.
python_in = $(foreach d,$(1),$(if $(shell find $(d) -name '*.py' -print -quit 2>/dev/null),$(d)))
CODE := conftest.py $(call python_in,src clients/python/src clients/python/tests tests bench tools)

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help setup run test sim prove bench bench-peers bench-survival bench-growth bench-guard bench-docs \
        profile check formatted format lint types layers tidy \
        generate generated build clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## make the environment in .venv (PYTHON=/path/to/python3 chooses the Python)

$(STAMP): pyproject.toml clients/python/pyproject.toml src/wxserve/protocol/_rows.c tools/venv
	@tools/venv $(VENV) $(PYTHON)

run: $(STAMP) ## start a server on this machine and watch two clients talk
	@$(PY) -m wxserve.app.demo $(ARGS)

test: $(STAMP) ## run all tests, the fault tests with small budgets (ARGS="-k word" chooses)
	@$(PY) -m pytest -q $(ARGS)

sim: $(STAMP) ## simulate: SEED=7 replays one seed and prints its trace, SEEDS=0..500 runs a range
	@$(PY) -m tools.simulate $(or $(SEED),$(SEEDS))

prove: $(STAMP) ## run the proofs in their long size for BUDGET (60s, 40m, 2h), renew docs/reliability.md
	@$(PY) tools/prove.py --budget $(BUDGET) $(ARGS)

bench: $(STAMP) ## measure: every scenario of the load harness, at most ten minutes (see bench/README.md)
	@$(PY) -m bench.suite $(ARGS)

bench-peers: $(STAMP) ## the same work for wxserve and its peers; an hour and a half (ARGS="--quick": ten minutes)
	@$(PY) -m bench.peers.compare $(ARGS)

bench-survival: $(STAMP) ## what kill -9 and a slow reader cost wxserve and its peers
	@$(PY) -m bench.peers.survival $(ARGS)

bench-growth: $(STAMP) ## what connections and a long log cost; half an hour (ARGS="--quick": minutes)
	@$(PY) -m bench.growth $(ARGS)

bench-guard: $(STAMP) ## this tree against the previous tag; fails on a loss (ARGS="--against REV")
	@$(PY) -m bench.guard $(ARGS)

bench-docs: $(STAMP) ## write docs/benchmarks.md and its pictures from the rows that were measured
	@$(PY) -m bench.publish $(ARGS)

profile: $(STAMP) ## a flame graph of the server under load (ARGS="--scenario pairs --window 1" chooses)
	@[ -x $(VENV)/bin/py-spy ] || tools/quietly $(PY) -m pip install --quiet --editable '.[bench]'
	@$(PY) -m bench.load --quiet --profile .cache/bench/profile.svg $(ARGS)

check: $(STAMP) ## everything that is checked without running the product
	@$(MAKE) --keep-going --jobs=2 --output-sync=target formatted lint types layers tidy generated
	@echo "check: passed"

formatted: $(STAMP)
	@$(PY) -m ruff format --check --quiet $(CODE) || { echo "error: not in the project's format; make format" >&2; exit 1; }

format: $(STAMP) ## rewrite the code in the project's format
	@$(PY) -m ruff check --quiet --fix-only $(CODE)
	@$(PY) -m ruff format --quiet $(CODE)

lint: $(STAMP) ## ruff, then flake8-async for what ruff does not see
	@status=0; $(PY) -m ruff check --quiet $(CODE) || status=1; tools/lint-async $(PY) && exit $$status

types: $(STAMP) ## mypy --strict
	@$(PY) -m mypy --no-error-summary $(CODE)

layers: $(STAMP) ## who may import whom
	@tools/quietly $(VENV)/bin/lint-imports

tidy: $(STAMP) ## sizes, names, docstrings, docs in step with the code
	@$(PY) -m pytest -q tests/architecture

generate: $(STAMP) ## renew the generated files
	@$(PY) tools/generate.py

generated: $(STAMP)
	@$(PY) tools/generate.py --check

build: $(STAMP) ## build both distributions and try each alone in an empty environment
	@tools/build $(PY)

clean: ## remove environments, builds and caches
	@rm -rf .venv .venv-* dist build .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	@find src clients tests tools -name __pycache__ -type d -prune -exec rm -rf {} +
