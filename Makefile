# Two commands on a fresh machine: `make run` and `make test`.
VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready

.PHONY: run test check lock rules clean

run: $(READY)
	$(VENV)/bin/duban run --config deploy/example/duban.yaml

test: $(READY)
	$(PY) -m pytest -n 2

# Everything CI looks at besides the tests.
check: $(READY)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(VENV)/bin/deptry .

$(READY): requirements.lock pyproject.toml
	@echo "Setting up $(VENV) (about a minute) ..."
	@if command -v uv >/dev/null 2>&1; then \
		uv venv -q --clear --python 3.11 $(VENV) 2>/dev/null || uv venv -q --clear $(VENV); \
		uv pip install -q --compile-bytecode --python $(PY) --require-hashes -r requirements.lock && \
		uv pip install -q --python $(PY) --no-deps --no-build-isolation -e .; \
	else \
		python3 -m venv --clear $(VENV); \
		$(PY) -m pip install --disable-pip-version-check --progress-bar on --require-hashes -r requirements.lock && \
		$(PY) -m pip install --disable-pip-version-check -q --no-deps --no-build-isolation -e .; \
	fi
	@touch $@

lock:
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --all-extras pyproject.toml -o requirements.lock
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --extra postgres --extra sdmx --extra cluster --extra plans -c requirements.lock \
		pyproject.toml -o deploy/requirements.lock

# The rules of Prometheus as its operator on Kubernetes wants them.
rules:
	for name in recording alerts; do \
		printf -- '---\napiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\n'; \
		printf 'metadata: {name: duban-%s, labels: {app.kubernetes.io/name: duban}}\nspec:\n' $$name; \
		sed 's/^./  &/' deploy/prometheus/rules/$$name.yml; \
	done >deploy/kubernetes/rules.yaml

clean:
	rm -rf $(VENV) var
