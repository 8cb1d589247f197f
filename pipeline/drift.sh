#!/usr/bin/env bash
# The last step of drift.yml: compares STACK with what is there, with the key in SSH_PRIVATE_KEY, or the agent that is
# there.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=pipeline/common.sh
source pipeline/common.sh

if ! has_stack_file; then
  exit 0
fi
run_script drift
