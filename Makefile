# The targets people expect; everything they do is a command of `srd-audit` or of a tool in the environment.
PYTHON ?= python3
SPEC ?= specs/demo.toml
RUNS := runs

BIN := .venv/bin
UV := uv==0.13.9
AUDIT := $(BIN)/srd-audit
UV_INSTALL := $(BIN)/uv pip install --quiet --python $(BIN)/python --constraints constraints.txt --overrides overrides.txt
# one of WORKERS, GPUS and SCHEDULER, else the spec's table [cluster], else two workers
RUN_OPTIONS = $(or $(strip $(if $(WORKERS),--workers $(WORKERS)) $(if $(GPUS),--gpus $(GPUS)) \
	$(if $(SCHEDULER),--scheduler $(SCHEDULER))),$(if $(shell grep -s '^ *\[cluster\]' $(SPEC)),,--workers 2))
PARALLEL := -n auto --maxprocesses 4 --dist loadfile
CPU := avx2
OTHER_PROCESSOR_avx2 := ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2
OTHER_PROCESSOR_default := ATEN_CPU_CAPABILITY=default
# whole families take a processor without vector instructions too long
NUMERIC_default := not slow and $(EMPTY)
TESTS := OMP_NUM_THREADS=1 PYTHONPATH=$(CURDIR) $(BIN)/python -P -m pytest
FUZZ_TIMEOUT := --timeout 590 --timeout-method thread
KEEP_MEMORY := MALLOC_TRIM_THRESHOLD_=8589934592 MALLOC_MMAP_THRESHOLD_=1073741824
BENCHMARK := $(KEEP_MEMORY) $(BIN)/python -P -W ignore -m

.DEFAULT_GOAL := help
.PHONY: help install install-dev audit perturb attribute score report status plan gate compare verify models bench docs docs-figures docs-messages docs-faults docs-edits test test-all test-slow test-numeric test-faults test-fuzz check format clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  variables    SPEC=specs/demo.toml  RUNS=runs  PYTHON=python3  and one of  WORKERS=2 (0: in this process)  GPUS=1"
	@echo "               SCHEDULER=tcp://HOST:8786  (docs/cluster.md)"

.venv/.uv:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("srd-audit needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; name another: make PYTHON=python3.12 ...")'
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check $(UV)
	@touch $@

.venv/.installed: .venv/.uv pyproject.toml constraints.txt overrides.txt
	@echo "installing the pinned set into .venv (about 6 GB with PyTorch) ..."
	@$(UV_INSTALL) --editable .
	@touch $@

.venv/.installed-dev: .venv/.installed
	@echo "installing the tools that test it ..."
	@$(UV_INSTALL) --editable '.[dev]'
	@touch $@

# Quantus needs numpy < 2.4
.venv-quantus/.installed: .venv/.uv pyproject.toml overrides.txt
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python .venv-quantus
	@$(BIN)/uv pip install --quiet --python .venv-quantus/bin/python --overrides overrides.txt --editable . quantus==0.6.0 'numpy<2.4'
	@touch $@

install: .venv/.installed ## create .venv with the pinned set
install-dev: .venv/.installed-dev ## ... and with what the tests need

audit: install ## audit SPEC (the demo by default) and print the report's path
	@$(AUDIT) run $(SPEC) --runs $(RUNS) $(RUN_OPTIONS)

perturb: install ## only the first stage of SPEC: perturb the images
	@$(AUDIT) run $(SPEC) --runs $(RUNS) $(RUN_OPTIONS) --stage perturb

attribute: install ## ... up to the maps: explain clean and perturbed images
	@$(AUDIT) run $(SPEC) --runs $(RUNS) $(RUN_OPTIONS) --stage attribute

score: install ## ... up to the last stage: ask the network again, and score the maps
	@$(AUDIT) run $(SPEC) --runs $(RUNS) $(RUN_OPTIONS) --stage score

report: install ## write the report of SPEC's finished run again
	@$(AUDIT) report $(SPEC) --runs $(RUNS)

status: install ## what is done and what is missing in SPEC's run
	@$(AUDIT) status $(SPEC) --runs $(RUNS)

plan: install ## what SPEC would take: tasks, time, disk, memory
	@$(AUDIT) plan $(SPEC) --runs $(RUNS) $(RUN_OPTIONS)

gate: install ## judge SPEC's run by criteria, or with AGAINST=runs/old ask what became worse; ends with 0, 6 or 7
	@$(AUDIT) check $(SPEC) --runs $(RUNS) $(if $(AGAINST),--against $(AGAINST))

compare: install ## what changed from the run AGAINST=runs/old to SPEC's, on a page
	@$(AUDIT) compare $(or $(AGAINST),$(error name the older run: make compare AGAINST=runs/old)) $(SPEC) --runs $(RUNS)

verify: install ## check SPEC's run against its receipts, do some tasks again with SPEC's network
	@$(AUDIT) verify $(SPEC) --runs $(RUNS)

models: install ## train the demo networks again (minutes)
	@$(BIN)/python -P -m pipeline.demo.training

bench: install-dev .venv-quantus/.installed ## what SRD, baselines, attacks, corruptions, the engine and metrics cost beside others (about an hour)
	@$(BENCHMARK) benchmarks.speed $(BENCH)
	@$(BENCHMARK) benchmarks.baselines
	@$(BENCHMARK) benchmarks.attacks
	@$(BENCHMARK) benchmarks.corruptions
	@$(BENCHMARK) benchmarks.engine
	@.venv-quantus/bin/python -P -W ignore -m benchmarks.metrics
	@$(KEEP_MEMORY) .venv-quantus/bin/python -P -W ignore -m benchmarks.faithfulness

docs: docs-figures docs-faults docs-edits ## measure all that docs/ says of this machine, and write it (half an hour)

docs-figures: install-dev ## ... docs/families.md, docs/baselines.md and docs/metrics.md, with docs/messages.md
	@OMP_NUM_THREADS=1 PYTHONPATH=$(CURDIR):tests:tests/srd:tests/srd/baselines $(BIN)/python -P -W ignore -m write_docs

docs-messages: install-dev ## ... docs/messages.md, which is read from the sources
	@PYTHONPATH=$(CURDIR):tests:tests/srd:tests/srd/baselines $(BIN)/python -P -W ignore -m write_docs messages

docs-faults: install-dev ## ... docs/faults.md
	@$(TESTS) -m faults --timeout 590 --write-docs

docs-edits: install-dev ## ... docs/edits.md
	@$(TESTS) tests/fuzz/test_table.py -m fuzz $(FUZZ_TIMEOUT) --write-docs

test: install-dev ## run the tests, but those that are slow and rarely fail
	@$(TESTS) $(PARALLEL)

test-all: install-dev ## ... all but those that kill processes or try thousands of inputs
	@$(TESTS) $(PARALLEL) -m "not faults and not fuzz"

test-slow: install-dev ## ... only the slow ones
	@$(TESTS) $(PARALLEL) -m "slow and not faults and not fuzz"

test-numeric: install-dev ## ... those of numbers, on a processor that can do less: CPU=avx2 or CPU=default
	@$(OTHER_PROCESSOR_$(CPU)) $(TESTS) $(PARALLEL) tests/srd -m "$(NUMERIC_$(CPU))not faults and not fuzz"
	@$(OTHER_PROCESSOR_$(CPU)) $(TESTS) $(PARALLEL) tests/attacks tests/test_contracts.py

test-faults: install-dev ## the tests that kill processes, fill disks and damage stores (minutes)
	@$(TESTS) -m faults --timeout 590

test-fuzz: install-dev ## thousands of damaged inputs, each refused or read: FUZZ_SEED=1 FUZZ_SCALE=1 (minutes)
	@$(TESTS) $(PARALLEL) tests/fuzz -m fuzz $(FUZZ_TIMEOUT)

check: install-dev ## format, lint, types, layers, tests
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(MAKE) --no-print-directory test

format: install-dev ## put the sources into the project's format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

clean: ## remove caches and runs; keep .venv
	@rm -rf runs .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
