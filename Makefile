# keytrail. `make demo` shows it at work, `make test` proves it; both set up a fresh Debian or Ubuntu first.

CARGO ?= cargo
ROOT := $(abspath $(dir $(lastword $(MAKEFILE_LIST))))

.PHONY: help demo test test-long lint bench bench-push torture setup setup-test fmt deb pages

help: ## Show the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

setup: ## Install what building and running need (Debian/Ubuntu)
	@sh scripts/setup.sh run

setup-test: ## Install what the tests need as well
	@sh scripts/setup.sh test

demo: setup ## Provision the sample fleet on throw-away hosts of this machine
	$(CARGO) run --quiet --locked -- demo

test: setup-test ## Run the tests that every change must pass
	sh scripts/test.sh

test-long: setup-test ## Run what takes longer (up to 40 minutes)
	sh scripts/test-long.sh

lint: setup ## rustfmt, clippy, cargo-deny, shellcheck
	sh scripts/lint.sh

bench: setup ## Run the benchmarks, and check beside Python (docs/performance.md)
	@sh scripts/bench-check.sh
	$(CARGO) bench --locked --bench '*'

bench-push: setup-test ## Push to loopback hosts beside xargs, ssh, tar and Ansible (HOSTS, JOBS, ROUNDS; minutes)
	@sh scripts/bench-push.sh

fmt: ## Format the sources
	$(CARGO) fmt --all

torture: setup-test ## Kill an apply at 200 random moments, break hosts in every way, and race root as the daemon's user (an hour)
	KEYTRAIL_TORTURE=$${KEYTRAIL_TORTURE:-200} $(CARGO) test --locked --test torture -- --nocapture
	KEYTRAIL_TORTURE=$${KEYTRAIL_TORTURE:-200} $(CARGO) test --locked --test attacks -- --nocapture racing
	KEYTRAIL_MUTATIONS=$${KEYTRAIL_MUTATIONS:-10000} $(CARGO) test --locked --test attacks -- vault_mutations

# Both come from the program itself, so a page cannot say another thing than --help.
pages: setup
	$(CARGO) build --release --locked
	target/release/keytrail man target/man
	mkdir -p target/completions
	target/release/keytrail completions bash >target/completions/keytrail.bash
	target/release/keytrail completions zsh >target/completions/_keytrail
	target/release/keytrail completions fish >target/completions/keytrail.fish

# The package is whose who builds it: there is no project address to promise answers from.
DEB_MAINTAINER ?= $(shell git config user.name) <$(shell git config user.email)>

deb: pages ## Build a Debian package with manual pages and completions (needs: cargo install cargo-deb --locked)
	@case '$(DEB_MAINTAINER)' in [!\ ]*\ \<?*@?*\>) ;; *) \
	    echo "Who maintains the package? make deb DEB_MAINTAINER='NAME <ADDRESS>', or set user.name and user.email in git." >&2; exit 1 ;; \
	esac
	$(CARGO) deb --no-build --maintainer '$(DEB_MAINTAINER)'
