#!/bin/sh
# Lets more connections log in at the same time. Docker's client opens one for each request and Pulumi
# makes many at once; beyond ten, sshd turns some away at random (MaxStartups 10:30:100) and nobody tries
# again. Runs at every boot, before sshd; sshd takes the first value that it finds.
set -u

config=/etc/ssh/sshd_config
line="MaxStartups 100:30:200"

[ "$(head -n 1 "$config")" = "$line" ] && exit 0
{ echo "$line" && cat "$config"; } >"$config.new" && mv "$config.new" "$config"
