# Two commands from a fresh machine: `make demo` and `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

# A worker on each core; one thread in each, as two would wait for one another.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --dist loadfile

.PHONY: demo test test-all lint format docs man dist clean

demo: $(VENV)/base
	@$(BIN)/python scripts/demo.py

test: $(VENV)/all lint
	$(PYTEST) -m "not slow"

test-all: $(VENV)/all lint
	$(PYTEST)

lint: $(VENV)/all
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/all
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

# The documentation site, in site/. A warning, a broken link or an outside resource is an error.
docs: $(VENV)/docs
	PYTHONPATH=scripts $(BIN)/zensical build --clean --strict
	$(BIN)/python scripts/check_site.py site

man: $(VENV)/base
	@mkdir -p build
	$(BIN)/python scripts/man_page.py > build/subpixel.1

# The source distribution and the wheel, in dist/.
dist: $(VENV)/dist
	rm -rf dist
	PIP_CONSTRAINT=$(CURDIR)/constraints.txt $(BIN)/python -m build
	$(BIN)/twine check --strict dist/*
	$(BIN)/python scripts/check_dist.py dist

clean:
	rm -rf $(VENV) .demo build dist site

$(VENV)/base: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) --editable .
	@touch $@

$(VENV)/all: $(VENV)/base
	$(PIP) --editable '.[lint]'
	@touch $@

$(VENV)/docs: $(VENV)/base
	$(PIP) --editable '.[docs]'
	@touch $@

$(VENV)/dist: $(VENV)/base
	$(PIP) --editable '.[dist]'
	@touch $@
