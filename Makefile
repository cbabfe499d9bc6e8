# Needs only make and Python 3.11 or newer; everything else goes into .venv.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: help venv demo test test-slow lint format clean
.DEFAULT_GOAL := help

help:  ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

venv: .venv/installed  ## set up .venv with the package and its development tools

# The stamp is newer than pyproject.toml exactly when what pyproject.toml asks for has been installed.
.venv/installed: pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version.split()[0]; sys.version_info >= (3, 11) or sys.exit(f"$(PYTHON) is Python {v}, needed is 3.11 or newer: make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

demo: venv  ## make small datasets from the bundled photos, train a small Harmonizer, and score it
	rm -rf demo
	$(BIN)/synthharm generate recipes/quickstart.yaml --output demo/dataset
	$(BIN)/synthharm check demo/dataset
	$(BIN)/synthharm generate recipes/quickstart.yaml --preview 12 --output demo/preview.png
	$(BIN)/synthharm generate recipes/splicing_quickstart.yaml --output demo/splicing
	$(BIN)/synthharm check demo/splicing
	$(BIN)/synthharm generate recipes/splicing_quickstart.yaml --preview 12 --output demo/splicing.png
	$(BIN)/synthharm train recipes/train_quickstart.yaml --output demo/harmonizer
	$(BIN)/synthharm evaluate demo/harmonizer/best --data demo/dataset --split test --output demo/scores
	$(BIN)/synthharm harmonize demo/harmonizer/best demo/dataset/images --mask demo/dataset/masks --output demo/harmonized
	@echo
	@echo "A harmonization dataset lies in demo/dataset, a splicing dataset in demo/splicing;"
	@echo "demo/preview.png and demo/splicing.png show twelve samples of each. The small Harmonizer in"
	@echo "demo/harmonizer was trained on such composites, scored in demo/scores, and made demo/harmonized."

lint: venv  ## check style, format and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

test: lint  ## lint, then run every test that takes seconds
	$(BIN)/pytest -m "not slow" -n 2

# pytest ends with 5 where no test is marked slow, which is no failure.
test-slow: venv  ## run the tests that take minutes
	$(BIN)/pytest -m slow -n 2 || test $$? -eq 5

format: venv  ## put the code into the house format
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:  ## remove what was made here, except .venv
	rm -rf demo build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -path ./.venv -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
