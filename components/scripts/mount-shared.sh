#!/bin/sh
# usage: mount-shared.sh ADDRESS MOUNT_POINT DIRECTORY
#
# Mounts the EFS file system whose mount target has this address, and makes the site's directory in it.
# Runs at every boot, in the background: every ten seconds at first, once a minute after that. Rancher
# starts again what could not start without the directory.
set -u

address=$1
mount_point=$2
directory=$mount_point/$3

# The marker tells containers that this is the shared directory and not an empty one of the host.
marker=$directory/.rancher-cattle
# www-data of images that are built on Debian.
owner=33:33
options=nfsvers=4.1,rsize=1048576,wsize=1048576,hard,timeo=600,retrans=2,noresvport
try_seconds=20
early_tries=30
# A month of minutes.
tries=43200
slow_from=$((tries - early_tries))
pause=10

say() {
  echo "$(date -u +%Y-%m-%dT%H:%M:%SZ) mount-shared: $*"
}

# Before 1.30, busybox wants -t before the number.
if timeout 1 true 2>/dev/null; then
  limit="timeout $try_seconds"
else
  limit="timeout -t $try_seconds"
fi

is_mounted() {
  grep -q " $mount_point " /proc/mounts
}

# $limit is several words on purpose. The port of a target that does not let this host in stays silent.
mount_it() {
  is_mounted || $limit mount -t nfs4 -o "$options" "$address:/" "$mount_point"
}

# Each host does the same, so that it does not matter which one is the first.
prepare() {
  mkdir -p "$directory" && chown "$owner" "$directory" && touch "$marker"
}

until mount_it && prepare; do
  tries=$((tries - 1))
  if [ "$tries" -le 0 ]; then
    say "gave up on $address"
    exit 1
  fi
  if [ "$tries" -le "$slow_from" ]; then
    pause=60
  fi
  if [ "$tries" -gt "$slow_from" ] || [ $((tries % 60)) -eq 0 ]; then
    say "$address cannot be mounted yet"
  fi
  sleep "$pause"
done
say "mounted $address on $mount_point"
