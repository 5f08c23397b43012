# All tasks of a developer; `make` alone lists them.
#
# One virtual environment, .venv, has the packages for the demo; then also those of the container side; then also those of
# the tests. A stamp per part records its lock file, so that a target starts at once when nothing has changed.

PYTHON      ?= python3
VENV        := .venv
BIN         := $(VENV)/bin
DEMO_STAMP  := $(VENV)/.demo-stamp
WEB_STAMP   := $(VENV)/.web-stamp
TEST_STAMP  := $(VENV)/.test-stamp
LOCK_TOOLS  := $(VENV)/lock-tools
PIP         := $(BIN)/python -m pip --disable-pip-version-check --quiet
PIP_COMPILE := CUSTOM_COMPILE_COMMAND="make lock" $(LOCK_TOOLS)/bin/pip-compile --quiet --generate-hashes --allow-unsafe \
               --strip-extras --build-deps-for wheel --build-deps-for editable \
               --no-emit-options --no-emit-index-url --no-emit-find-links --no-emit-trusted-host

# Where bytecode is not written, each of the many starts compiles all modules again: a quarter of the tests' time.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo demo-web run check test system-test crash-sweep fault-sweep reboot-sweep power-cuts soak bytecode lint format bench schemas diagram lock wheelhouse remote-wheelhouse image clean

help: ## list the targets
	@echo "make TARGET, where TARGET is one of:"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 16
	@echo "Variables: PYTHON (now $(PYTHON)), PYTEST_ARGS for test and system-test, LOCK_ARGS for lock,"
	@echo "           SWEEP_ARGS, FAULT_ARGS, REBOOT_ARGS, CUTS_ARGS and SOAK_ARGS for the sweeps and the soak,"
	@echo "           WHEELHOUSE_ARGS for wheelhouse, PORT for demo-web,"
	@echo "           VERSION and IMAGE_ARGS for image."

demo: $(DEMO_STAMP) ## demonstrate the coordinator on real requests under ./var/demo
	$(BIN)/python packaging/demo/demo.py

demo-web: $(WEB_STAMP) ## serve the page and a coordinator on sample components, until Ctrl-C (PORT=8080)
	exec $(BIN)/python packaging/demo/web.py $(PORT)

run: $(DEMO_STAMP) ## run the coordinator in the foreground on ./var/run, until Ctrl-C
	$(BIN)/python packaging/demo/prepare.py var/run
	exec $(BIN)/python -m coordinator run --config var/run/update-coordinator.toml

# The packages that neither start daemons nor wait for deadlines.
FAST_TESTS  := tests/protocol tests/policy tests/fsm tests/coordinator tests/test_docs.py tests/test_structure.py tests/test_total_tables.py

check: lint ## lint and the fast tests, in under a minute
	$(BIN)/pytest --quiet --numprocesses 2 $(FAST_TESTS)

# In parallel: the tests mostly wait for a script, a disk or a deadline.
test: $(TEST_STAMP) ## run unit, integration and property tests (PYTEST_ARGS="-k spool -x")
	$(BIN)/pytest --numprocesses 6 --dist loadgroup $(PYTEST_ARGS)

# In parallel: the tests mostly wait. All tests of a file share one machine, so one worker runs them all.
system-test: $(TEST_STAMP) ## boot machines with Docker and run the system tests in them, as root (PYTEST_ARGS="-k cut")
	$(BIN)/pytest tests/system --numprocesses 4 --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

# A coordinator under strace writes no bytecode, which would be calls that change a disk.
bytecode: $(TEST_STAMP)
	$(BIN)/python -m compileall -q protocol policy fsm executors coordinator

crash-sweep: bytecode ## kill the coordinator at every call that changes anything (SWEEP_ARGS="--sample 450")
	$(BIN)/python -m property_tests.crash.kill_sweep $(SWEEP_ARGS)

fault-sweep: bytecode ## have every call of the coordinator fail, one at a time (FAULT_ARGS="--sample 200 --jobs 12")
	$(BIN)/python -m property_tests.crash.fault_sweep $(FAULT_ARGS)

reboot-sweep: bytecode ## cut the power at every call that changes anything (REBOOT_ARGS="--sample 100")
	$(BIN)/python -m property_tests.crash.reboot_sweep $(REBOOT_ARGS)

power-cuts: bytecode ## start the coordinator on each disk state that a power cut may leave (CUTS_ARGS="--states 5000")
	$(BIN)/python -m property_tests.power.sweep $(CUTS_ARGS)

soak: bytecode ## kill the coordinator at random instants under a stream of requests (SOAK_ARGS="--cycles 200")
	$(BIN)/python -m property_tests.crash.soak $(SOAK_ARGS)

lint: $(TEST_STAMP) ## check style, types, imports between the folders, and the shell scripts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@command -v shellcheck > /dev/null || \
	  { echo "cannot check the shell scripts: install shellcheck with apt-get install shellcheck" >&2; exit 1; }
	git ls-files -z -- '*.sh' .ci/run ':!executors' | xargs -0 shellcheck --external-sources --source-path=SCRIPTDIR
	@# These run under /bin/sh, and split words on purpose.
	shellcheck --shell=sh --exclude=SC1091,SC2086 executors/*.sh

format: $(TEST_STAMP) ## rewrite the sources in the project's style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(WEB_STAMP) ## measure speed, fsyncs, memory and idling
	$(BIN)/python benchmarks/bench.py

schemas: $(WEB_STAMP) ## regenerate the messages' JSON Schemas and docs/asyncapi.yaml
	$(BIN)/python -m protocol.schema
	$(BIN)/python -m remote.api.asyncapi

diagram: $(DEMO_STAMP) ## print the state diagram
	@$(BIN)/python -m coordinator diagram

lock: | $(LOCK_TOOLS)/bin/pip-compile ## regenerate the lock files (LOCK_ARGS=--upgrade for newer releases)
	$(PIP_COMPILE) $(LOCK_ARGS) --output-file requirements.lock pyproject.toml
	$(PIP_COMPILE) $(LOCK_ARGS) --extra remote --constraint requirements.lock \
	  --output-file requirements-remote.lock pyproject.toml
	$(PIP_COMPILE) $(LOCK_ARGS) --extra remote --extra test --extra lint --constraint requirements-remote.lock \
	  --output-file requirements-test.lock pyproject.toml

# Hashes are checked here, as at the installation. For another type of machine:
# WHEELHOUSE_ARGS="--platform manylinux2014_armv7l --python-version 3.11"
wheelhouse: | $(BIN)/pip ## download what install.sh --wheelhouse needs into dist/wheelhouse (WHEELHOUSE_ARGS)
	rm -rf dist/wheelhouse
	$(PIP) download --require-hashes --only-binary :all: $(WHEELHOUSE_ARGS) \
	  --dest dist/wheelhouse --requirement requirements.lock

remote-wheelhouse: | $(BIN)/pip ## the same for the image of the container side, into dist/remote-wheelhouse
	rm -rf dist/remote-wheelhouse
	$(PIP) download --require-hashes --only-binary :all: $(WHEELHOUSE_ARGS) \
	  --dest dist/remote-wheelhouse --requirement requirements-remote.lock

image: ## build the image of the container side (VERSION=1.2.3 IMAGE_ARGS="--build-arg BASE=python:3.13-slim-trixie")
	docker build --file packaging/remote/Dockerfile --build-arg VERSION=$(VERSION) --tag dunebugger-remote:$(VERSION) \
	  $(IMAGE_ARGS) .

clean: ## remove the environment, ./var/demo and caches; ./var/run stays
	rm -rf $(VENV) var/demo var/demo-web dist .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# pip is the last thing that venv installs: if it exists, the environment is complete.
$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "cannot use $(PYTHON): Python 3.11 or newer is needed; name one: make PYTHON=python3.11 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { $(PYTHON) -c 'import sys; print("cannot create a virtual environment: apt-get install python%d.%d-venv" % sys.version_info[:2])' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(DEMO_STAMP): requirements.lock pyproject.toml | $(BIN)/pip
	$(PIP) install --require-hashes -r requirements.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

# Each lock file includes the pins of those before it, so a stamp also updates theirs.
$(WEB_STAMP): requirements-remote.lock requirements.lock pyproject.toml | $(BIN)/pip
	$(PIP) install --require-hashes -r requirements-remote.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $(DEMO_STAMP) $@

$(TEST_STAMP): requirements-test.lock requirements-remote.lock requirements.lock pyproject.toml | $(BIN)/pip
	$(PIP) install --require-hashes -r requirements-test.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $(DEMO_STAMP) $(WEB_STAMP) $@

$(LOCK_TOOLS)/bin/pip-compile: | $(BIN)/pip
	$(PYTHON) -m venv $(LOCK_TOOLS)
	$(LOCK_TOOLS)/bin/pip --disable-pip-version-check --quiet install pip-tools==7.6.2
