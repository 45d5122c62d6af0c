# The whole developer interface; `make` alone lists it. bootstrap.py brings .venv up to date, then becomes the command.
in_venv = @python=$$(sh tools/find_python.sh) && exec "$$python" tools/bootstrap.py

.DEFAULT_GOAL := help
.PHONY: help run link scale test check bench lock vendor

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s%s\n", $$1, $$2}' Makefile

run: ## start Crucible here and print a link into it; PORT=8001 insists on a port
	$(in_venv) manage.py serve $(if $(PORT),--port $(PORT)) $(if $(filter command%,$(origin HOST)),--host $(HOST))

link: ## print a new single-use link for the running server
	$(in_venv) manage.py link

scale: ## PostgreSQL, Redis, two web and two worker processes here; PORT= as above
	$(in_venv) -m tools.scale $(if $(PORT),--port $(PORT))

test: ## run every test on SQLite and on PostgreSQL; ARGS="tests/engine -k replay" for some
	$(in_venv) --dev -m tools.test $(ARGS)

check: ## lint, format, types, import contracts, migrations, locks
	$(in_venv) --dev -m tools.check

bench: ## measure what orchestration costs against a bare client; ARGS= for some benches
	$(in_venv) -m tools.services --durable -m bench $(ARGS)

lock: ## compile requirements*.txt from pyproject.toml; ARGS=--upgrade for newer pins
	@python=$$(sh tools/find_python.sh) && exec "$$python" -m tools.lock $(ARGS)

vendor: ## copy front-end files out of npm packages (needs npm)
	@python=$$(sh tools/find_python.sh) && exec "$$python" -m tools.vendor
