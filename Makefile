# Every task by its name; `make` alone lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help

# Beside the newest JupyterHub, which .venv has: the oldest that is supported, and the last 5.
HUBS := 5.2.1 5.5.*
# Files of the package and around it that ruff looks at.
SOURCES := jupyterhub_imagebuilder tests tools docs/conf.py setup_ui_example.py

# Of the demo; DOCKER_HOST, if set, names the engine that it uses.
export DEMO_PORT DEMO_DIR

.PHONY: help demo demo-clean setup frontend test quick hubs lint types format docs screenshots reference bench clean

help:  ## list these tasks
	@sed -nE 's/^([a-z-]+):.*## (.*)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

demo:  ## the whole product on this machine, at http://127.0.0.1:8000; Ctrl-C stops it
	@tools/setup demo && exec .venv-demo/bin/python -m tools.demo

demo-clean:  ## remove all that `make demo` has made
	@if command -v python3 >/dev/null; then exec python3 -B -m tools.demo.clean; \
	else echo "demo: nothing is left to remove"; fi

setup:  ## create .venv with all that the tests need (the tasks below do that by themselves)
	@tools/setup dev
	@tools/frontend dev

frontend:  ## the form and the pages, into the package; prints their sizes
	@tools/frontend

test:  ## all tests, on all supported JupyterHubs; what the machine lacks is skipped with a reason
	@set -f; tools/test $(HUBS)

quick: setup  ## the tests that need no network and no cluster, in seconds
	@.venv/bin/python -m pytest -q tests/unit tests/contract tests/integration/frontend

hubs:  ## the hub's side on 5.2, 5.5 and the newest JupyterHub
	@set -f; PYTEST_ARGS="tests/unit/hub tests/integration/hub" tools/test $(HUBS)

lint: setup  ## format, rules, and who may import whom
	@.venv/bin/ruff format --check $(SOURCES)
	@.venv/bin/ruff check $(SOURCES)
	@.venv/bin/lint-imports
	@cd frontend && npm run --silent lint
	@if command -v shellcheck >/dev/null; then shellcheck tools/setup tools/test tools/frontend .ci/run; \
	else echo "shellcheck is not installed: the shell scripts are not checked"; fi

types: setup  ## mypy and tsc, strict
	@.venv/bin/mypy
	@cd frontend && npm run --silent types

format: setup  ## rewrite the code in its one format
	@.venv/bin/ruff format $(SOURCES)
	@.venv/bin/ruff check --fix $(SOURCES)
	@cd frontend && npm run --silent format

docs:  ## the documentation as HTML, warnings are errors
	@tools/setup docs
	@.venv/bin/sphinx-build -W --keep-going -q -b html docs docs/_build/html
	@echo docs/_build/html/index.html

screenshots: setup  ## make the pictures that the documentation shows anew
	@made=$$(mktemp -d); trap 'rm -rf "$$made"' EXIT; \
	IMAGEBUILDER_TEST_REQUIRE=browser IMAGEBUILDER_SCREENSHOTS=$$made \
	  .venv/bin/python -m pytest -q tests/integration/browser/test_accessibility.py && \
	mkdir -p docs/_static/screenshots && \
	grep -rhoE 'screenshots/[a-z-]+\.png' --include='*.md' docs | sort -u | \
	  while read -r name; do cp "$$made/$${name#*/}" docs/_static/screenshots/; done

reference: setup  ## write the generated pages of the reference anew
	@.venv/bin/python tools/reference.py

bench: setup  ## measure on a quiet machine and print a table; BENCH="P2 P3" for some of it
	@.venv/bin/python -m tests.benchmarks $(BENCH)

clean:  ## remove what the tasks have made, the environments too
	rm -rf .venv .venv-hub-* docs/_build dist build .coverage* \
	  frontend/node_modules jupyterhub_imagebuilder/static \
	  .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +
