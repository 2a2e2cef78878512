# The two commands of the README, and what developers need beside them.
#
# PYTHON is the interpreter that makes the virtual environment; TARGET what `make conform` judges;
# TARGETS what `make repeat` judges N times.
PYTHON ?= python3
VENV ?= .venv
TARGET ?= reference
TARGETS ?= reference qemu
N ?= 50
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Two workers: the suite of tests is made for two cores.
PYTEST_WORKERS ?= 2
# The tests start hundreds of interpreters, which need not compile everything anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: conform test matrix long campaign kills check bench docs wheel clean help

help:
	@echo 'make conform            judge the reference device (TARGET=qemu: the installed QEMU)'
	@echo 'make test               run all tests; VHINT_REQUIRE_PEERS=1 makes a missing QEMU a failure'
	@echo 'make long               the tests that take long: whole runs against devices in C and their like'
	@echo 'make kills              kill devices, hosts, guests and suites 100 times each, at random moments'
	@echo 'make repeat             judge TARGETS N times (reference and QEMU, 50), and compare verdicts'
	@echo 'make check              ruff, strict typing, and the linter of the specification'
	@echo 'make bench              codecs, explorer and vhost-user server side by side with their peers'
	@echo 'make docs               build the site into docs/_build/html; warnings are errors'
	@echo 'make matrix             judge every mutant and every sound implementation, and save the matrix'
	@echo 'make campaign           run every mutant and sound guest 20 times with random seeds'
	@echo 'make wheel              build a wheel into dist/'
	@echo 'make clean              remove the virtual environment and everything made'

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'vhint needs Python 3.11 or later: make PYTHON=/path/to/python3.11 ...' >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev,docs]'
	@touch $@

conform: $(STAMP)
	$(BIN)/vhint conform $(TARGET)

test: $(STAMP)
	$(BIN)/python -m pytest -q -n $(PYTEST_WORKERS) --dist worksteal

long: $(STAMP)
	VHINT_LONG=1 $(BIN)/python -m pytest -q -n $(PYTEST_WORKERS) -m long tests

kills: $(STAMP)
	VHINT_KILLS=100 $(BIN)/python -m pytest -q -n 0 tests/transport/test_kill.py \
		tests/transport/test_kill_either.py

repeat: $(STAMP)
	$(BIN)/python -m vhint_conformance.repeat --times $(N) $(TARGETS)

matrix: $(STAMP)
	$(BIN)/vhint mutants -j $(PYTEST_WORKERS) \
		--json conformance/vhint_conformance/kill_matrix/matrix.json

campaign: $(STAMP)
	$(BIN)/python -m vhint_conformance.model.campaign --jobs $(PYTEST_WORKERS)

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m vhint_spec

bench: $(STAMP)
	$(BIN)/python benchmarks/wire.py
	$(BIN)/python benchmarks/explore.py
	$(BIN)/python benchmarks/vhost.py

docs: $(STAMP)
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --nitpicky --quiet --jobs auto \
		-b html -d docs/_build/doctrees docs docs/_build/html
	@echo 'The site is in docs/_build/html/index.html'

wheel: $(STAMP)
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps -w dist .

clean:
	rm -rf $(VENV) build dist docs/_build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
