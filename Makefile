# The whole developer interface; `make` alone lists it. bootstrap.py brings .venv up to date, then becomes the command.
in_venv = @python=$$(sh tools/find_python.sh) && exec "$$python" tools/bootstrap.py

.DEFAULT_GOAL := help
.PHONY: help run link scale backup restore test check bench shots lock vendor

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s%s\n", $$1, $$2}' Makefile

run: ## start Crucible here and print a link into it; PORT=8001 insists on a port, HOST=0.0.0.0 opens it to others
	$(in_venv) manage.py serve $(if $(PORT),--port $(PORT)) $(if $(filter command%,$(origin HOST)),--host $(HOST))

link: ## print a new single-use link for the server that runs here, scaled or not
	$(in_venv) -m tools.link

scale: ## PostgreSQL, Redis, two web and two worker processes here; PORT= as above
	$(in_venv) -m tools.scale $(if $(PORT),--port $(PORT))

backup: ## keep database and secrets in one file, while the server runs; TO=file
	$(in_venv) -m tools.backup $(if $(TO),--to $(TO))

restore: ## put a backup into an empty installation and verify it; FROM=file
	$(in_venv) -m tools.backup --restore $(or $(FROM),$(error Say which backup: make restore FROM=file))

test: ## run every test on SQLite and on PostgreSQL; ARGS="tests/engine -k replay" for some
	$(in_venv) --dev -m tools.test $(ARGS)

check: ## lint, format, types, import contracts, migrations, locks
	$(in_venv) --dev -m tools.check

bench: ## measure what orchestration costs against a bare client; ARGS= for some benches
	$(in_venv) -m tools.services --durable -m bench $(ARGS)

shots: ## take the pictures of docs/images anew; TO=directory for every page in all views
	$(in_venv) --dev -m tools.shots $(if $(TO),--to $(TO))

lock: ## compile requirements*.txt from pyproject.toml; ARGS=--upgrade for newer pins
	@python=$$(sh tools/find_python.sh) && exec "$$python" -m tools.lock $(ARGS)

vendor: ## copy front-end files out of npm packages (needs npm)
	@python=$$(sh tools/find_python.sh) && exec "$$python" -m tools.vendor
