# SPDX-License-Identifier: GPL-2.0
# The one door to everything: `make help` lists it. What a target does is in a script of qemu/ or selftests/;
# Kbuild is what the kernel's own build reads.

KERNEL ?= production
PREFIX ?= /usr/local
RULES ?= examples/router.rules
# The dollars in CMD are the VM's, not make's.
override CMD := $(value CMD)
export CMD

# What else can be given on the command line (KDIR, KERNEL_SRC, LLVM, ...) reaches the scripts as environment.

ifeq ($(filter $(KERNEL),production debug),)
$(error KERNEL=$(KERNEL): it is production or debug)
endif

CARGO := $(or $(shell command -v cargo),cargo)

.DEFAULT_GOAL := help
.PHONY: help deps kernel module cli run shell test vm check differ fuzz bench install clean

help: ## List the targets and the variables
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'
	@echo
	@echo "  KERNEL=debug        take the kernel with KASAN, lockdep and kmemleak (run, shell, test, vm, module, kernel)"
	@echo "  RULES=FILE          the ruleset that run loads (examples/router.rules)"
	@echo "  CMD='...'           the command that vm runs; without one vm is a shell, the module not loaded"
	@echo "  SEED= COUNT=        what chance begins with in differ, and how many rulesets it tries (200)"
	@echo "  UML=1               bench measures time, on a kernel that is a process of this machine"
	@echo "  TARGET= SECONDS=    which fuzzer fuzz runs (all), and how long (30 each)"
	@echo "  KDIR=TREE           the configured kernel tree that module and install build for"
	@echo "  KERNEL_VERSION=7.2  another of Debian's kernel sources; KERNEL_SRC=TREE any source tree"
	@echo "  LLVM= RUSTC=        another toolchain; OXTABLES_CACHE=DIR another place for built kernels"

deps: ## Install what is missing to build and test (root)
	@qemu/deps

kernel: deps ## Build the VM's kernel, once; it is kept outside the checkout
	@qemu/build $(KERNEL) >&2

module: deps ## Build the kernel module, for the VM's kernel or for KDIR
	@qemu/module $(KERNEL) >&2

cli: deps ## Build the oxtables command
	@$(CARGO) build --quiet --release --locked --manifest-path userspace-cli/Cargo.toml

run: module cli ## Boot a VM, load RULES, send real traffic through the firewall, say what happened
	@qemu/boot $(KERNEL) "selftests/demo '$(RULES)'"

shell: module cli ## Open a shell in a VM with the module loaded
	@qemu/boot --load $(KERNEL)

test: deps ## Run every test, on the host and in the VM; the last line counts them
	@selftests/all $(KERNEL)

vm: module cli ## Boot a VM and run CMD there as root, the module not loaded
	@qemu/boot $(KERNEL) "$$CMD"

check: deps ## Check format and lints of all code and run the host's tests
	@selftests/check

differ: module cli ## Show random packets to COUNT random rulesets in oxtables and in iptables; they agree
	@OXTABLES_TIMEOUT=$(or $(OXTABLES_TIMEOUT),86400) qemu/boot $(KERNEL) \
		'insmod "$$OXTABLES_KO" && selftests/differ "$(or $(SEED),$(shell date +%s))" $(or $(COUNT),200)'

fuzz: deps ## Let a fuzzer (TARGET: packet, tuple, ruleset, netlink; all) run for SECONDS
	@selftests/fuzz '$(or $(TARGET),all)' '$(or $(SECONDS),30)'

# A user-mode kernel shows what caches do: it runs at the machine's own speed.
ifneq ($(UML),)
bench: KERNEL = uml
endif
bench: module cli ## Compare speed and memory with no firewall, iptables and nft (production kernel)
	@selftests/bench/run $(KERNEL)

install: cli ## Install the command, and the module for the running kernel or KDIR (root)
	@qemu/install '$(PREFIX)' '$(DESTDIR)'

clean: ## Remove what was built in the checkout; built kernels stay in the cache
	rm -rf build
	if [ -e Cargo.toml ]; then $(CARGO) clean; fi
