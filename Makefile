# Two commands from a fresh machine: `make demo` and `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

# Containers often set it; every process that a test starts would compile the package anew.
unexport PYTHONDONTWRITEBYTECODE

# A worker on each core; one thread in each, as two would wait for one another.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --dist worksteal

# The numeric tests as if on these; tests/platforms/masks.py has the names and what they lack.
PROCESSORS ?= avx512 avx2 sse41

# The lowest and the newest versions that pyproject.toml admits, whatever constraints.txt says,
# without PyTorch; the blocks of the documents need it, in processes of their own.
BASE_TESTS := -m pytest --base-install --ignore tests/test_readme.py --ignore tests/docs \
	-m "not slow" --numprocesses auto --dist worksteal
define test-versions
	$(PYTHON) -m venv --clear .venv-$(1)
	.venv-$(1)/bin/python -m pip install --quiet --disable-pip-version-check uv
	.venv-$(1)/bin/uv pip install --quiet --compile-bytecode --python .venv-$(1)/bin/python $(2) --editable '.[test-base]'
	.venv-$(1)/bin/uv pip freeze --python .venv-$(1)/bin/python
	OMP_NUM_THREADS=1 .venv-$(1)/bin/python $(BASE_TESTS) $(TESTS)
endef

.PHONY: demo test test-all test-page browser test-lowest test-newest test-processors lint format docs man page dist clean

demo: $(VENV)/base
	@$(BIN)/python scripts/demo.py

test: $(VENV)/all lint
	$(PYTEST) -m "not slow"

test-all: $(VENV)/all lint
	$(PYTEST)

# The web page: in Chromium, which `make browser` brings if anything can, and by Node.
test-page: browser
	$(PYTEST) --base-install tests/serve/page

# What drives Chromium, and Chromium itself from Debian where root may install it. Without it the tests
# of the page in a browser and of WebGPU skip, with their reason.
browser: $(VENV)/browser
	scripts/install_chromium.sh

test-lowest:
	$(call test-versions,lowest,--resolution lowest-direct)

test-newest:
	$(call test-versions,newest,--upgrade)

test-processors: $(VENV)/all
	$(BIN)/python tests/platforms/run_under_masks.py $(PROCESSORS)

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

# The web page in build/page. What it takes from npm goes into the package, and from there into the
# wheel; neither is committed.
page: $(VENV)/base
	$(BIN)/python scripts/build_page.py build/page

# The source distribution and the wheel, in dist/.
dist: $(VENV)/dist $(if $(shell command -v npm),page)
	@command -v npm > /dev/null || echo "npm isn't installed: the wheel lacks what the web page takes from it"
	rm -rf dist
	PIP_CONSTRAINT=$(CURDIR)/constraints.txt $(BIN)/python -m build
	$(BIN)/twine check --strict dist/*
	$(BIN)/python scripts/check_dist.py dist

clean:
	rm -rf $(VENV) .venv-lowest .venv-newest .demo build dist site src/subpixel/serve/page/vendor

$(VENV)/base: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) --editable .
	@touch $@

$(VENV)/all: $(VENV)/base
	$(PIP) --editable '.[lint]'
	@touch $@

$(VENV)/browser: $(VENV)/base
	$(PIP) --editable '.[test-page]'
	@touch $@

$(VENV)/docs: $(VENV)/base
	$(PIP) --editable '.[docs]'
	@touch $@

$(VENV)/dist: $(VENV)/base
	$(PIP) --editable '.[dist]'
	@touch $@
