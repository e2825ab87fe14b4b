# Builds the two plugins, tests and checks them, installs them. Variables set with ?= are yours.
#
#   make                  self-contained executables in plugins/bin, from the static libraries in .deps
#   make LINK=shared      the same on the system's shared libraries, found with pkg-config
#   make SANITIZE=address,undefined   into build/sanitize/bin, for the tests
#   make arm64            for that kind of machine, in plugins/arm64, from the static libraries in .deps/arm64
#
# Everything built lies under build/ (one folder a kind of build) and plugins/bin/.

VERSION = 1.0.0

PREFIX ?= /usr/local
CNIBINDIR ?= /opt/cni/bin
UNITDIR ?= $(PREFIX)/lib/systemd/system
DESTDIR ?=
PKG_CONFIG ?= pkg-config
CFLAGS ?= -O2 -g
CPPFLAGS ?=
LDFLAGS ?=
WERROR ?=
SANITIZE ?=
FUZZ_SECONDS ?= 30
DEPS ?= .deps

# --- which build -------------------------------------------------------------------------------

ifneq ($(SANITIZE),)
LINK ?= shared
endif
LINK ?= $(if $(wildcard $(DEPS)/stamp),static,shared)
O ?= build/$(if $(SANITIZE),sanitize,$(LINK))
BINDIR ?= $(if $(SANITIZE),$(O)/bin,plugins/bin)
comma := ,
MACHINE := $(firstword $(subst -, ,$(shell $(CC) -dumpmachine)))

ifeq ($(filter static shared,$(LINK)),)
$(error LINK is static or shared, not "$(LINK)")
endif
ifeq ($(LINK)-$(wildcard $(DEPS)/stamp),static-)
$(error LINK=static needs the static libraries: run ./setup_dependencies.sh)
endif

# --- flags -------------------------------------------------------------------------------------

override CPPFLAGS += -Iinclude -D_GNU_SOURCE -DVERSION='"$(VERSION)"' -DBUILD_LINK='"$(LINK)"'
override CFLAGS += -std=gnu11 -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes \
	-Wmissing-prototypes -Wformat=2 -Wundef -Wvla -Wno-missing-field-initializers $(if $(WERROR),-Werror)

# Hardening, for the static libraries too. FORTIFY hides from the sanitizers what they shall see.
FORTIFY = -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
HARDEN = -fPIE -ffunction-sections -fdata-sections -fstack-protector-strong -fstack-clash-protection
HARDEN += $(if $(filter x86_64 i686,$(MACHINE)),-fcf-protection)
HARDEN += $(if $(filter aarch64,$(MACHINE)),-mbranch-protection=standard)
override CFLAGS += $(HARDEN)
override LDFLAGS += -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--gc-sections -Wl,--as-needed
ifeq ($(SANITIZE),)
override CPPFLAGS += $(FORTIFY)
else
override CFLAGS += -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
endif

# Relocations in a few bits each: less to read at every start. Needs glibc 2.36 and a linker that knows the machine's.
RELR_FLAG = -Wl,-z,pack-relative-relocs
RELR := $(shell printf '\043include <features.h>\n\043if __GLIBC_PREREQ(2, 36)\nint main(void) { return 0; }\n\043endif\n' | \
	$(CC) -Wl,--fatal-warnings $(RELR_FLAG) -x c - -o /dev/null 2>/dev/null && echo '$(RELR_FLAG)')

ifeq ($(LINK),static)
STAMP = $(DEPS)/stamp
override CPPFLAGS += -isystem $(DEPS)/include -isystem $(DEPS)/include/cjson
CJSON_LIBS = $(DEPS)/lib/libcjson.a
PQ_LIBS = $(DEPS)/lib/libpq.a -L$(DEPS)/lib $(shell $(PKG_CONFIG) --static --libs libssl libcrypto)
LINK_PLUGIN = -static-pie $(RELR)
# src/libpq/scram.c has two functions in place of libpq's: what libpq does slowly, or with OpenSSL started for nothing.
PQ_WRAP = -Wl,--wrap=scram_SaltedPassword -Wl,--wrap=pg_strong_random
else
override CPPFLAGS += $(shell $(PKG_CONFIG) --cflags libpq libcjson)
CJSON_LIBS = $(shell $(PKG_CONFIG) --libs libcjson)
PQ_LIBS = $(shell $(PKG_CONFIG) --libs libpq) -lcrypto
LINK_PLUGIN = -pie
endif

# --- sources: src/ROOM/*.c ---------------------------------------------------------------------

objects = $(patsubst %.c,$(O)/%.o,$(foreach room,$(1),$(wildcard src/$(room)/*.c)))
# A shared libpq keeps its own SCRAM.
UNUSED = $(if $(filter shared,$(LINK)),$(O)/src/libpq/scram.o)
NET_OBJECTS = $(call objects,base cni net)
IPAM_OBJECTS = $(filter-out $(UNUSED),$(call objects,base cni ipam store libpq))
ALL_OBJECTS = $(call objects,base cni net ipam store libpq)
UNIT_TESTS = $(patsubst %.c,$(O)/%,$(wildcard tests/unit/*/*_test.c))
UNIT_SHARED = $(patsubst %.c,$(O)/%.o,$(wildcard tests/unit/*.c))
FUZZERS = $(patsubst %.c,$(O)/%,$(wildcard tests/fuzz/*.c))

all: $(BINDIR)/status-cni $(BINDIR)/ipam-status-cni
ifeq ($(LINK)-$(SANITIZE)-$(wildcard $(DEPS)/stamp),shared--)
	@echo '*** There are no static libraries in .deps: this is the SHARED build.' >&2
	@echo '*** ./setup_dependencies.sh prepares them, then "make" builds self-contained plugins.' >&2
endif

# Put in place by copying and renaming: a running plugin does not mind, and a file that was written in one
# go starts faster than one that the linker wrote piece by piece.
$(BINDIR)/%: $(O)/% FORCE
	@mkdir -p $(@D)
	@cmp -s $< $@ || { echo "install $< as $@"; install -m 0755 $< $@.new && mv -f $@.new $@; }

# Another make, with a compiler for that machine. $(EMULATOR) runs its unit tests here.
ARM64 = CC=aarch64-linux-gnu-gcc LINK=static DEPS=.deps/arm64 O=build/arm64 BINDIR=plugins/arm64
QEMU = env EMULATED=yes qemu-aarch64-static
arm64:
	$(MAKE) $(ARM64) all

deb-arm64:
	$(MAKE) $(ARM64) EMULATOR='$(QEMU)' deb

check-arm64:
	LD_LIBRARY_PATH=.deps/arm64/lib QEMU_LD_PREFIX=/usr/aarch64-linux-gnu \
		$(MAKE) $(ARM64) EMULATOR='$(QEMU)' check

# The static C library warns that name services may load shared libraries. Where there are none it works from
# /etc/hosts and DNS; that warning is left out, and what ld says around it.
LINK_NOISE = -e 'in statically linked applications' -e ': in function ' -e 'linker garbage collection into account'
define link
	$(CC) $(CFLAGS) $(LINK_PLUGIN) $(LDFLAGS) $(1) 2>$@.log || { cat $@.log >&2; exit 1; }
	@grep -v $(LINK_NOISE) $@.log >&2 || true
endef

$(O)/status-cni: $(O)/src/status-cni.o $(NET_OBJECTS)
	$(call link,-o $@ $^ $(CJSON_LIBS))

$(O)/ipam-status-cni: $(O)/src/ipam-status-cni.o $(IPAM_OBJECTS)
	$(call link,$(PQ_WRAP) -o $@ $^ $(CJSON_LIBS) $(PQ_LIBS))

$(O)/tests/unit/%.o: override CPPFLAGS += -Itests/unit
$(O)/%.o: %.c Makefile $(STAMP) | libpq
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# An older libpq takes the caller's home directory from the system's list of users, whatever HOME is: then files in
# there would decide which database is used, and as whom.
libpq:
	@printf '\043include <pg_config.h>\n\043if PG_VERSION_NUM < 150000\n\043error\n\043endif\n' | \
		$(CC) $(CPPFLAGS) -fsyntax-only -x c - 2>/dev/null || { echo '*** libpq 15 or newer is needed' >&2; exit 1; }

# What setup_dependencies.sh compiles the static libraries with, and how it tries them before it calls them ready.
library-cflags:
	@echo -O2 $(HARDEN) $(FORTIFY)

library-trial: $(O)/tests/bench/floor

# --- tests -------------------------------------------------------------------------------------

# One program for each file of tests/unit/ROOM, which mirrors src/ROOM. It takes from two archives what it
# uses: the sources, and what the tests share (tests/unit/*.c).
# WRAP_x_test holds what x_test.c needs besides (-Wl,--wrap=...).
WRAP_output_test = -Wl,--wrap=close
WRAP_store_test = -Wl,--wrap=PQlibVersion
WRAP_resolve_test = -Wl,--wrap=getaddrinfo,--wrap=freeaddrinfo,--wrap=pipe2,--wrap=epoll_create1
$(O)/tests/unit/%_test: $(O)/tests/unit/%_test.o $(O)/tests/unit/shared.a $(O)/src/all.a
	$(CC) $(CFLAGS) -pie $(LDFLAGS) $(PQ_WRAP) $(WRAP_$(@F)) -o $@ $< -Wl,--start-group $(filter %.a,$^) \
		$(PQ_LIBS) -Wl,--end-group $(CJSON_LIBS) -lcrypto -lcmocka

$(O)/tests/unit/shared.a: $(UNIT_SHARED)
$(O)/src/all.a: $(ALL_OBJECTS)
%.a:
	@rm -f $@
	ar rcs $@ $^

unit-tests: $(UNIT_TESTS)

check: all unit-tests
	@failed=0; for t in $(UNIT_TESTS); do \
		echo "# $$t"; CMOCKA_MESSAGE_OUTPUT=tap $(EMULATOR) $(CURDIR)/$$t || failed=1; \
	done; exit $$failed

# make test T=add_test runs one test program: a unit test (builds it, needs no root and no setup), or one of
# tests/db, tests/e2e and tests/libcni on the executables in $(BINDIR). T=e2e/add_test where a unit test has the
# same name. WORD=... picks tests by their names (Python).
TEST_PROGRAM = $(firstword $(filter %/$(T),$(UNIT_TESTS)) $(wildcard tests/$(T).py tests/*/$(T).py))
test:
	@[ -n '$(TEST_PROGRAM)' ] || { echo 'usage: make test T=NAME    there is no test program "$(T)"' >&2; exit 2; }
	@$(MAKE) --no-print-directory $(if $(filter %.py,$(TEST_PROGRAM)),all,$(TEST_PROGRAM))
	@$(if $(filter %.py,$(TEST_PROGRAM)),BINDIR=$(abspath $(BINDIR)) PYTHONPATH=tests/lib python3) $(TEST_PROGRAM) $(WORD)

check-db: all
	@failed=0; for t in $(sort $(wildcard tests/db/*_test.py tests/e2e/*_test.py tests/libcni/*_test.py)); do \
		echo "# $$t"; BINDIR=$(abspath $(BINDIR)) PYTHONPATH=$(CURDIR)/tests/lib python3 $$t || failed=1; \
	done; exit $$failed

# Prints how fast the plugins are; tests/bench/bench.py says what it can be told.
bench: all $(O)/tests/bench/drive $(O)/tests/bench/floor
	BINDIR=$(abspath $(BINDIR)) PYTHONPATH=$(CURDIR)/tests/lib python3 tests/bench/bench.py $(O)/tests/bench

# Static: the memory of who starts a program counts as the program's.
$(O)/tests/bench/drive: $(O)/tests/bench/drive.o
	$(CC) $(CFLAGS) -static -o $@ $^

$(O)/tests/bench/floor: $(O)/tests/bench/floor.o $(filter-out $(UNUSED),$(O)/src/libpq/scram.o)
	$(call link,$(PQ_WRAP) -o $@ $^ $(PQ_LIBS))

# The parsers under a coverage-guided fuzzer, FUZZ_SECONDS each.
fuzz:
	$(MAKE) CC=clang LINK=shared SANITIZE=fuzzer-no-link,address,undefined O=build/fuzz run-fuzzers

run-fuzzers: $(FUZZERS)
	@for f in $(FUZZERS); do \
		echo "# $$f"; mkdir -p $$f.corpus; \
		$$f -artifact_prefix=$$f. -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 $$f.corpus \
			$(wildcard tests/fixtures) || exit 1; \
	done

$(O)/tests/fuzz/%: $(O)/tests/fuzz/%.o $(ALL_OBJECTS)
	$(CC) $(CFLAGS) -fsanitize=fuzzer $(LDFLAGS) -o $@ $^ $(CJSON_LIBS) $(PQ_LIBS) -lcrypto

# --- lint --------------------------------------------------------------------------------------

C_FILES = $(wildcard src/*.c src/*/*.c tests/*/*.c tests/unit/*/*.c)
H_FILES = $(wildcard include/*/*.h tests/*/*.h)
SH_FILES = $(wildcard *.sh */*.sh tests/*/*.sh sql/*/*.sh examples/*/*.sh .packaging/*.sh .ci/run)

lint: lint-layers lint-format lint-headers lint-tidy lint-cppcheck lint-shell

# The linters of Debian 12 decide. Another version finds other things and formats otherwise: it is not asked, and that
# is said. $(call with_version,PROGRAM,VERSION) stands before what it does.
with_version = @here=$$($(1) --version | grep -oE '[0-9]+\.[0-9.]+' | head -n 1); \
	case $$here in $(2) | $(2).*) ;; *) echo "SKIP: the project is linted with $(1) $(2), here is $$here"; exit 0 ;; esac;

# What may include what, and other rules of the house.
lint-layers:
	tests/lint-layers.sh

lint-format:
	$(call with_version,clang-format,14) clang-format --dry-run -Werror $(C_FILES) $(H_FILES)

lint-headers:
	@for h in $(H_FILES); do $(CC) $(CPPFLAGS) -Itests/unit $(CFLAGS) -fsyntax-only -x c $$h || exit 1; done

# A run for each file: what its analyzer learned about one confuses it in the next.
lint-tidy:
	$(call with_version,clang-tidy,14) printf '%s\n' $(C_FILES) | xargs -P $$(nproc) -I {} \
		clang-tidy --quiet --warnings-as-errors='*' {} -- $(CPPFLAGS) -Itests/unit -std=gnu11

lint-cppcheck:
	$(call with_version,cppcheck,2.10) cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,performance,portability \
		--inline-suppr -Iinclude -Itests/unit -D_GNU_SOURCE $(C_FILES)

lint-shell:
	shellcheck $(SH_FILES)

format:
	clang-format -i $(C_FILES) $(H_FILES)

# --- install, clean ----------------------------------------------------------------------------

MAN = $(O)/status-cni.8 $(O)/ipam-status-cni.8

man: $(MAN)

$(O)/%.8: $(O)/% .packaging/man.sh $(wildcard README.md */README.md)
	EMULATOR='$(EMULATOR)' .packaging/man.sh $< >$@.new && mv $@.new $@

# A plugin may be running: each is written under another name and renamed into place. The GC service gets the paths
# that things have here.
GC_SCRIPT = $(PREFIX)/lib/ipam-status-cni/cni-gc.sh
install: all man
	install -d $(DESTDIR)$(CNIBINDIR) $(DESTDIR)$(PREFIX)/share/man/man8 $(DESTDIR)$(UNITDIR)
	for p in status-cni ipam-status-cni; do \
		install -m 0755 $(BINDIR)/$$p $(DESTDIR)$(CNIBINDIR)/.$$p.new && \
		mv -f $(DESTDIR)$(CNIBINDIR)/.$$p.new $(DESTDIR)$(CNIBINDIR)/$$p || exit 1; \
	done
	install -m 0644 $(MAN) $(DESTDIR)$(PREFIX)/share/man/man8
	for f in $$(find sql examples -type f); do \
		install -D -m $$([ -x $$f ] && echo 0755 || echo 0644) $$f $(DESTDIR)$(PREFIX)/share/ipam-status-cni/$$f || exit 1; \
	done
	install -D -m 0755 examples/gc/cni-gc.sh $(DESTDIR)$(GC_SCRIPT)
	install -m 0644 examples/gc/cni-gc@.service examples/gc/cni-gc@.timer $(DESTDIR)$(UNITDIR)
	sed -i -e 's|^ExecStart=[^ ]*|ExecStart=$(GC_SCRIPT)|; s|^\[Service\]|&\nEnvironment=CNI_PATH=$(CNIBINDIR)|' \
		-e 's| Install cni-gc.sh into [^ ]*\.||' $(DESTDIR)$(UNITDIR)/cni-gc@.service

# A Debian package of the static executables: build/ipam-status-cni_VERSION_ARCHITECTURE.deb
deb:
	@[ $(LINK) = static ] || { echo '*** make deb packages the static build: run ./setup_dependencies.sh' >&2; exit 1; }
	rm -rf $(O)/deb
	$(MAKE) install DESTDIR=$(O)/deb PREFIX=/usr CNIBINDIR=/usr/lib/cni UNITDIR=/lib/systemd/system
	.packaging/deb.sh $(O)/deb $(VERSION)

clean:
	rm -rf build plugins/bin

.PHONY: FORCE all arm64 libpq library-cflags library-trial unit-tests check check-arm64 test check-db bench fuzz run-fuzzers \
	man install deb deb-arm64 clean format lint lint-layers lint-format lint-headers lint-tidy lint-cppcheck lint-shell
.SECONDARY:
.DELETE_ON_ERROR:

-include $(shell find $(O) -name '*.d' 2>/dev/null)
