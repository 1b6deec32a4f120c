# Lineage Lab. `make` lists what there is. Everything happens inside this folder, mostly in .venv.
.POSIX:

PORT ?= 8000
PYTHON ?=
PAGE ?=
SLUG ?=
NAME ?=
YEAR ?=
MODEL ?=
MUTANTS ?= 200
BIN = .venv/bin
# mkdocs-material prints a page of news about MkDocs 2 without it.
MKDOCS = NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs

help: ## list these targets
	@echo 'Lineage Lab: make TARGET [PORT=8001] [PYTHON=python3.12] [PAGE=docs/index.md]'
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/\1	\2/p' Makefile | while IFS='	' read -r name text; do \
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

prove: .venv/.installed ## would the tests notice? mutations of the harness and the checkers (MUTANTS=200)
	@$(BIN)/python -c 'import cosmic_ray' 2>/dev/null || $(BIN)/python -m pip install --quiet -c constraints.txt cosmic-ray
	@$(BIN)/python .ci/prove.py --mutants '$(MUTANTS)'

new-chapter: .venv/.installed ## lay out a chapter (SLUG=squeezenet NAME=SqueezeNet YEAR=2016 MODEL=squeezenet1_1)
	@test -n '$(SLUG)' && test -n '$(NAME)' && test -n '$(YEAR)' && test -n '$(MODEL)' || { echo 'make new-chapter needs SLUG, NAME, YEAR and MODEL: make help shows them' >&2; exit 2; }
	@$(BIN)/python .ci/new_chapter.py '$(SLUG)' '$(NAME)' '$(YEAR)' '$(MODEL)'

bench: .venv/.installed ## the benchmarks: times and ratios beside their peers
	@for file in benchmarks/*.py; do echo "== $$file"; $(BIN)/python "$$file" || exit 1; done

constraints: .venv/.installed ## choose all versions anew, but torch's and torchvision's (edit those by hand)
	@sh .ci/constraints.sh

clean: ## remove what was built, but not .venv
	rm -rf site dist .cache .hypothesis .mypy_cache .pytest_cache .ruff_cache docs/generated

# The stamp is made last, so that an install which failed or was interrupted is done again.
.venv/.installed: pyproject.toml constraints.txt
	@sh .ci/setup.sh install '$(PYTHON)'
