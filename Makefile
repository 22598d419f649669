# Two commands for a fresh machine: `make demo` and `make test`. Everything is installed into .venv/ and the
# cache directory (GOASSIST_CACHE_DIR, by default the user's cache directory); nothing else is touched, but by
# `make install`, which links one command into ~/.local/bin.

SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export PYTHONUNBUFFERED := 1

# Training has an environment of its own, made once for each lock file: torch and what it brings along are some 5 GB.
CACHE := $(or $(GOASSIST_CACHE_DIR),$(HOME)/.cache/goassist)
TRAIN := $(CACHE)/train/environments/$(shell sha256sum locks/train.txt | cut -c1-12)
TRAINING := PYTHONPATH=.:models:index:tests OMP_WAIT_POLICY=passive $(TRAIN)/bin/python

.PHONY: demo install setup test test-train train-setup train-small counts check format lock picture results page vsix clean

demo: setup
	$(BIN)/goassist-lsp model pull
	$(BIN)/python scripts/demo.py

# For editors: the server, its native library, the model; linked to where editors look for commands.
install: setup
	$(BIN)/goassist-lsp model pull
	@mkdir -p "$(HOME)/.local/bin"
	ln -sf "$(abspath $(BIN))/goassist-lsp" "$(HOME)/.local/bin/goassist-lsp"

setup: $(STAMP)
	@PYTHONPATH=models:index $(BIN)/python -m goassist_models.native build

# Python packages from the lock file, then this checkout; llama-cpp-python is built for this CPU by `native build`.
$(STAMP): locks/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "goassist needs Python 3.11 or later: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "Python's venv module is missing: apt-get install python3-venv"; exit 1; }
	@command -v go >/dev/null || { echo "The Go toolchain is missing (1.23 or later): install Go, or apt-get install golang-go"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r locks/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

# Every test: unit, cases, properties, Go, and end to end with the real model and the real Go toolchain.
test: setup
	$(BIN)/goassist-lsp model pull
	$(BIN)/python scripts/neovim_next.py
	cd index/goassist_index/gotypes && go test ./...
	$(BIN)/python -m pytest

train-setup: setup
	@test -x $(TRAIN)/bin/pytest || { mkdir -p $(dir $(TRAIN)) && rm -rf $(TRAIN) && $(PYTHON) -m venv $(TRAIN) \
	  && $(TRAIN)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile -r locks/train.txt; }
	@$(TRAINING) -m goassist_models.native build

# The whole chain of training, on a model of some thousand weights, and its parts: minutes.
test-train: train-setup
	$(TRAINING) -m pytest tests/train

# From a list of modules to a quantised model and an adapter of the 0.5B; its last lines are the table.
SMALL ?= $(CACHE)/train/small
STAGES := collect licence gate dedup samples report sft pairs dpo export evaluate
train-small: train-setup
	$(BIN)/goassist-lsp model pull qwen2.5-coder-0.5b
	for stage in $(STAGES); do $(TRAINING) -m goassist_lsp.cli train $$stage --recipe models/recipes/small.toml --out "$(SMALL)" || exit 1; done

# How many tests there are of each kind.
counts: setup
	@$(BIN)/python scripts/test_counts.py

# What CI runs beside the tests.
check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@unformatted=$$(gofmt -l index/goassist_index/gotypes models/goassist_models/data/licences); test -z "$$unformatted" || { echo "gofmt: $$unformatted"; exit 1; }
	cd index/goassist_index/gotypes && go vet ./... && go run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...
	cd models/goassist_models/data/licences && go vet ./...

format:
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	gofmt -w index/goassist_index/gotypes models/goassist_models/data/licences

# Newest versions that pyproject.toml allows, without download addresses; llama-cpp-python is pinned in native.py.
lock: $(STAMP)
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/python -m uv pip compile --quiet --universal --no-emit-index-url --no-emit-find-links --no-header \
	  --no-emit-package llama-cpp-python --extra data --extra eval --extra serve --group dev pyproject.toml -o locks/dev.txt
	$(BIN)/python -m uv pip compile --quiet --universal --no-emit-index-url --no-emit-find-links --no-header \
	  --no-emit-package llama-cpp-python --no-emit-package goassist-lsp --extra train --extra ray --group dev pyproject.toml -o locks/train.txt

# The extension for VS Code, from its own lock file: editors/vscode/goassist.vsix.
vsix: setup
	cp LICENSE editors/vscode/
	cd editors/vscode && export PATH="$(abspath $(BIN)):$$PATH" && npm ci --ignore-scripts --no-audit --no-fund && npm run package

picture: setup
	$(BIN)/python scripts/demo.py --svg docs/demo.svg
	$(BIN)/python scripts/neovim_picture.py
	$(BIN)/python scripts/typing_picture.py
	$(BIN)/python scripts/vscode_picture.py

# The published page: every evaluation (hours; what is there already is not asked again), then its tables into the page.
RESULTS ?= $(or $(GOASSIST_CACHE_DIR),$(HOME)/.cache/goassist)/eval/results
ABLATIONS := goassist,no names,no repair,no imports,no second draw,types at the end
MODELS := --model qwen2.5-coder-0.5b --model qwen2.5-coder-1.5b
results: setup
	$(BIN)/goassist-lsp model pull qwen2.5-coder-0.5b
	$(BIN)/goassist-lsp model pull qwen2.5-coder-1.5b
	$(BIN)/goassist-lsp eval infill --limit 160 $(MODELS) --llama-vim --out "$(RESULTS)/infill"
	$(BIN)/goassist-lsp eval infill --limit 160 --systems "$(ABLATIONS)" --model qwen2.5-coder-0.5b --out "$(RESULTS)/ablations"
	$(BIN)/goassist-lsp eval infill --needs-import any --limit 64 --systems "goassist,no imports beside" --model qwen2.5-coder-0.5b --out "$(RESULTS)/imports"
	$(BIN)/goassist-lsp eval infill --needs-import named --limit 64 --systems goassist --model qwen2.5-coder-0.5b --out "$(RESULTS)/imports-named"
	$(BIN)/goassist-lsp eval typing --bodies 16 --limit 150 --interval-ms 180 --model qwen2.5-coder-0.5b --llama-vim --out "$(RESULTS)/typing"
	$(BIN)/goassist-lsp eval typing --bodies 16 --limit 60 --interval-ms 540 --model qwen2.5-coder-0.5b --llama-vim --out "$(RESULTS)/typing-540"
	$(BIN)/goassist-lsp eval humaneval-x $(MODELS) --out "$(RESULTS)/humaneval-x"
	$(BIN)/goassist-lsp eval perplexity $(MODELS) --out "$(RESULTS)/perplexity"
	$(BIN)/goassist-lsp eval lint "$(RESULTS)/infill"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[embed]'
	$(BIN)/goassist-lsp model pull all-minilm-l6-v2
	$(BIN)/goassist-lsp eval search --dense --out "$(RESULTS)/search"
	$(MAKE) --no-print-directory page

# The page alone, from finished runs.
page:
	$(BIN)/goassist-lsp eval results "$(RESULTS)/infill" ablations="$(RESULTS)/ablations" imports="$(RESULTS)/imports" imports-named="$(RESULTS)/imports-named" \
	  "$(RESULTS)/typing" typing-540="$(RESULTS)/typing-540" \
	  "$(RESULTS)/humaneval-x" "$(RESULTS)/perplexity" "$(RESULTS)/infill/lint" $(wildcard $(RESULTS)/search)

clean:
	rm -rf $(VENV)
