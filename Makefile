# `make` says what there is to make.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
PYTHON ?= python3
PORT ?= 4566
# Bad releases are mostly found within days: `make lock` takes none that is younger. 0 for a fix that cannot wait.
COOLDOWN_DAYS ?= 7
ENV ?= default
BIN := .venv/bin
SAM := .local/tools/sam/bin/sam
NODE := .local/tools/node/bin
TSC := $(NODE)/node .local/tools/js/node_modules/typescript/bin/tsc
PRETTIER := $(NODE)/node .local/tools/js/node_modules/prettier/bin/prettier.cjs --log-level warn
NPM_FOLDERS := js generators counting
JAVASCRIPT := 'functions/edge/page/files/**/*.js' '!functions/edge/page/files/vendor/**' 'clients/typescript/**/*.js'
export PATH := $(CURDIR)/$(BIN):$(PATH)
export SAM_CLI_TELEMETRY := 0
# uv trusts whom this machine trusts, as pip does: behind a proxy that has its own certificate, too.
export UV_SYSTEM_CERTS ?= true

##@ Run it on this machine
run: .venv/.ready .local/tools/sam/.ready .local/tools/stack/.ready ## start, load the demo, stay until Ctrl-C (PORT=4566)
	@$(BIN)/python -m local run --port $(PORT)

up: .venv/.ready .local/tools/sam/.ready .local/tools/stack/.ready ## the same, in the background
	@$(BIN)/python -m local up --port $(PORT)

down: ## stop what `up` started; data stays
	@[ ! -e .venv/.ready ] || $(BIN)/python -m local down

##@ Change it
test: .venv/.ready .local/tools/sam/.ready .local/tools/stack/.ready .local/tools/policy/.ready .local/tools/js/.ready .local/tools/generators/.ready .local/tools/counting/.ready .local/tools/clients/.ready ## every test, those over HTTP against a stack of their own (ARGS='-k keys')
	@$(BIN)/python -m local run --home .local/test --port 0 --fresh -- $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

pictures: .venv/.ready .local/tools/sam/.ready .local/tools/stack/.ready ## take the pictures of the page that README and docs show
	@UPDATE=1 $(BIN)/python -m local run --home .local/test --port 0 --fresh -- $(BIN)/pytest tests/browser/test_pictures.py

timing: .venv/.ready ## whether the time of a refusal tells one bad key from another (ARGS='--samples 20000')
	@$(BIN)/python -m tools.timing $(ARGS)

soak: .venv/.ready ## the property tests for as long as it takes (ARGS='-k engine')
	HYPOTHESIS_PROFILE=soak $(BIN)/pytest tests/property $(ARGS)

storm: .venv/.ready .local/tools/sam/.ready .local/tools/stack/.ready ## clients, faults and kills over a stack of its own for ten minutes, and then every figure (ARGS='--minutes 30 --seed 7')
	@$(BIN)/python -m tests.storm $(ARGS)

fuzz: .venv/.ready ## damaged bytes and texts for every reader of what is stored or sent (ARGS='--cases 1000000 --seed 7')
	@PYTHONPATH=layers/odometer:cli:clients/python/src nice $(BIN)/python -m tests.fuzz $(ARGS)

bench: .local/tools/bench/.ready ## other engines beside this one, a million events, first answers (ARGS='--users 1000 --quick', ARGS=scale)
	@PYTHONPATH=layers/odometer:cli .local/tools/bench/bin/python -m bench $(or $(ARGS),--write)

mutants: .local/tools/mutants/.ready ## make small faults and see which tests notice (ARGS='--changed', ARGS='access --survivors')
	@PYTHONPATH=layers/odometer:cli nice .local/tools/mutants/bin/python -m tools.mutants $(ARGS)

invoke-%: .venv/.ready .local/tools/sam/.ready ## one function in AWS's container image (invoke-usage-metrics-team CASE=ok)
	@$(BIN)/python -m local.invoke $* $(CASE)

start-api: .venv/.ready .local/tools/sam/.ready ## every route, each function in such an image (ARGS='--port 3001')
	@$(BIN)/python -m local.invoke start-api $(ARGS)

sbom: .venv/.ready ## what is shipped, as a CycloneDX bill of materials, and under which licences
	@$(BIN)/python -m tools.sbom

audit: .local/tools/audit/.ready .local/tools/node/.ready ## ask public services whether a vulnerability of any locked version is known
	for lock in layers/odometer/requirements.txt requirements/*.txt; do .local/tools/audit/bin/pip-audit --strict --disable-pip --requirement $$lock; done
	for folder in $(NPM_FOLDERS); do (cd requirements/$$folder && $(CURDIR)/$(NODE)/npm audit --package-lock-only); done

secrets: .local/tools/policy/.ready ## look for secrets in every line that ever stood here, on any branch
	@PYTHONPATH=layers/odometer .local/tools/policy/bin/python -m tools.secret_scan --history

check: .venv/.ready .local/tools/sam/.ready .local/tools/policy/.ready .local/tools/js/.ready ## format, lint, types, import direction, API documents, templates, secrets, workflows and policy
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(PRETTIER) --check $(JAVASCRIPT)
	$(TSC) --project jsconfig.json
	$(BIN)/lint-imports --no-logo
	$(BIN)/openapi-spec-validator docs/api/*.json functions/edge/page/files/openapi.json
	$(SAM) validate --lint
	$(BIN)/cfn-lint template.yaml infrastructure/*.yaml
	@mkdir -p .local/check && $(BIN)/python -m local.template >.local/check/expanded.json
	@PYTHONPATH=layers/odometer .local/tools/policy/bin/python -m tools.secret_scan
	.local/tools/policy/bin/bandit --quiet --severity-level medium --recursive layers/odometer functions cli local clients/python/src
	.local/tools/policy/bin/zizmor --offline --quiet .github
	.local/tools/policy/bin/checkov --config-file .checkov.yaml -f template.yaml infrastructure/*.yaml .local/check/expanded.json

format: .venv/.ready .local/tools/js/.ready ## let ruff and prettier write what they can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(PRETTIER) --write $(JAVASCRIPT)

lock: .venv/.ready .local/tools/node/.ready ## renew every lock file from pyproject.toml
	$(LOCK) -o layers/odometer/requirements.txt
	$(LOCK) --extra cli --group dev -o requirements/dev.txt
	$(LOCK_GROUP) --group bench --constraints requirements/dev.txt -o requirements/bench.txt
	$(LOCK_GROUP) --group mutants --constraints requirements/dev.txt -o requirements/mutants.txt
	for group in audit sam stack policy node clients; do $(LOCK_GROUP) --group $$group -o requirements/$$group.txt; done
	for folder in $(NPM_FOLDERS); do (cd requirements/$$folder && $(CURDIR)/$(NODE)/npm update --package-lock-only --min-release-age=$(COOLDOWN_DAYS) $(NPM_FLAGS)); done

clean: down ## remove everything that was made here, data included
	rm -rf .local .venv .aws-sam *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

##@ Deploy it
release: ready-to-release check test ## check and test a clean main, set the version, write notes, commit, tag (VERSION=0.2.0)
	@$(BIN)/python -m tools.release $(VERSION)

ready-to-release: .venv/.ready
	@$(BIN)/python -m tools.release --check $(VERSION)

build: .venv/.ready .local/tools/sam/.ready ## what `deploy` sends: Python 3.13 on arm64, from any machine with Python 3.13
	LAYER_PYTHON=$(or $(LAYER_PYTHON),3.13) LAYER_ARCH=$(or $(LAYER_ARCH),arm64) $(SAM) build

deploy: ready-to-deploy build ## to the AWS account of your credentials (ENV=default, dev, staging or prod of samconfig.toml)
	$(SAM) deploy --config-env $(ENV)
	@$(BIN)/python -m local.protect $(ENV)

artefact: build ## the build as one file, which any environment is deployed from; prints its digest
	@$(BIN)/python -m local.artefact pack

promote: ready-to-deploy .local/tools/sam/.ready ## deploy that file as it is (ENV=staging DIGEST=…)
	@$(BIN)/python -m local.artefact unpack '$(DIGEST)'
	$(SAM) deploy --template-file .aws-sam/artefact/.aws-sam/build/template.yaml \
	    --config-file $(CURDIR)/samconfig.toml --config-env $(ENV) $(if $(CI),--no-confirm-changeset)
	@$(BIN)/python -m local.protect $(ENV)

smoke: .venv/.ready ## prove a deployed environment with an organization of its own (ENV=staging)
	@$(BIN)/python -m local.smoke $(ENV)

ready-to-deploy: .venv/.ready
	@$(BIN)/python -m local.account $(ENV)

help:
	@awk -F ':.*## ' '/^##@/ {print "\n" substr($$0, 5)} /^[a-z%-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: ready-to-release ready-to-deploy run up down test pictures timing soak storm fuzz bench mutants check format lock clean build deploy release artefact promote smoke start-api sbom audit secrets help

# ---------------------------------------------------------------- environments
.venv/.ready: requirements/dev.txt pyproject.toml
	@$(PYTHON) local/environments.py .venv requirements/dev.txt
	@$(BIN)/uv pip install --quiet --no-deps --no-build-isolation --python $(BIN)/python --editable . && touch $@

$(NPM_FOLDERS:%=.local/tools/%/.ready): .local/tools/%/.ready: requirements/%/package-lock.json .local/tools/node/.ready
	@mkdir -p $(@D) && cp requirements/$*/*.json $(@D)
	@cd $(@D) && $(CURDIR)/$(NODE)/npm ci --silent $(NPM_FLAGS) && touch .ready

.local/tools/bench/.ready .local/tools/mutants/.ready: requirements/dev.txt
.local/tools/%/.ready: requirements/%.txt | .venv/.ready
	@$(BIN)/python local/environments.py .local/tools/$* $^

NPM_FLAGS := --omit-lockfile-registry-resolved --ignore-scripts --no-audit --no-fund
LOCK_GROUP := $(BIN)/uv pip compile --quiet --upgrade --exclude-newer '$(COOLDOWN_DAYS) days' --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url
LOCK := $(LOCK_GROUP) pyproject.toml
