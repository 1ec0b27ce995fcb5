#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 400
#
# The README's "Install", "A node" and "A master": make install, the module from where it
# was put, both units under systemd, first questions. systemd runs as the first process of
# a PID namespace in the guest.

. "$WEIR_SRC/tests/lab/lib.sh"
need make systemctl unshare
systemd=/lib/systemd/systemd
[ -x $systemd ] || skip "no systemd here"

say "make install"
release=$(uname -r)
mkdir -p /tmp/weir
(cd "$WEIR_SRC" && git ls-files -z | tar -c --null -T -) | tar -x -C /tmp/weir
cp -r "$WEIR_BUILD" /tmp/weir/build
make -C /tmp/weir install >/dev/null
install -D -m 644 "$(weir_ko)" "/lib/modules/$release/updates/dkms/weir.ko"
depmod "$release"
modprobe weir
printf '[node]\nname = router-1\n[master main]\naddress = 127.0.0.1:7410\n' >/etc/weir/node.conf

say "systemd"
mount -t cgroup2 cgroup2 /sys/fs/cgroup 2>/dev/null || true
mkdir -p /run/systemd/system
printf '[Unit]\nAllowIsolate=yes\n' >/run/systemd/system/lab.target
env -i container=lab PATH="$PATH" unshare --pid --fork --mount --propagation private \
	--mount-proc $systemd --system --unit=lab.target >"$WEIR_OUT/systemd" 2>&1 &
wait_for 60 'pgrep -x systemd >/dev/null'
inside() { nsenter --target "$(pgrep -x systemd | head -n 1)" --pid --mount "$@"; }
wait_for 60 'inside systemctl is-system-running 2>/dev/null | grep -qE "running|degraded"'

say "the units"
inside systemctl start weir-master weir-node || {
	inside systemctl status --no-pager weir-master weir-node || true
	inside journalctl --no-pager -n 40 || true
	fail "the units do not start"
}
inside systemctl is-active weir-master weir-node
ping -q -c 3 127.0.0.1 >/dev/null
wait_for 30 'weir flush >/dev/null && weir flows --limit 5 | grep -q 127.0.0.1'
weir flows --limit 5
weir top --by host
wait_for 60 'weir nodes --master | grep -q "router-1  yes"'
weir nodes --master
wait_for 30 'weir audit >/dev/null'
weir audit

say "a killed daemon is started again"
inside systemctl kill -s KILL weir-node
wait_for 30 'inside systemctl is-active weir-node >/dev/null && weir audit >/dev/null'
inside systemctl stop weir-node weir-master
[ "$(inside systemctl show -P Result weir-node)" = success ] || fail "weir-node did not end cleanly"
rmmod weir
