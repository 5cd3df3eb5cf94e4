# One command each on a machine with Python >= 3.11 and make; `make help` lists them.
PYTHON ?= python3
BIN := .venv/bin
PYTEST_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow coverage pyrosar lint format bench validate storm chaos mirror clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: .venv/.ready portal/web/node_modules/.ready  ## virtual environment in .venv, scripts of the portal's pages; pinned versions

.venv/.ready: pyproject.toml constraints.txt tests/readers.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "make: $(PYTHON) is older than 3.11; name a newer one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv \
		|| { echo "make: no virtual environment could be made; on Debian: apt-get install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[orchestrator,dev]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --no-deps -r tests/readers.txt
	@touch $@

# What the portal's pages take from npm: Leaflet, outlines of the land, axe for their tests.
portal/web/node_modules/.ready: portal/web/package-lock.json .venv/.ready
	@portal/web/fetch.sh $(BIN)/python && touch $@ \
		|| echo "make: the portal's maps could not be fetched: its pages work without; make setup tries again"

demo: setup  ## the system at work, with no account and no network
	$(BIN)/python -m console.demo

# File by file: what is costly to make is made once a file. Three at a time on two cores, as tests
# wait for servers nearly half of their time.
test: setup  ## every test but the slow ones (some 20 minutes on two cores)
	tests/with_debian.sh $(BIN)/python -m pytest -m "not slow" -n 3 --dist loadfile \
		--no-loadscope-reorder $(PYTEST_ARGS)

test-slow: setup  ## the long stories: months and years of hubs, clients by the hundred
	tests/with_debian.sh $(BIN)/python -m pytest -m slow -n 2 --dist loadfile $(PYTEST_ARGS)

coverage: setup  ## the same with branch coverage, which takes longer
	$(MAKE) test PYTEST_ARGS="--cov --cov-report=term:skip-covered $(PYTEST_ARGS)"

pyrosar: setup  ## our graphs, commands and parameter files through pyroSAR, in an environment of its own
	tests/pyrosar/run.sh $(BIN)/python

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

mirror: setup  ## a year of the mirror, a storm, a plan over a million; writes docs/mirror-figures.md (an hour)
	$(BIN)/python -m benchmarks.mirror --page docs/mirror-figures.md

bench: setup  ## speed of each part, with something to compare it with
	@for file in $(filter-out benchmarks/validation% benchmarks/storm% benchmarks/chaos% benchmarks/mirror% benchmarks/walkthrough% benchmarks/gmtsar%,$(wildcard benchmarks/[a-z]*.py)); do \
		$(BIN)/python -m benchmarks.$$(basename $$file .py) || exit 1; done

clean:  ## remove what make made (not the data)
	rm -rf .venv .venv-pyrosar portal/web/node_modules .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage
