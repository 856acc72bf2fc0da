# Baton: make targets. `make help` lists them.
SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
BATON_HOME ?= .baton
DEMO ?= 1
EXAMPLES := quick
export BATON_HOME PYTHON
unexport PYTHONDONTWRITEBYTECODE  # tests start hundreds of processes, and each would compile all that it imports: half a second

.DEFAULT_GOAL := help
.PHONY: run test check chaos bench help lock clean venv

run: venv ## Start everything, play the demo, stay up until Ctrl-C (DEMO=0 starts idle)
	@exec $(BIN)/baton up $(if $(filter 0 no false,$(DEMO)),--no-demo,--demo)

test: EXAMPLES := thorough
test: check ## Check, of more random examples, then every other test; starts its own servers (three sets, where tests mostly wait)
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder tests/integration tests/ops
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder tests/e2e

check: venv ## Format, lint, types, import contracts and the tests that need no server
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q -n auto --hypothesis-profile=$(EXAMPLES) tests/unit tests/properties tests/contracts

chaos: venv ## Faults at random moments, again and again (ROUNDS=5, BATON_FIRE_SEED repeats an order)
	BATON_FIRE_ROUNDS=$(or $(ROUNDS),5) $(BIN)/pytest -s tests/e2e/test_ingest_under_fire.py tests/e2e/test_scoring_under_fire.py

bench: venv ## Measure, each figure beside a baseline of the same run
	$(BIN)/python -m bench

lock: venv ## Pin the newest versions that pyproject.toml allows, with hashes and without an index address
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-annotate --no-header \
		--all-extras --output-file requirements.lock pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-annotate --no-header \
		--constraints requirements.lock --output-file deploy/requirements.lock pyproject.toml

clean: ## Remove the virtual environment and caches; the data in BATON_HOME stays
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

help: ## This list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

# Instant when nothing changed. The first interpreter that runs and is 3.11 or 3.12 is taken: a name on PATH may be a shim
# that leads nowhere. PYTHON=/path/to/python chooses another.
venv:
	@for candidate in $(PYTHON) python3 python3.12 python3.11; do \
		if $$candidate -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; then \
			exec $$candidate baton/bootstrap.py; \
		fi; \
	done; \
	echo "Baton needs Python 3.11 or 3.12, and none of $(PYTHON) python3, python3.12, python3.11 runs as one: install it," \
		"or say where it is with make PYTHON=/path/to/python." >&2; exit 1
