# SPDX-License-Identifier: GPL-2.0
# The kernel module. Kbuild writes beside the sources, so it is given a copy.

# What `uname -r` will say; Debian's include/config/kernel.release says something else.
KRELEASE = $(shell sed -n 's/^.define UTS_RELEASE "\(.*\)"$$/\1/p' \
	$(KDIR)/include/generated/utsrelease.h 2>/dev/null)
KMOD_OUT = $(abspath $(BUILD))/kmod/$(KRELEASE)
KMOD_SOURCES = Kbuild $(shell find kmod uapi -type f)
DKMS_TREE = /usr/src/weir-$(VERSION)
KVER ?= $(shell uname -r)

kmod-check-kdir:
	@test -n "$(KRELEASE)" || { echo "no kernel headers in $(KDIR):" \
		"install linux-headers-$$(uname -r), or set KDIR" >&2; exit 1; }

# Copied only when different, so that what did not change is not compiled again.
kmod-sync: kmod-check-kdir
	@for f in $(KMOD_SOURCES); do \
		cmp -s "$$f" "$(KMOD_OUT)/$$f" || install -D -m 644 "$$f" "$(KMOD_OUT)/$$f" || exit 1; \
	done

module: kmod-sync
	@$(MAKE) --no-print-directory -C $(KDIR) M=$(KMOD_OUT) WEIR_VERSION=$(VERSION) modules
	@echo "$(KMOD_OUT)/weir.ko"

# The source tree DKMS builds from; also what `make install` puts there.
dkms-tree:
	@install -d $(DESTDIR)$(DKMS_TREE)
	@for f in $(KMOD_SOURCES) dkms.conf; do \
		install -D -m 644 "$$f" "$(DESTDIR)$(DKMS_TREE)/$$f" || exit 1; \
	done
	@sed -i 's/^PACKAGE_VERSION=.*/PACKAGE_VERSION="$(VERSION)"/' $(DESTDIR)$(DKMS_TREE)/dkms.conf

dkms: dkms-tree
	dkms status weir/$(VERSION) | grep -q . || dkms add weir/$(VERSION)
	dkms build weir/$(VERSION) -k $(KVER) --force
	dkms install weir/$(VERSION) -k $(KVER) --force

CHECKPATCH ?= $(firstword $(wildcard $(KDIR)/scripts/checkpatch.pl \
	/usr/src/linux-headers-*-common/scripts/checkpatch.pl))

module-lint: kmod-sync
	perl $(CHECKPATCH) --no-tree --strict --terse --no-summary --max-line-length=100 \
		--ignore FILE_PATH_CHANGES,SPDX_LICENSE_TAG,PREFER_FALLTHROUGH \
		-f $$(find kmod uapi -name '*.[ch]')
	rm -rf $(KMOD_OUT)-sparse && cp -r $(KMOD_OUT) $(KMOD_OUT)-sparse
	$(MAKE) --no-print-directory -C $(KDIR) M=$(KMOD_OUT)-sparse C=2 \
		CF="-D__CHECK_ENDIAN__ -Wsparse-error" WEIR_VERSION=$(VERSION) modules
	tests/structs $(KMOD_OUT)-sparse/weir.ko docs/kernel.md

.PHONY: kmod-check-kdir kmod-sync module dkms-tree dkms module-lint
