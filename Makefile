# Everything starts from a fresh clone: `make demo` and `make test` do all the set-up themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: demo test test-all lint format bench clean

demo: $(INSTALLED)
	$(BIN)/python benchmarks/demo.py

# Each process computes in one thread: two that take turns at the same cores are slower than either.
# One process more than cores, since many tests wait for others: 177 s instead of 201 on two.
# A file of tests stays in one process, which then makes what they share once. What Python compiles
# is kept, whatever the environment says: the processes that tests start would compile it anew.
test: $(INSTALLED)
	PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 \
		$(BIN)/python -m pytest --dist loadfile \
		--numprocesses $$($(BIN)/python -c "import os; print(min(4, (os.cpu_count() or 1) + 1))")

test-all: $(INSTALLED)
	$(BIN)/python -m pytest -m ""

lint: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(INSTALLED)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(INSTALLED)
	$(BIN)/python benchmarks/first_answer.py
	$(BIN)/python benchmarks/indexing.py

$(INSTALLED): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,demo]'
	touch $(INSTALLED)

clean:
	rm -rf $(VENV) demo build dist *.egg-info
