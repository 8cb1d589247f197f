#!/usr/bin/env bash
# Runs a command with an ssh-agent that has the key in SSH_PRIVATE_KEY, and nothing else of it anywhere: no file,
# and no variable in the command. Without one the agent that is there already is used. The agent ends with the command.
set -euo pipefail

if (($# == 0)); then
  echo "usage: with-key.sh COMMAND [ARGUMENT…]" >&2
  exit 2
fi
if [[ -z ${SSH_PRIVATE_KEY:-} ]]; then
  exec "$@"
fi
# shellcheck disable=SC2016 # the inner shell has the words
exec ssh-agent bash -c '
  set -euo pipefail
  if ! ssh-add -q - <<<"$SSH_PRIVATE_KEY" 2>/dev/null; then
    echo "SSH_PRIVATE_KEY is not a private key that needs no passphrase" >&2
    exit 1
  fi
  unset SSH_PRIVATE_KEY
  exec "$@"' with-key "$@"
