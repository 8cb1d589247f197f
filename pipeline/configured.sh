#!/usr/bin/env bash
# The first step of a job on STACK: its output `configured` is whether there is a file of that stack, without which the
# other steps have neither a role nor anything to do.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=pipeline/common.sh
source pipeline/common.sh

if has_stack_file; then
  echo "configured=true" >>"$GITHUB_OUTPUT"
else
  echo "configured=false" >>"$GITHUB_OUTPUT"
fi
