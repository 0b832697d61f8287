# A thin front for CMake. Installs nothing, uses no network (tools/setup.sh does that; only `bench` gets peers, see there). Variables:
# CC, CPPFLAGS, CFLAGS, LDFLAGS, PREFIX, LIBDIR, DESTDIR, BUILD, JOBS, WERROR=1, and OPTIONS for CMake ("-DWITH_ZLIB=no").
BUILD ?= build/release
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
JOBS ?= $(shell nproc 2>/dev/null || echo 1)
CMAKE ?= cmake
CTEST ?= ctest
WERROR ?= 0
FUZZ_SECONDS ?= 60
N ?= 100000
SEED ?= 1
STRIDE ?= 509
OPTIONS ?=

# CMake reads the compiler and its flags from the environment, once. When they change, it has to forget the old ones.
toolchain = $(CC)|$(CPPFLAGS)|$(CFLAGS)|$(LDFLAGS)
configure = \
	mkdir -p $(BUILD) && \
	if [ "$$(cat $(BUILD)/.toolchain 2>/dev/null)" != '$(toolchain)' ]; then \
	  rm -rf $(BUILD)/CMakeCache.txt $(BUILD)/CMakeFiles && printf '%s\n' '$(toolchain)' > $(BUILD)/.toolchain; \
	fi && \
	CC='$(CC)' CFLAGS='$(strip $(CPPFLAGS) $(CFLAGS))' LDFLAGS='$(LDFLAGS)' \
	$(CMAKE) -S . -B $(BUILD) --log-level=WARNING -DCMAKE_INSTALL_PREFIX='$(abspath $(PREFIX))' \
	  -DCMAKE_INSTALL_LIBDIR='$(patsubst $(abspath $(PREFIX))/%,%,$(abspath $(LIBDIR)))' -DBP_WERROR=$(WERROR)
compile = MAKEFLAGS=--no-print-directory $(CMAKE) --build $(BUILD) -j $(JOBS)

.PHONY: all check demo install tables format mutation deviations fuzz fuzz-readers accuracy bench clean
all:
	@$(configure) -DWITH_CMOCKA=auto $(OPTIONS)
	@$(compile) --target product

check:
	@$(configure) -DWITH_CMOCKA=yes -DBP_TESTS=ON $(OPTIONS)
	@$(compile)
	@cd $(BUILD) && $(CTEST) --output-on-failure -j $(JOBS)

demo: all
	@$(BUILD)/backprop demo

install: all
	@$(CMAKE) --install $(BUILD)

format:
	git ls-files -co --exclude-standard '*.c' '*.h' | sh tools/not_generated.sh | xargs clang-format -i

# After a change of a table (operations, element-wise formulas, optimisers, metrics, verbs, options): writes again what is generated from it.
tables:
	@$(configure) -DWITH_CMOCKA=auto $(OPTIONS)
	@$(compile) --target gen_ops
	@$(BUILD)/gen_ops
	@$(compile) --target gen_chains
	@$(BUILD)/gen_chains
	@$(compile) --target gen_metrics
	@$(BUILD)/gen_metrics
	@$(compile) --target backprop_program
	@sh tools/man_page.sh $(BUILD)/backprop docs/backprop.1 >$(BUILD)/backprop.1 && cmp -s $(BUILD)/backprop.1 docs/backprop.1 || \
	  cp $(BUILD)/backprop.1 docs/backprop.1

# Breaks every gradient rule on purpose and prints how many of the mutants the gradient check kills.
mutation:
	@$(configure) -DWITH_CMOCKA=yes -DBP_TESTS=ON $(OPTIONS)
	@$(compile) --target test_mutation
	@$(BUILD)/tests/test_mutation

# Every optimiser, solver and schedule with its largest deviation from the reference, in one table.
deviations:
	@$(configure) -DWITH_CMOCKA=yes -DBP_TESTS=ON $(OPTIONS)
	@$(compile) --target test_optimizers test_solvers test_solve test_schedules
	@sh tools/deviations.sh $(BUILD)/tests

# N random graphs from seed SEED on: the same bits with and without passes, on every instruction set and number of threads, and
# gradients, first and second, that agree with differences.
fuzz:
	@$(configure) -DWITH_CMOCKA=yes -DBP_TESTS=ON $(OPTIONS)
	@$(compile) --target test_random_graphs
	@BP_GRAPHS=$(N) BP_SEED=$(SEED) $(BUILD)/tests/test_random_graphs

# Measures the errors of the vector functions; STRIDE=1: at every number of single precision.
accuracy:
	@$(configure) -DWITH_CMOCKA=yes -DBP_TESTS=ON $(OPTIONS)
	@$(compile) --target test_accuracy
	@BP_THREADS=$(JOBS) $(BUILD)/tests/test_accuracy --write docs/accuracy.md $(STRIDE)

# What reads files and configurations, with libFuzzer, so many seconds each.
fuzz-readers:
	@$(MAKE) --no-print-directory BUILD=build/fuzz CC=clang OPTIONS='-DBP_FUZZ=ON -DCMAKE_BUILD_TYPE=Debug' fuzz-run
.PHONY: fuzz-run
fuzz-run:
	@$(configure) $(OPTIONS)
	@$(compile)
	@sh tools/fuzz.sh $(BUILD) $(FUZZ_SECONDS)

# Speed beside peers, into bench/RESULTS.md; ONLY=steps runs sections of that name, ROUNDS=3 changes how often. PYTHON: an interpreter
# that has the peers; without it build/bench-peers is made (1 GB, from the network), PYTHON=python3 measures without those it lacks.
ONLY ?=
bench:
	@$(configure) -DBP_TESTS=ON $(OPTIONS)
	@$(compile) --target product benches
	@BUILD='$(BUILD)' python3 bench/bench.py $(ONLY)

clean:
	rm -rf build
