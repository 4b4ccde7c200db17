#!/usr/bin/env bash
# Makes the images beside this script. They were made with qemu-img 7.2.22 (Debian 12).
set -euo pipefail
cd "$(dirname "$0")"
rm -f disk* overlay.qcow2 refused.qed descriptor*.vmdk

qemu-img create -q -f raw disk.raw 4K
qemu-img create -q -f qcow2 -o cluster_size=512 disk.qcow2 1M
qemu-img create -q -f qcow2 -o cluster_size=512,compat=0.10 disk-v2.qcow2 1M
qemu-img snapshot -c before-upgrade disk-v2.qcow2
qemu-img create -q -f qcow2 -o cluster_size=512,compression_type=zstd,lazy_refcounts=on disk-zstd.qcow2 1M
qemu-img create -q -f qcow2 -o cluster_size=512 -u -b /etc/passwd -F raw overlay.qcow2 1M
qemu-img create -q -f vpc -o subformat=dynamic disk-dynamic.vhd 64M
qemu-img create -q -f vpc -o subformat=fixed,force_size=on disk-fixed.vhd 4K
qemu-img create -q -f vmdk -o subformat=streamOptimized disk-stream.vmdk 1M
qemu-img create -q -f vmdk -o subformat=monolithicFlat descriptor.vmdk 4K
qemu-img create -q -f vdi disk.vdi 64M
qemu-img create -q -f qed -o cluster_size=4096,table_size=1 refused.qed 1M
gzip -kn disk.qcow2
