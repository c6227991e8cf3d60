# Everything here needs Python 3.11 or newer and make; each target does its own set-up.
# PYTHON=python3.12 make test    picks the interpreter (the virtual environment is re-made).

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

VENV := .venv
VERSIONS := 3.11 3.12 3.13
LOCK := requirements/dev.txt
UV_VERSION := 0.9.5

# The first interpreter that is new enough: what is called python3, then the versions by name,
# then pyenv's. Prints nothing if there is none.
find_python = $(firstword $(foreach p,python3 $(addprefix python,$(VERSIONS)) \
	$(wildcard $(addsuffix .*/bin/python,$(addprefix $(HOME)/.pyenv/versions/,$(VERSIONS)))),\
	$(shell $(p) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(p))))

# An interpreter of one version ($(1)), by name or from pyenv.
python_of = $(firstword $(foreach p,python$(1) $(lastword $(sort $(wildcard $(HOME)/.pyenv/versions/$(1).*/bin/python))),\
	$(shell $(p) -c 'import sys, venv, ensurepip; sys.exit("%d.%d" % sys.version_info[:2] != "$(1)")' 2>/dev/null && echo $(p))))

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1\t\2/' \
		| while IFS=$$'\t' read -r name text; do printf '  make %-14s %s\n' "$$name" "$$text"; done

.PHONY: demo
demo: $(VENV)/.ready ## See it work: deliveries flow, are paused, held, resumed; ends by itself
	@$(VENV)/bin/sluicegate demo

.PHONY: run
run: $(VENV)/.ready ## Run a development server on 127.0.0.1:8400 (ARGS="--port 9000" adds options)
	@$(VENV)/bin/sluicegate serve --dev $(ARGS)

# All tests run in as many processes as there are CPUs. ARGS are for looking closer: then one process
# runs them in their order, where -s and --pdb work. WORKERS=0 or WORKERS=2 decides otherwise.
WORKERS ?= $(if $(ARGS),0,logical)
PYTEST = -m pytest --numprocesses=$(WORKERS) --maxprocesses=8 --dist=worksteal

# Also where it is set: tests start hundreds of processes, and each would compile everything anew.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: test
test: $(VENV)/.ready ## Run the tests (ARGS="-k pause" picks some, which then run in one process)
	@$(VENV)/bin/python $(PYTEST) --no-fold-skipped --durations=25 --durations-min=1 $(ARGS)

.PHONY: coverage
coverage: $(VENV)/.ready ## Run the tests and demand the branch coverage floor
	@$(VENV)/bin/python $(PYTEST) --cov --cov-report=term

.PHONY: test-all
test-all: $(addprefix test-,$(VERSIONS)) ## Run the tests on each supported Python that is installed

.PHONY: check
check: $(VENV)/.ready ## Lint, formatting, types, layers
	@$(VENV)/bin/ruff check --quiet .
	@$(VENV)/bin/ruff format --quiet --check .
	@$(VENV)/bin/mypy --no-error-summary src tests benchmarks tools
	@told=$$($(VENV)/bin/basedpyright --pythonpath $(VENV)/bin/python) || { echo "$$told"; exit 1; }
	@told=$$($(VENV)/bin/lint-imports --no-cache 2>&1) || { echo "$$told"; exit 1; }
	@echo 'check: lint, formatting, types and layers are fine'

.PHONY: bench
bench: $(VENV)/.ready ## Measure, as ratios within one run
	@$(VENV)/bin/python benchmarks/run.py $(ARGS)

.PHONY: bench-peers
bench-peers: $(VENV)/.ready ## Fetch what `make bench` compares with (it does so itself, the first time)
	@$(VENV)/bin/python benchmarks/peers/stock.py $(ARGS)

.PHONY: bench-queries
bench-queries: $(VENV)/.ready ## Time what clients ask of a million messages, with the query plans
	@$(VENV)/bin/python benchmarks/queries.py $(ARGS)

.PHONY: docs
docs: $(VENV)/.ready ## Re-make the generated documentation
	@$(VENV)/bin/python -m sluicegate.cli.generated_docs docs

.PHONY: blocking-calls
blocking-calls: $(VENV)/.ready ## Re-make the blocking form of an engine's calls
	@$(VENV)/bin/python tools/blocking_calls.py

.PHONY: vendor-scalar
vendor-scalar: $(VENV)/.ready ## Re-make the script of /docs from npm (VERSION=1.2.3 takes another one)
	@$(VENV)/bin/python tools/vendor_scalar.py $(VERSION)

.PHONY: fuzz
fuzz: $(VENV)/.ready ## Ask the server all that openapi.json allows, and much that it does not (SECONDS=300)
	@SLUICEGATE_FUZZ_SECONDS=$(or $(SECONDS),300) $(VENV)/bin/python -m pytest -s tests/http/api/test_fuzz.py

.PHONY: soak
soak: $(VENV)/.ready ## Run simulated worlds, other ones each time (SECONDS=600 JOBS=2)
	@$(VENV)/bin/sluicegate simulate --seconds $(or $(SECONDS),600) --jobs $(or $(JOBS),2) $(ARGS)

.PHONY: hunt
hunt: $(VENV)/.ready ## Plant every bug that there is, one at a time: each must turn the simulation red
	@SLUICEGATE_HUNT=all $(VENV)/bin/python -m pytest -q tests/simulation/mutants/test_hunting.py

LOCKED := --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras --upgrade \
	--no-emit-index-url --no-emit-find-links --no-header --no-annotate

.PHONY: lock
lock: ## Re-make the hashed lock files
	@python=$(or $(PYTHON),$(find_python)); test -d .venvs/tools || $$python -m venv .venvs/tools
	@.venvs/tools/bin/python -m pip install -qq --disable-pip-version-check 'uv>=$(UV_VERSION)'
	@mkdir -p $(dir $(LOCK))
	@.venvs/tools/bin/uv pip compile $(LOCKED) --group dev --extra uvloop --output-file $(LOCK) pyproject.toml
	@.venvs/tools/bin/uv pip compile $(LOCKED) --output-file benchmarks/peers/requirements.txt benchmarks/peers/requirements.in
	@echo 'lock: $(LOCK) and the peers'"'"' are new'

.PHONY: clean
clean: ## Remove everything that can be made again
	@rm -rf $(VENV) .venvs .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage* build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Set up a virtual environment in $(1) with the interpreter $(2).
define set_up
	@'$(or $(2),false)' -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo 'sluicegate needs Python 3.11 or newer: set PYTHON to one' >&2; exit 1; }
	@echo 'setting up $(1) (once) …'
	@test -x $(1)/bin/python || '$(2)' -m venv $(1)
	@$(1)/bin/python -m pip install -qq --disable-pip-version-check --require-hashes -r $(LOCK)
	@$(1)/bin/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(1)/.ready
endef

# Another PYTHON than the environment's own: begin anew.
ifneq ($(PYTHON),)
wanted := $(shell $(PYTHON) -c 'import sys; print(sys.version)' 2>/dev/null | head -1)
found := $(shell $(VENV)/bin/python -c 'import sys; print(sys.version)' 2>/dev/null | head -1)
ifneq ($(wanted),)
ifneq ($(wanted),$(found))
$(shell rm -rf $(VENV))
endif
endif
endif

$(VENV)/.ready: $(LOCK) pyproject.toml
	$(call set_up,$(VENV),$(or $(PYTHON),$(find_python)))

.venvs/%/.ready: $(LOCK) pyproject.toml
	$(call set_up,.venvs/$*,$(call python_of,$*))

.PHONY: $(addprefix test-,$(VERSIONS))
$(addprefix test-,$(VERSIONS)): test-%:
	@if [ -z '$(call python_of,$*)' ]; then \
		echo '*** Python $* is not installed: the tests were NOT run on it ***' >&2; \
	else \
		echo "--- Python $*"; $(MAKE) .venvs/$*/.ready; .venvs/$*/bin/python $(PYTEST) -q $(ARGS); \
	fi
