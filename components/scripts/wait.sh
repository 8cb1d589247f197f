# Runs a script on a host, over SSH, until it succeeds or the time is up. Runs where Pulumi runs.
#
# WAIT_FOR      what is waited for, for people
# WAIT_SECONDS  the limit
# WAIT_SSH      the ssh command line up to the host, quoted for the shell
# WAIT_SCRIPT   the script
# WAIT_ARGS     its arguments, quoted for the shell
set -u

# Whoever ssh turns away for this many seconds would be turned away until the limit.
refusal_seconds=60

began=$(date +%s)
answer=$(mktemp) || exit 1
trap 'rm -f "$answer"' EXIT

# A port that accepts a connection and then keeps silent would hold ssh for ever, hence the watchdog.
try() {
  eval "exec $WAIT_SSH sh -s -- $WAIT_ARGS" >"$answer" 2>&1 <<SCRIPT &
$WAIT_SCRIPT
SCRIPT
  ssh_process=$!
  (
    trap 'kill "$nap"; exit' TERM
    sleep 60 &
    nap=$!
    wait "$nap"
    kill "$ssh_process"
  ) </dev/null >/dev/null 2>&1 &
  watchdog=$!
  wait "$ssh_process"
  outcome=$?
  kill "$watchdog" 2>/dev/null
  return "$outcome"
}

last_line() {
  sed '/^[[:space:]]*$/d' "$answer" | tail -n 1
}

# Says what to do about an answer that no waiting helps against; nothing about any other.
advice() {
  case $(cat "$answer") in
    *"Permission denied (publickey"*)
      echo "the host turns your key away; have your ssh-agent (see ssh-add -L) or ssh configuration offer the private half of sshPublicKey"
      ;;
    *"Too many authentication failures"*)
      echo "your ssh-agent offers other keys first; name the right one with IdentityFile and IdentitiesOnly in your ssh configuration"
      ;;
    *"Bad configuration option"*)
      echo "your ssh is too old; OpenSSH 8.5 or newer is needed"
      ;;
  esac
}

give_up() {
  echo "gave up waiting for $WAIT_FOR after $waited s${1:+: $1}; the last answer was:" >&2
  tail -n 20 "$answer" >&2
}

echo "waiting for $WAIT_FOR, at most $WAIT_SECONDS s" >&2
told=0
accepted=0
until try; do
  waited=$(($(date +%s) - began))
  hint=$(advice)
  [ -n "$hint" ] || accepted=$waited
  if [ "$waited" -ge "$WAIT_SECONDS" ] || [ $((waited - accepted)) -ge "$refusal_seconds" ]; then
    give_up "$hint"
    exit 1
  fi
  if [ $((waited - told)) -ge 15 ]; then
    told=$waited
    echo "still waiting for $WAIT_FOR after $waited s: $(last_line)" >&2
  fi
  sleep 2
done
last_line
