# shellcheck shell=bash
# What the steps of the workflows have in common; to be sourced in the project's folder, with STACK set.

# Whether the stack is configured here. One that is not is no mistake: not every team has all three.
has_stack_file() {
  if [[ ! $STACK =~ ^[a-z][a-z0-9-]*$ ]]; then
    echo "STACK is \"$STACK\"; name a stack" >&2
    exit 2
  fi
  if [[ -f Pulumi.$STACK.yaml ]]; then
    return 0
  fi
  echo "::notice::there is no Pulumi.$STACK.yaml, so there is nothing to do for $STACK"
  return 1
}

# Runs pipeline/$1.ts for the stack, with the other arguments and the pinned CLI; an earlier pulumi on PATH wins only
# if it is asked for, as tests do.
run_script() {
  local script=$1
  shift
  local policies=()
  # A drift is what it is; policies are for what is planned.
  if [[ $script != drift && -d policy ]]; then
    policies=(--policy-pack policy)
  fi
  PATH=${PIPELINE_PATH:-$PWD/node_modules/.bin}:$PATH \
    pipeline/with-key.sh node --import tsx "pipeline/$script.ts" --stack "$STACK" "${policies[@]}" "$@"
}
