# Everything runs through npm packages that `npm ci` installs; see README.md.
LAB_NAME ?= lab
export LAB_NAME

tsx := node --import tsx

.PHONY: help
help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /|/' | awk -F'|' '{ printf "  make %-11s %s\n", $$1, $$2 }'

.PHONY: install
install: ## install the npm packages when package-lock.json has changed
	@lab/install

.PHONY: lab lab-down lab-clean lab-status
lab: install ## bring up the lab and run the program on it
	@$(tsx) lab/main.ts up

lab-down: install ## destroy the stack and remove the lab
	@$(tsx) lab/main.ts down

lab-clean: install ## lab-down, and remove the cache of built artefacts and the screenshots
	@$(tsx) lab/main.ts clean

lab-status: install ## say what of the lab is running
	@$(tsx) lab/main.ts status

.PHONY: test unit lint types format
test: ## run all tests, on a lab of their own
	@lab/install || { echo "0 passed, 1 failed"; exit 1; }
	@$(tsx) test/run.ts

unit: install ## run the unit tests only
	@$(tsx) test/run.ts unit

lint: install ## check types, lint rules and formatting
	@$(tsx) test/run.ts lint

format: install ## rewrite files in the common format
	@node_modules/.bin/prettier --write --log-level warn .
