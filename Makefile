# Tocsin's tasks. `make` lists them; `make demo` and `make test` set up all they need by themselves.
SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
ARGS ?=

.PHONY: help demo test deep check lint serve docs format setup clean

help: ## list the tasks
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  Pass options with ARGS, e.g.: make demo ARGS=--check"

demo: $(READY) ## a sample company under attack, end to end (ARGS=--check: headless, prints JSON)
	@$(BIN)/tocsin demo $(ARGS)

serve: $(READY) ## the server on this machine (http://127.0.0.1:8600)
	@$(BIN)/tocsin serve $(ARGS)

test: $(READY) ## all tests
	@$(BIN)/python -m pytest -n 2 --dist loadscope $(ARGS)

deep: $(READY) ## all tests, with all recordings and twenty times the made-up examples
	@TOCSIN_TEST_DEEP=1 $(BIN)/python -m pytest -n 2 --dist loadscope $(ARGS)

check: lint ## lint, the house's own tests, generated docs
	@$(BIN)/python -m pytest -q tests/house tests/docs

lint: $(READY) ## format, lint, types, layers, imports
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/deptry src

docs: $(READY) ## write the generated pages and the README's picture anew
	@$(BIN)/python -m tests.docs.generate
	@$(BIN)/python -m pytest -q tests/console/test_looks.py
	@mkdir -p docs/images && cp test-results/queue-light.png docs/images/queue.png

fuzz: $(READY) ## every decoder with 200,000 broken inputs each (ARGS="--only syslog")
	@$(BIN)/python -m tests.fuzz $(ARGS)

soak: $(READY) ## 50 kills and 10 full disks under real senders (root, for a small disk)
	@$(BIN)/python -m tests.crash.soak $(ARGS)

format: $(READY) ## format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

setup: $(READY) ## only make the environment

# The environment is made once for each state of the lock file; after that no network is needed.
$(READY): uv.lock pyproject.toml scripts/setup
	@sh scripts/setup $(VENV)
	@touch $(READY)

clean: ## remove the environment and all caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis test-results
