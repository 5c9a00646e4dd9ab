# `make` does what CI does. Each target sets up .venv by itself; nothing is installed outside it.

PYTHON ?= python3
BIN := .venv/bin

all: lint types test-all containers  ## what CI does

help:  ## this list
	@awk -F ':.*  ## ' '/^[a-z-]+:.*  ## / { printf "make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/.installed  ## the main job against a local Apify: no account, nothing to configure
	@$(BIN)/actorline demo

install: .venv/.installed-test  ## .venv with what `make test` needs; every other target adds what it needs

# five files at a time on two cores: they wait more than they compute
TESTS ?= tests/integration tests/unit
PYTEST := $(BIN)/pytest --numprocesses 5 --dist loadfile --no-loadscope-reorder

test: .venv/.installed-test  ## all unit tests, and each promise and each entrance on real parts; under 5 minutes
	$(PYTEST) $(TESTS) -m 'not thorough'

test-all: .venv/.installed-dev  ## the same, and everything else that may go wrong; 10 to 15 minutes
	$(PYTEST) $(TESTS)

coverage: .venv/.installed-dev  ## the unit tests, and which lines and branches they run: to read, not a bar to pass
	$(PYTEST) tests/unit --cov --cov-branch --cov-report=term

check: lint types test  ## formatting, lint, import contracts, types, tests

format: .venv/.installed-dev  ## format the code, mend what can be mended
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

lint: .venv/.installed-dev  ## formatting, lint, import contracts; changes nothing
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/lint-imports

types: .venv/.installed-dev  ## mypy --strict
	$(BIN)/mypy

containers: .venv/.installed-dev  ## image and compose tests; needs a Docker Engine
	$(BIN)/pytest tests/containers

# REDIS_SERVER=/usr/bin/redis-server: which
other-redis: .venv/.installed-dev  ## the ledger, orders, rows and rights on another server: Redis 6.2 and newer
	REDIS_SERVER=$(REDIS_SERVER) $(PYTEST) $(addprefix tests/integration/test_,$(addsuffix .py,$(CORE)))

CORE := ledger batch_ledger replicas orders rows redis_rights

container-chaos: .venv/.installed-dev  ## stop, pause, kill and cut off each container under load; needs a Docker Engine; 20 minutes
	$(BIN)/pytest tests/containers/chaos.py

# UPGRADE_FROM=COMMIT: whose image is replaced; the last commit before this one by default
upgrade: .venv/.installed-dev  ## restart workers, and replace them by those of the next image, under load; 6 minutes
	$(BIN)/pytest tests/containers/upgrade.py

chaos: .venv/.installed-dev  ## kill workers at every request and step of a job, lose its messages; 8 minutes
	$(BIN)/pytest tests/chaos

# JOBS=500 SEED=7: how many, and which
storm: .venv/.installed-dev  ## hundreds of jobs while workers and Valkey are killed and frozen at random; long
	JOBS=$(JOBS) SEED=$(SEED) $(BIN)/pytest tests/chaos/storm.py

# JOBS=40: how many
failover: .venv/.installed-dev  ## jobs while sentinels promote a replica: primary killed, frozen, handed over; 8 minutes
	JOBS=$(JOBS) $(BIN)/pytest tests/chaos/failover.py

# INPUTS=2000 SEED=7: how many, and which
batch-storm: .venv/.installed-dev  ## one batch with a budget while workers and Valkey are killed every 20 s; long
	INPUTS=$(INPUTS) SEED=$(SEED) $(BIN)/pytest tests/chaos/batch_storm.py

# HOURS=0.25: for how long
soak: .venv/.installed-dev  ## 20 jobs a minute with the storm's faults for 2 hours: no process grows; Linux
	HOURS=$(HOURS) $(BIN)/pytest tests/chaos/soak.py

# LIVES=5000: how many
adversary: .venv/.installed-dev  ## messages, deaths and answers in any order, a thousand lives and each single blow; 45 minutes
	ANY_ORDER_LIVES=$(or $(LIVES),1000) $(BIN)/pytest tests/integration/any_order

compare: .venv/.installed-dev  ## what a lost start costs and what bills after a cancel: Actorline, the official client, a plain Celery chain; 12 minutes
	$(BIN)/pytest -s tests/chaos/comparison.py

bench: .venv/.installed-dev  ## figures beside the official client and curl; Linux, see bench/README.md
	$(BIN)/python bench/items.py
	$(BIN)/python bench/jobs.py
	$(BIN)/python bench/gateway.py

contract: .venv/.installed-dev tests/contract/node_modules/.installed  ## the platform's own OpenAPI document is kept; needs Node.js and the document
	$(BIN)/pytest tests/contract

browser: .venv/.installed-dev tests/browser/node_modules/.installed  ## every page in Chromium: scripts on and off, narrow and wide, light and dark; needs chromium and npm
	$(BIN)/pytest tests/browser

screenshots: .venv/.installed-dev  ## the pictures of the docs, docs/pictures; needs chromium
	$(BIN)/python tests/browser/pictures.py

# commit what changes: the image is built from these files and nothing else
lock: .venv/.installed-dev  ## newest releases of what the image is made of, each file by its hash, for every platform
	$(LOCK) --extra emulator --extra gateway pyproject.toml --output-file requirements/image.txt
	echo hatchling | $(LOCK) - --output-file requirements/build.txt
	echo 'pyarrow>=18' | $(LOCK) - --output-file requirements/parquet.txt

LOCK := $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-annotate

audit: .venv/.installed-dev  ## known holes in what the image is made of; says so where it can't ask
	$(BIN)/python requirements/audit.py

sbom: .venv/.installed-dev  ## what the image is made of, as CycloneDX in build/sbom.json and build/sbom-parquet.json
	@$(BIN)/python requirements/sbom.py build

measures: .venv/.installed-dev  ## sizes, docstrings and references of the code, as a table
	@$(BIN)/python .ci/measures.py

docs: .venv/.installed-dev  ## what the docs take from the code
	$(BIN)/python docs/make_schema.py
	$(BIN)/python docs/make_document.py
	$(BIN)/python docs/make_settings.py
	$(BIN)/python docs/make_commands.py
	$(BIN)/python docs/make_redis.py
	$(BIN)/python docs/make_metrics.py

docs-site: .venv/.installed-docs  ## the documents as a site, in build/site; each link is checked
	@NO_MKDOCS_2_WARNING=1 DISABLE_MKDOCS_2_WARNING=true $(BIN)/mkdocs build --strict

.venv/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo 'Actorline needs Python 3.11 or newer; $(PYTHON) is' "$$($(PYTHON) --version 2>&1)." \
			'Name another one: make PYTHON=python3.13' >&2; exit 1; }
	@$(PYTHON) -m venv .venv || { rm -rf .venv; \
		echo 'No virtual environment could be made. On Debian and Ubuntu: apt install python3-venv' >&2; exit 1; }

.venv/.installed: .venv/bin/pip pyproject.toml
	$(BIN)/pip install --quiet --editable '.[embedded,emulator,gateway]'  # what the demo needs
	@touch $@

.venv/.installed-test: .venv/bin/pip pyproject.toml
	$(BIN)/pip install --quiet 'pip>=25.1'  # knows dependency groups
	$(BIN)/pip install --quiet --editable '.[all]' --group test
	@touch .venv/.installed $@

.venv/.installed-dev: .venv/bin/pip pyproject.toml
	$(BIN)/pip install --quiet 'pip>=25.1'  # knows dependency groups
	$(BIN)/pip install --quiet --editable '.[all]' --group dev
	@touch .venv/.installed .venv/.installed-test $@

.venv/.installed-docs: .venv/bin/pip pyproject.toml
	$(BIN)/pip install --quiet 'pip>=25.1'  # knows dependency groups
	$(BIN)/pip install --quiet --group docs
	@touch $@

tests/contract/node_modules/.installed: tests/contract/package.json
	@npm install --prefix tests/contract --ignore-scripts --no-package-lock --no-audit --no-fund
	@touch $@

tests/browser/node_modules/.installed: tests/browser/package.json
	@npm install --prefix tests/browser --ignore-scripts --no-package-lock --no-audit --no-fund
	@touch $@

.PHONY: all audit sbom upgrade browser screenshots coverage measures lock help demo install test test-all check format lint types containers container-chaos other-redis contract chaos soak failover storm batch-storm adversary compare bench docs docs-site
