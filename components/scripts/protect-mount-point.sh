#!/bin/sh
# usage: protect-mount-point.sh MOUNT_POINT
#
# Keeps everyone, root included, from writing below a directory while nothing is mounted there. Docker
# makes a directory that a container asks for; here it fails, and so does the container. Runs at every
# boot, before Docker.
set -u

mkdir -p "$1" && chattr +i "$1" && exit 0
echo "protect-mount-point: $1 could not be made immutable"
exit 1
