#!/bin/sh
# Keeps containers away from the instance's metadata, where the user data holds this host's private
# SSH key. RancherOS itself needs the old, token-less metadata service, so the service stays open and
# packets that come in over a bridge are dropped. Runs at every boot, before Docker; finds its own rule
# again. It cannot hold back a container on the host's own network, such as Rancher's agent, which is
# root on the host anyway.
set -u

rule="PREROUTING ! -i lo -d 169.254.169.254/32 -j DROP"
tries=10

# $rule is several words on purpose.
until iptables -w 5 -t raw -C $rule 2>/dev/null || iptables -w 5 -t raw -I $rule; do
  tries=$((tries - 1))
  if [ "$tries" -le 0 ]; then
    echo "guard-metadata: could not add the rule: $rule"
    exit 1
  fi
  sleep 1
done
