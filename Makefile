# Lineage Lab. `make` lists what there is. Everything happens inside this folder, mostly in .venv.
.POSIX:

PORT ?= 8000
PYTHON ?=
PAGE ?=
BIN = .venv/bin
# mkdocs-material prints a page of news about MkDocs 2 without it.
MKDOCS = NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs

help: ## list these targets
	@echo 'Lineage Lab: make TARGET [PORT=8001] [PYTHON=python3.12] [PAGE=docs/index.md]'
	@sed -n 's/^\([a-z][a-z]*\):.*## \(.*\)/\1	\2/p' Makefile | while IFS='	' read -r name text; do \
		printf '  %-12s %s\n' "$$name" "$$text"; done

serve: ## set up, then serve the site on 127.0.0.1:8000 (PORT= changes the port)
	@sh .ci/setup.sh port '$(PYTHON)' '$(PORT)'
	@$(MAKE) -s .venv/.installed PYTHON='$(PYTHON)'
	@$(MKDOCS) serve --dirty --dev-addr '127.0.0.1:$(PORT)'

test: .venv/.installed ## the whole gate, as CI runs it
	@$(BIN)/python .ci/gate.py all

lint: .venv/.installed ## the quick part of the gate: style, types, spelling, workflows
	@$(BIN)/python .ci/gate.py lint

site: .venv/.installed ## a strict build of the site in site/
	$(MKDOCS) build --strict

accept: .venv/.installed ## rewrite a page's output blocks from a run (PAGE=docs/chapters/lenet5.md)
	@test -n '$(PAGE)' || { echo 'make accept needs a page: make accept PAGE=docs/chapters/lenet5.md' >&2; exit 2; }
	@$(BIN)/python -m tests.docs.harness accept '$(PAGE)'

bench: .venv/.installed ## the benchmarks: times and ratios beside their peers
	@for file in benchmarks/*.py; do echo "== $$file"; $(BIN)/python "$$file" || exit 1; done

constraints: .venv/.installed ## choose all versions anew, but torch's and torchvision's (edit those by hand)
	@sh .ci/constraints.sh

clean: ## remove what was built, but not .venv
	rm -rf site dist .cache .hypothesis .mypy_cache .pytest_cache .ruff_cache docs/generated

# The stamp is made last, so that an install which failed or was interrupted is done again.
.venv/.installed: pyproject.toml constraints.txt
	@sh .ci/setup.sh install '$(PYTHON)'
