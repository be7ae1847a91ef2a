# Every target sets up .venv by itself; `make help` lists them.
PYTHON ?= python3
PY := .venv/bin/python
READY := .venv/ready
IMAGE ?= sample:mos2
OUT ?= results/quickstart

export PYTHONUNBUFFERED := 1

.DEFAULT_GOAL := help

.PHONY: help run test lint bench app lab full audit clean chromium

help: ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

$(READY): requirements.lock requirements-samples.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-samples.lock
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

run: $(READY) ## columns with error bars and a report of IMAGE=path (default: a real MoS2 monolayer)
	$(PY) -m atomwork.batch notebooks/00_quickstart.ipynb "$(IMAGE)" --out-dir "$(OUT)"
	@echo "report: $(OUT)/report.html"

chromium:
	@command -v chromium || command -v chromium-browser || command -v google-chrome || { \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y chromium; \
	} || { echo "tests of pages need Chromium; install it by your system's packages"; exit 1; }

test: $(READY) chromium lint ## lint, then all tests, two files of them at a time
	OMP_NUM_THREADS=1 $(PY) -m pytest -n 2 --dist loadfile

lint: $(READY) ## ruff and the notebooks' contract
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m pytest -q tests/notebooks/test_contract.py

bench: $(READY) ## accuracy and speed against Atomap, LoG and the Cramér-Rao limit, as tables
	$(PY) -m tests.benchmarks

app: $(READY) ## the panel as a web page for the images of IMAGES=folder
	$(PY) -m atomwork.app $(if $(IMAGES),"$(IMAGES)")

lab: $(READY) ## the notebooks in JupyterLab
	$(PY) -m jupyterlab notebooks

full: $(READY) ## every notebook with its full parameters (hours on a CPU), or those of NOTEBOOKS="04_detect …"
	$(PY) -m tests.notebooks.full results/full $(NOTEBOOKS)

audit: ## ask the Python Packaging Authority's database whether a pinned package has a known hole; fails if it can't be asked
	$(PYTHON) -m venv results/audit
	results/audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit
	results/audit/bin/python -m pip_audit --strict --disable-pip --no-deps -r requirements.lock -r requirements-samples.lock

clean: ## remove results and the environment
	rm -rf results .venv .pytest_cache .ruff_cache build ./*.egg-info
