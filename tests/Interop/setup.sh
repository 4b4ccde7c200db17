#!/usr/bin/env bash
# Installs the real tools that tests compare with, on Debian and Ubuntu. What is missing elsewhere, tests skip.
set -uo pipefail
packages=(
    qemu-utils qemu-block-extra libvhdi-utils libvmdk-utils libqcow-utils cryptsetup-bin
    e2fsprogs btrfs-progs xfsprogs
    gcc libc6-dev
    python3-cursive openssl
    genisoimage dosfstools gdisk ntfs-3g exfatprogs zstd bzip2 xz-utils zip jlha-utils util-linux mount
    # The servers' programs without their services, and the clients.
    python3-keystone python3-glance python3-barbican python3-waitress python3-openstackclient
)
if ! command -v apt-get >/dev/null || [ "$(id -u)" -ne 0 ]; then
    echo "setup: not root on Debian or Ubuntu; install these by hand: ${packages[*]}" >&2
    exit 0
fi
missing=()
for package in "${packages[@]}"; do
    dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package")
done
[ "${#missing[@]}" -eq 0 ] && exit 0
export DEBIAN_FRONTEND=noninteractive
# No service is to start, of what these packages or those that they need bring.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
fi
apt-get update -qq
install=(apt-get install -y -qq --no-install-recommends -o DPkg::Options::=--force-unsafe-io)
# All at once is quicker where it works.
"${install[@]}" "${missing[@]}" >/dev/null 2>&1 && exit 0
# One by one: a package that a release does not have must not keep the others away.
for package in "${missing[@]}"; do
    "${install[@]}" "$package" >/dev/null 2>&1 ||
        echo "setup: $package cannot be installed; its tests will be skipped" >&2
done
