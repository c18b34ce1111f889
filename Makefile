# The commands of a developer, each with one line of help.
.DEFAULT_GOAL := help
PYTHON ?= .venv/bin/python
N ?= 1000
SEED ?= 1
STORIES ?= 3
DB ?= both
BENCH ?= --both
TORTURE ?=
SECONDS ?= 60
FUZZ ?=

.PHONY: help install test test-systemd lint kill month simulate torture fuzz bench

help: ## List these commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

install: ## Make .venv with everything that the other commands need
	python3 -m venv .venv
	.venv/bin/pip install --quiet -e '.[test,lint,bench]'

test: ## Run the tests
	$(PYTHON) -m pytest

test-systemd: ## Install the services on a fresh Debian in a container, and try them (root; KEEP=1 keeps it)
	RECONCILER_TEST_MACHINE=1 $(PYTHON) -m pytest -q tests/deploy

lint: ## Run the linters and the type checker
	$(PYTHON) -m ruff check
	$(PYTHON) -m ruff format --check
	$(PYTHON) -m mypy
	.venv/bin/lint-imports

kill: ## Kill the server under load N times (make kill N=1000), and write as often at once, on both databases
	RECONCILER_TEST_POSTGRES=1 RECONCILER_KILLS=$(N) RECONCILER_ROUNDS=$(N) RECONCILER_IDS=500 $(PYTHON) -m pytest -q tests/journeys/test_many_at_once.py

month: ## Close a month of 2,000 payments with lost webhooks, on both databases
	RECONCILER_TEST_POSTGRES=1 RECONCILER_MONTH=2000 $(PYTHON) -m pytest -q tests/journeys/test_finance.py

simulate: ## Play N seeded histories of payments and faults, from SEED on (make simulate SEED=1 N=10000)
	RECONCILER_TEST_POSTGRES=1 $(PYTHON) -m tests.histories --seed $(SEED) --n $(N) --stories $(STORIES) --db $(DB)

torture: ## Kill, cut and starve the programs for hours, from SEED on (make torture TORTURE='--only kills --resume')
	RECONCILER_TEST_POSTGRES=1 $(PYTHON) -m tests.torture --seed $(SEED) $(TORTURE)

fuzz: ## Send what nobody would send, for SECONDS from SEED on (make fuzz SECONDS=600 FUZZ='--only push')
	$(PYTHON) -m tests.fuzz --seed $(SEED) --seconds $(SECONDS) $(FUZZ)

bench: ## Measure all beside baselines, on both databases, an hour (make bench BENCH='webhooks --postgresql')
	RECONCILER_TEST_POSTGRES=1 $(PYTHON) -m benchmarks --json build/benchmarks.json --chart docs/performance.svg $(BENCH)
