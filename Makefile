# One command each on a machine with Python >= 3.11 and make; `make help` lists them.
PYTHON ?= python3
BIN := .venv/bin
PYTEST_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint format bench validate storm chaos clean

help:  ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: .venv/.ready  ## virtual environment in .venv with the pinned versions

.venv/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "make: $(PYTHON) is older than 3.11; name a newer one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv \
		|| { echo "make: no virtual environment could be made; on Debian: apt-get install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[orchestrator,dev]'
	@touch $@

demo: setup  ## the system at work, with no account and no network
	$(BIN)/python -m console.demo

test: setup  ## every test, with branch coverage (under 20 minutes on two cores)
	tests/with_debian.sh $(BIN)/python -m pytest --cov --cov-report=term:skip-covered $(PYTEST_ARGS)

lint: setup  ## style, types and the direction of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup  ## rewrite the code in the house style
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

validate: setup  ## simulated pairs against their truth; writes docs/validation.md (half an hour)
	$(BIN)/python -m benchmarks.validation

storm: setup  ## downloads from hubs on their worst day; writes docs/storm.md (some minutes)
	$(BIN)/python -m benchmarks.storm --page docs/storm.md

chaos: setup  ## the main job with its processes killed at random; writes docs/chaos.md (ten minutes)
	$(BIN)/python -m benchmarks.chaos --page docs/chaos.md

bench: setup  ## speed of each part, with something to compare it with
	@for file in $(filter-out benchmarks/validation% benchmarks/storm% benchmarks/chaos% benchmarks/walkthrough%,$(wildcard benchmarks/[a-z]*.py)); do \
		$(BIN)/python -m benchmarks.$$(basename $$file .py) || exit 1; done

clean:  ## remove what make made (not the data)
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage
