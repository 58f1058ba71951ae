# Two commands: `make demo` edits sample pictures with the built-in model, `make test` proves that all is well.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: app demo screenshots test lint check bench soak train evaluate requirements bundle-parts package-check clean

demo: $(VENV)/.product
	$(BIN)/python tools/demo.py

app: $(VENV)/.product  ## the editor; FILES="a.png b.ora" opens these
	$(BIN)/python -m ace_desktop $(FILES)

# Two processes share two processors: threads of one that wait for those of the other would take half the time.
# Python is started some hundreds of times: what it compiles is kept, whatever the person's own habit.
test: $(VENV)/.development
	OPENBLAS_NUM_THREADS=1 OPENCV_FOR_THREADS_NUM=1 PYTHONDONTWRITEBYTECODE= \
		$(BIN)/python -m pytest --numprocesses 2 --dist worksteal

lint: $(VENV)/.development
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright
	$(BIN)/lint-imports

check: test lint

bench: $(VENV)/.product
	$(BIN)/python tools/bench.py
	$(BIN)/python tools/bench_canvas.py
	$(BIN)/python tools/bench_start.py
	$(BIN)/python -m tools.bench_engine

soak: $(VENV)/.development  ## kills the model's process at 100 random moments, then runs 100 jobs
	$(BIN)/python -m tools.soak

screenshots: $(VENV)/.product  ## build/screenshots, to be looked at, and the few that docs/screenshots shows
	$(BIN)/python tools/screenshots.py

train: $(VENV)/.product  ## the built-in model from nothing, in MLX; docs/training.md has the faster road
	$(BIN)/python -m mlx_model.training build/pocket

evaluate: $(VENV)/.product
	$(BIN)/python -m mlx_model.training.evaluate

PACKAGE := build/package
PACKAGE_BIN := $(PACKAGE)/venv/bin

bundle-parts: $(PACKAGE)/.installed  ## icons and licences, which a bundle needs before it is made
	$(PACKAGE_BIN)/python packaging/icons.py build/icons
	$(PACKAGE_BIN)/python packaging/licences.py build/licences

package-check: bundle-parts  ## the wheels that a Mac would get, then the program frozen and started once elsewhere
	MACOSX_DEPLOYMENT_TARGET=14.0 $(PACKAGE_BIN)/uv pip compile --quiet --python-platform aarch64-apple-darwin \
		--python-version 3.13 --only-binary :all: --no-header --no-annotate --no-emit-index-url pyproject.toml \
		--output-file $(PACKAGE)/macos-wheels.txt
	$(PACKAGE_BIN)/pyinstaller --noconfirm --log-level WARN --distpath $(PACKAGE)/dist --workpath $(PACKAGE)/work \
		packaging/ace-desktop.spec
	$(PACKAGE_BIN)/python packaging/check.py "$(PACKAGE)/dist/ACE Desktop"

$(PACKAGE)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m venv $(PACKAGE)/venv
	$(PACKAGE_BIN)/python -m pip --disable-pip-version-check --quiet install --upgrade "pip>=25.1"
	$(PACKAGE_BIN)/python -m pip --quiet install --editable . --group package
	@touch $@

requirements: $(VENV)/.development  ## pin anew what development installs, for every platform
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-header --no-annotate --upgrade --group dev pyproject.toml --output-file requirements-dev.txt

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; install it and try again."; exit 1; }
	@tools/system_packages.sh "$(PYTHON)"
	"$(PYTHON)" -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/.product: pyproject.toml | $(BIN)/python
	@test ! -e $(VENV)/.development || $(MAKE) --no-print-directory $(VENV)/.development
	@test -e $(VENV)/.development || $(PIP) install --editable .
	@touch $@

$(VENV)/.development: pyproject.toml requirements-dev.txt | $(BIN)/python
	$(PIP) install --require-hashes --requirement requirements-dev.txt
	$(PIP) install --no-deps --editable .
	@touch $@ $(VENV)/.product

clean:
	rm -rf $(VENV) build dist demo
