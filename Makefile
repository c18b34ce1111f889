# The commands of a developer, each with one line of help.
.DEFAULT_GOAL := help
PYTHON ?= .venv/bin/python
N ?= 1000
SEED ?= 1
STORIES ?= 3
DB ?= both

.PHONY: help install test lint kill simulate

help: ## List these commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: ## Make .venv with everything that the other commands need
	python3 -m venv .venv
	.venv/bin/pip install --quiet -e '.[test,lint]'

test: ## Run the tests
	$(PYTHON) -m pytest

lint: ## Run the linters and the type checker
	$(PYTHON) -m ruff check
	$(PYTHON) -m ruff format --check
	$(PYTHON) -m mypy
	.venv/bin/lint-imports

kill: ## Kill the server under load N times (make kill N=1000), on both databases
	RECONCILER_KILLS=$(N) $(PYTHON) -m pytest -q tests/journeys/test_many_at_once.py -k acknowledged

simulate: ## Play N seeded histories of payments and faults, from SEED on (make simulate SEED=1 N=10000)
	RECONCILER_TEST_POSTGRES=1 $(PYTHON) -m tests.histories --seed $(SEED) --n $(N) --stories $(STORIES) --db $(DB)
