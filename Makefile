# Every target sets up .venv first, from requirements.lock: next year's install is today's.
PYTHON ?= python3
BIN := .venv/bin
DEMO_SENTENCES := 'My grandmother bought three apples at the market yesterday.' \
	'Please drink the coffee.' 'The student reads a book at the library every day.'
PYTEST := $(BIN)/python -m pytest -q
IN_PARALLEL := --numprocesses auto --maxprocesses 4 --dist loadfile
export TF_CPP_MIN_LOG_LEVEL ?= 3
# Tests leave nothing behind, not even compiled modules.
test test-slow check: export PYTHONDONTWRITEBYTECODE = 1

.PHONY: setup demo test test-slow check benchmark format lock docs clean

setup: .venv/installed

.venv/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else \
	"expected Python 3.11 to 3.13, received %d.%d; name one: make PYTHON=python3.12" % v)'
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# The main job on the built-in corpus: prepare, train, evaluate, export, translate.
demo: setup
	$(BIN)/nmt prepare configs/quickstart.yaml
	$(BIN)/nmt train configs/quickstart.yaml
	$(BIN)/nmt evaluate runs/quickstart
	@printf '%s\n' $(DEMO_SENTENCES) > runs/quickstart/demo.en
	@$(BIN)/nmt export runs/quickstart saved_models/quickstart > runs/quickstart/demo.path
	@$(BIN)/nmt translate saved_models/quickstart --input runs/quickstart/demo.en --output runs/quickstart/demo.ko
	@paste -d '\n' runs/quickstart/demo.en runs/quickstart/demo.ko
	@cat runs/quickstart/demo.path

test: setup
	$(PYTEST) $(IN_PARALLEL) -m "not slow and not thorough"

# Kills, real processes, whole trainings.
test-slow: setup
	$(PYTEST) -m slow

# What a change must pass: the quick tests and the thorough ones.
check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(PYTEST) $(IN_PARALLEL)

# Against the peers, for hours: make benchmark CORPUS=folder/of/multi30k OPTIONS="--rounds 5 --batches 64 128 256"
benchmark: setup
	$(BIN)/python benchmarks/speed/install_peers.py
	$(BIN)/python benchmarks/speed/compare.py --corpus $(or $(CORPUS),data/multi30k) $(OPTIONS)

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Newest versions inside the bounds of pyproject.toml, for Python 3.11 to 3.13, with the checksum of every file.
lock:
	$(PYTHON) -m venv .venv-lock && .venv-lock/bin/python -m pip install --quiet uv
	.venv-lock/bin/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
		--quiet --upgrade --custom-compile-command "make lock" --output-file requirements.lock
	rm -r .venv-lock

docs: setup
	$(BIN)/nmt config schema --markdown > docs/configuration.md

clean:
	rm -rf .venv prepared runs
