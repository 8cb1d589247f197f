#!/bin/sh
# usage: mount-data.sh VOLUME_ID MOUNT_POINT DIRECTORY...
#
# Finds the EBS volume, formats it when every byte of its beginning is zero, mounts it, makes the
# directories once in its life and starts the containers that waited for it. Runs at every boot and
# does nothing while another run is at work. A directory that vanishes later is not made again:
# a database must stop rather than start empty.
set -u

volume=$1
mount_point=$2
shift 2

label=rancher-cattle
marker=$mount_point/.rancher-cattle
needy=rancher-cattle.needs=data
log=/var/log/rancher-cattle-mount-data.log
lock=/var/run/rancher-cattle-mount-data
probe_bytes=1048576

exec >>"$log" 2>&1

say() {
  echo "$(date -u +%Y-%m-%dT%H:%M:%SZ) $*"
}

# The lock is on a file system in memory, so that it is gone after a reboot.
if ! mkdir "$lock" 2>/dev/null; then
  if kill -0 "$(cat "$lock/pid" 2>/dev/null)" 2>/dev/null; then
    exit 0
  fi
  say "taking over from a run that was killed"
fi
echo $$ >"$lock/pid"
trap 'rm -rf "$lock"' EXIT

# On Nitro the volume's id is the serial number of its NVMe disk; on Xen it has the name it was given.
find_device() {
  serial=$(echo "$volume" | tr -d -)
  for file in /sys/block/nvme*/device/serial; do
    if [ -r "$file" ] && [ "$(tr -d ' \n' <"$file")" = "$serial" ]; then
      disk=${file#/sys/block/}
      echo "/dev/${disk%%/*}"
      return
    fi
  done
  if [ -b /dev/xvdf ]; then
    echo /dev/xvdf
  fi
}

is_blank() {
  [ "$(head -c "$probe_bytes" "$1" | wc -c)" -eq "$probe_bytes" ] &&
    [ "$(head -c "$probe_bytes" "$1" | tr -d '\000' | wc -c)" -eq 0 ]
}

is_ours() {
  blkid "$1" | grep -q "LABEL=\"$label\""
}

is_mounted() {
  grep -q " $mount_point " /proc/mounts
}

# Nothing can be written below the mount point while the volume is not there.
protect_mount_point() {
  mkdir -p "$mount_point"
  chattr +i "$mount_point" || say "the mount point could not be made immutable"
}

mount_volume() {
  tries=300
  device=$(find_device)
  while [ -z "$device" ]; do
    tries=$((tries - 1))
    if [ "$tries" -le 0 ]; then
      say "$volume did not appear"
      return 1
    fi
    [ $((tries % 30)) -ne 0 ] || say "waiting for $volume to appear"
    sleep 2
    device=$(find_device)
  done

  if is_blank "$device"; then
    say "formatting $device, which is blank"
    mkfs.ext4 -q -L "$label" "$device" || return 1
  fi
  if ! is_ours "$device"; then
    say "refusing $device: it is not blank and is not labelled $label"
    return 1
  fi
  mount -t ext4 -o noatime "$device" "$mount_point" || return 1
  say "mounted $device on $mount_point"
}

start_containers() {
  tries=150
  until docker info >/dev/null 2>&1; do
    tries=$((tries - 1))
    if [ "$tries" -le 0 ]; then
      say "Docker did not start"
      return 1
    fi
    sleep 2
  done
  for container in $(docker ps -aq --filter "label=$needy" --filter status=exited --filter status=created); do
    say "starting container $container"
    docker start "$container"
  done
}

if ! is_mounted; then
  protect_mount_point
  mount_volume || exit 1
fi
if [ ! -e "$marker" ]; then
  for directory in "$@"; do
    mkdir -p "$mount_point/$directory" || exit 1
  done
  touch "$marker" || exit 1
fi
start_containers
