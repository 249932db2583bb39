# The menu. Each target makes what it needs: a fresh machine with python3 and make is enough.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
OUT    ?= out
JOBS   ?= 2

export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: help demo test test-engines test-floors bench-scale nightly quick mutation mutation-quick lint types layers docs notebooks bench bench-basket api fuzz audit artefacts changelog clean

help:
	@echo "make demo       the weekly page from real data: users.parquet and report.html in $(OUT)/"
	@echo "make test       all tests, with branch coverage"
	@echo "make test-engines the boundary on Dask and PySpark (needs Java)   make nightly   properties with 1,000 examples"
	@echo "make test-floors  the cross-engine suite on the oldest versions that pyproject allows   make bench-scale  the tables of docs/explanation/scale.md"
	@echo "make quick      the tests of one room: make quick ROOM=segments"
	@echo "make mutation     do the tests notice a changed operator, bound or argument? make mutation ROOM=segments SAMPLE=60"
	@echo "make lint       ruff, import-linter        make types   mypy, pyright --verifytypes"
	@echo "make docs       build the site, strict     make bench   ratios against peers, in one run"
	@echo "make api        names, breaks with the last release, JSON schemas and columns of frames against what is kept"
	@echo "make fuzz       Atheris over from_frame, from_csv, JSON and the command line, FUZZ=300 seconds each"
	@echo "make audit      known weaknesses (pip-audit) of what is installed, and of the oldest versions that pyproject allows; needs the network"
	@echo "make artefacts  build the wheel and the sdist, look into them, test them as installed, also with all they need in a new environment"

# One stamp for each set of packages: `make demo` on a fresh machine does not wait for the linters.
$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"

$(VENV)/.demo: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable . --group demo
	@touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable . --group dev
	@touch $@ $(VENV)/.demo

$(VENV)/.bench: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --group bench
	@touch $@

$(VENV)/.mutation: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --group mutation
	@touch $@

demo: $(VENV)/.demo
	@$(BIN)/commlife demo --out $(OUT)

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n $(JOBS) --cov --cov-report=term $(PYTEST)

test-engines: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet "pyspark>=3.5.2"
	$(BIN)/python -m pytest -q slow

# The oldest versions that pyproject.toml allows, in an environment of their own.
$(VENV)-floors/.made: pyproject.toml tests/engines/floors.py
	$(PYTHON) -m venv $(VENV)-floors
	$(VENV)-floors/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	$(PYTHON) tests/engines/floors.py > $(VENV)-floors/constraints.txt
	$(VENV)-floors/bin/python -m pip install --quiet --constraint $(VENV)-floors/constraints.txt --editable ".[polars,duckdb,dask,report,testing]"
	@touch $@

# FLOORS narrows it, as CI does: make test-floors FLOORS='tests/engines -k "boundary or clock_changes"'
FLOORS ?= tests/engines tests/state tests/features
test-floors: $(VENV)-floors/.made
	$(VENV)-floors/bin/python -m pytest -q -p no:randomly $(FLOORS)

bench-scale: $(VENV)/.dev
	OMP_NUM_THREADS=1 $(BIN)/python bench/bench_scale.py all

nightly: $(VENV)/.dev
	HYPOTHESIS_PROFILE=nightly $(BIN)/python -m pytest -q -n $(JOBS)

quick: $(VENV)/.dev
	$(BIN)/python -m pytest -q tests/$(ROOM)

# A fixed sample of mutants a room: minutes of CPU each. The survivors that were looked at: tests/mutation/survivors.md.
mutation: $(VENV)/.mutation
	OMP_NUM_THREADS=1 $(BIN)/python tests/mutation/run.py --room $(or $(ROOM),all) --sample $(or $(SAMPLE),60) --seed $(or $(SEED),1)

# One small file of each room with its own tests: fails where fewer than 85% die.
mutation-quick: $(VENV)/.mutation
	OMP_NUM_THREADS=1 $(BIN)/python tests/mutation/run.py --quick --sample 28

lint: $(VENV)/.dev
	$(BIN)/ruff check --output-format concise
	$(BIN)/ruff format --check
	$(BIN)/lint-imports

types: $(VENV)/.dev
	$(BIN)/mypy
	@# What a host's checker infers from our calls, and refuses: each line of that file is a test.
	MYPYPATH=src $(BIN)/mypy --config-file tests/typing/mypy.ini tests/typing/host.py
	$(BIN)/pyright --pythonpath $(BIN)/python tests/typing/host.py
	@# Completeness is judged of the package as hosts install it: pyright does not follow an editable one.
	@rm -rf $(VENV)/.typed && $(BIN)/python -m pip install --quiet --no-deps --target $(VENV)/.typed .
	PYTHONPATH=$(VENV)/.typed $(BIN)/pyright --pythonpath $(BIN)/python --verifytypes commlife --ignoreexternal > $(VENV)/.typed/report.txt \
		|| { grep -B1 -E "error" $(VENV)/.typed/report.txt | head -60; exit 1; }
	@tail -4 $(VENV)/.typed/report.txt | head -2

docs: $(VENV)/.dev notebooks
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@$(BIN)/python docs/check_site.py site
	@echo "site/index.html"

notebooks: $(VENV)/.dev
	$(BIN)/python examples/run_notebooks.py

# The wheel is built from the sdist, as an index would have it, and tried in its own folder.
artefacts: $(VENV)/.dev
	@rm -rf dist $(VENV)/.artefact
	@$(BIN)/python -m build --outdir dist . > $(VENV)/build.txt 2>&1 || { tail -20 $(VENV)/build.txt; exit 1; }
	@$(BIN)/python -m pip install --quiet --no-deps --target $(VENV)/.artefact dist/*.whl
	@$(BIN)/python tests/artefacts.py dist $(VENV)/.artefact

# Names and signatures, breaks with the last release (griffe), schemas of files and columns of frames.
api: $(VENV)/.dev
	$(BIN)/python tests/api/snapshot.py --check
	$(BIN)/python tests/api/breaking.py
	$(BIN)/python tests/api/shapes.py --check

# Atheris over the boundary, FUZZ seconds a target; what it finds goes into fuzz/corpus, which the tests replay.
FUZZ ?= 300
fuzz: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --group fuzz
	@for target in from_frame from_csv from_json command_line; do \
		echo "== $$target"; $(BIN)/python fuzz/run.py $$target --seconds $(FUZZ) || exit 1; done

# Asked of the advisory service: the newest versions that were resolved here, and the floors themselves. A finding ends it.
audit: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --group audit
	$(BIN)/pip-audit --skip-editable --desc off
	@$(BIN)/python tests/engines/floors.py | sed 's/\.\*$$//' > $(VENV)/floors.txt
	$(BIN)/pip-audit --no-deps --disable-pip --desc off --requirement $(VENV)/floors.txt

bench: $(VENV)/.bench
	@for script in bench/bench_*.py; do echo "== $$script"; OMP_NUM_THREADS=1 $(BIN)/python $$script || exit 1; done

bench-basket: $(VENV)/.bench
	OMP_NUM_THREADS=1 $(BIN)/python bench/bench_basket.py

changelog: $(VENV)/.dev
	$(BIN)/towncrier build --draft --version next

clean:
	rm -rf $(VENV) dist out site .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
