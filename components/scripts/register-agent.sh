#!/bin/sh
# usage: register-agent.sh IMAGE URL_FILE
#
# Starts Rancher's agent, which registers this host, and labels the host with its instance id so that
# the program finds it again. Runs at every boot; a host that has an agent already is left alone.
set -u

image=$1
url_file=$2

metadata=http://169.254.169.254/latest/meta-data
bootstrap=rancher-agent-bootstrap
tries=120

say() {
  echo "$(date -u +%Y-%m-%dT%H:%M:%SZ) $*"
}

fetch() {
  if command -v curl >/dev/null 2>&1; then
    curl -sf -m 10 "$1"
  else
    wget -q -T 10 -O - "$1"
  fi
}

register() {
  docker info >/dev/null 2>&1 || { say "waiting for Docker"; return 1; }
  if docker inspect rancher-agent >/dev/null 2>&1; then
    return 0
  fi
  id=$(fetch "$metadata/instance-id") && address=$(fetch "$metadata/local-ipv4") ||
    { say "waiting for the instance's metadata"; return 1; }
  say "registering $id with the address $address"
  docker rm -f "$bootstrap" >/dev/null 2>&1
  docker run --rm --privileged --name "$bootstrap" \
    -e "CATTLE_AGENT_IP=$address" \
    -e "CATTLE_HOST_LABELS=io.rancher-cattle.instance-id=$id" \
    -v /var/run/docker.sock:/var/run/docker.sock \
    -v /var/lib/rancher:/var/lib/rancher \
    "$image" "$(cat "$url_file")" && docker inspect rancher-agent >/dev/null 2>&1
}

until register; do
  tries=$((tries - 1))
  if [ "$tries" -le 0 ]; then
    say "gave up registering"
    exit 1
  fi
  sleep 5
done
say "rancher-agent is there"
