# Two commands: `make demo` and `make test`. Each makes its own environment first; nothing but Python 3.11+ is needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: docs package demo test test-long test-oldest zoo fuzz hostile scale soak torture coverage install install-test lint types bench compare clean

demo: install
	$(BIN)/ganprune demo --out demo

# One thread per process: two workers on two cores, each with a thread pool of its own, wait for each other.
test: install-test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile -m "not alone and not long"
	$(BIN)/python -m pytest -m alone

# The tests of more than ten seconds: every command of the README and of the docs pages, whole searches, ONNX of the zoo.
test-long: install-test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile -m long

# The suite with the oldest version that setup.cfg allows of each dependency, in an environment of its own. uv resolves
# them; torch comes with its CUDA libraries, 3 GB.
OLDEST := .venv-oldest
test-oldest: $(OLDEST)/.installed
	OMP_NUM_THREADS=1 PATH="$(CURDIR)/$(OLDEST)/bin:$$PATH" $(OLDEST)/bin/python -m pytest -n 2 --dist loadfile \
		-m "not alone and not long"

$(OLDEST)/.installed: setup.cfg pyproject.toml tests/plugins/pyproject.toml
	$(PYTHON) -m venv $(OLDEST)
	$(OLDEST)/bin/python -m pip install --quiet --disable-pip-version-check uv
	$(OLDEST)/bin/uv pip install --quiet --python $(OLDEST)/bin/python --resolution lowest-direct \
		--editable ".[test,postgresql]" --editable tests/plugins
	@touch $@

# Branch coverage of the suite, worker and driver processes included; the ten least covered files stand first.
coverage: install-test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile -m "not alone and not long" --cov --cov-branch --cov-report=
	$(BIN)/coverage report --sort=cover

# Small generators with one trait each, in two processes: what can be pruned of each, by hand and found.
zoo: install-test
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m tests.zoo.sweep

# Networks composed of random operators: 500 of them, others each time.
fuzz: install-test
	FUZZ_EXAMPLES=500 OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/gan_models/groups/test_random_networks.py

# Damaged and malicious input of every kind, read under a guard: ten thousand cases, the same for the same seed.
CASES ?= 10000
SEED ?= 0
hostile: install-test
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.hostile --cases $(CASES) --seed $(SEED)

# Converters and runtimes of other packages over the catalog's networks, as a table: they are large, and extras. Without
# their dependencies: litert-torch asks for language models' packages and an older typing-extensions, and uses neither.
RUNTIMES := ai-edge-litert litert-torch litert-converter ai-edge-quantizer torchao jaxtyping wadler-lindig immutabledict \
	multipledispatch tabulate backports.strenum ncnn portalocker pnnx openvino coremltools cattrs pyaml
test-runtimes: install-test
	$(PIP) --no-deps $(RUNTIMES)
	$(PIP) absl-py jax tqdm
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m tests.runtimes.matrix

# The documentation as a site in build/site; a broken link or anchor is an error.
docs: install-test
	$(PIP) --editable ".[docs]"
	$(BIN)/python -m mkdocs build --quiet

# Source distribution and wheel in dist/, with their metadata checked.
package: install-test
	$(PIP) build twine
	rm -rf dist build/lib
	$(BIN)/python -m build --quiet
	$(BIN)/python -m twine check --strict dist/*

torture: install-test
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.torture

# 10,000 simulated trials on PostgreSQL, read by 16 processes and the live report meanwhile.
scale: install-test
	$(BIN)/python -m tests.load.scale

# Searches, exports and reports in one process; MINUTES=240 for hours.
MINUTES ?= 20
soak: install-test
	$(BIN)/python -m tests.load.soak --minutes $(MINUTES)

install: $(VENV)/.installed
install-test: $(VENV)/.installed-test

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# torch first, and pinned: left to itself the resolver would fetch the newest CUDA build.
$(VENV)/.installed: $(BIN)/python setup.cfg pyproject.toml constraints.txt
	$(PIP) torch
	$(PIP) --editable .
	@touch $@

# The tests run with a package of rows of its own beside ganprune, as any other package may add them.
$(VENV)/.installed-test: $(VENV)/.installed tests/plugins/pyproject.toml
	$(PIP) --editable ".[test,postgresql]" --editable tests/plugins
	@touch $@

lint: install-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install-test
	$(BIN)/basedpyright

bench: install-test
	$(BIN)/python benchmarks/plans_per_second.py
	$(BIN)/python benchmarks/frechet_speed.py
	$(BIN)/python benchmarks/search_quality.py
	$(BIN)/python benchmarks/overhead.py --marks 10,1000

# Every method at 50, 25 and 12.5 % on four tasks, three seeds: about an hour; goes on where it was interrupted.
compare: install-test
	$(BIN)/python benchmarks/compare.py

clean:
	rm -rf $(VENV) build dist *.egg-info demo
