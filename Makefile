# Targets print themselves with `make help`. Everything runs in ./.venv, made on first use.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
CORES = $(shell $(BIN)/python -c 'import os; print(min(os.cpu_count() or 1, 4))')
# Files in their order, the long ones first: the short ones fill up what is left of the time.
PARALLEL = -n $(or $(WORKERS),$(CORES)) --dist loadfile --no-loadscope-reorder

# Else every process that a test starts compiles all modules again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install demo test test-slow test-fast lint settings format bench serve clean lowest

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

install: $(STAMP) ## Make .venv and install vidembed with what the demo and the tests need

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[all,demo,dev]'
	touch $(STAMP)

demo: $(STAMP) ## Index real videos and search them
	$(BIN)/vidembed demo

serve: $(STAMP) ## Open the web page on http://127.0.0.1:7860
	$(BIN)/vidembed serve --index demo-index

test: $(STAMP) ## Run all tests that need no weights, GPU or server, in a process per core (at most 4); WORKERS=0: in this one
	$(BIN)/python -m pytest -q $(PARALLEL)

test-slow: $(STAMP) ## Run the long tests at full length: 300 damaged files, 200 kills, a minute of --watch
	$(BIN)/python -m pytest -q --full -m slow $(PARALLEL)

test-fast: $(STAMP) ## Run the tests that take under ten seconds each
	$(BIN)/python -m pytest -q -m 'not slow and not browser'

LOWEST = tests/unit/hub tests/unit/app tests/unit/open_clip_models tests/unit/test_dual.py tests/unit/test_clap.py \
	tests/unit/test_vlm.py tests/unit/test_pe_av.py tests/unit/test_videoprism.py tests/unit/test_xclip.py \
	tests/unit/test_late.py tests/unit/test_rerankers.py tests/unit/test_sentence_multimodal.py tests/unit/test_numerics.py \
	tests/unit/test_mteb.py tests/unit/test_ocr.py tests/unit/test_speech.py tests/unit/test_speakers.py \
	tests/unit/test_media_transnet.py tests/unit/test_tables.py tests/unit/test_subtitle_files.py tests/contracts \
	tests/e2e/test_clip_tables.py tests/e2e/test_hub_models.py tests/e2e/test_remote.py tests/e2e/test_writers.py \
	tests/e2e/test_agents.py tests/e2e/test_cli.py

lowest: ## Run tests of what leans on other packages with the lowest versions that pyproject.toml allows (nightly; 8 GB)
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/python -m pip install -q uv
	.venv-lowest/bin/uv pip install -q --python .venv-lowest --resolution lowest-direct -e '.[all,dev,mteb,demo]'
	.venv-lowest/bin/python -m pytest -q $(LOWEST)

lint: $(STAMP) ## Check style, types, and that nothing is left unused
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	sed -n '/^```python/,/^```/{/^```/!p}' README.md > $(VENV)/readme_examples.py
	$(BIN)/mypy $(VENV)/readme_examples.py
	$(BIN)/vulture

settings: $(STAMP) ## Write configs/base.yaml and docs/cli.md from the settings and commands
	$(BIN)/python -m vidembed.config.reference
	$(BIN)/python -m vidembed.cli.reference

format: $(STAMP) ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP) ## Measure decoding, indexing, search and memory; prints JSON
	for script in decode index_throughput search_latency memory channels; do $(BIN)/python benchmarks/$$script.py || exit 1; done

clean: ## Remove the environment and what the demo made
	rm -rf $(VENV) demo-index .pytest_cache .mypy_cache .ruff_cache
