#!/usr/bin/env bash
# The last step of preview.yml: STACK is previewed, and the comment of pull request PULL is written. Without PULL it is
# the plan of deploy.yml, on the run's page alone.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=pipeline/common.sh
source pipeline/common.sh

if ! has_stack_file; then
  exit 0
fi
pull=()
if [[ -n ${PULL:-} ]]; then
  pull=(--pull "$PULL")
fi
run_script preview --against HEAD^1 --output /dev/null "${pull[@]}"
