# Argument: the name of the installer's container. One that failed is started again, so that the gate
# outlasts what passes; each try shows why the one before ended.
container=$1

state=$(docker inspect --format '{{.State.Status}} {{.State.ExitCode}}' "$container" 2>&1) || {
  echo "the installer's container cannot be asked: $state"
  exit 1
}
last_line=$(docker logs --tail 20 "$container" 2>&1 | sed '/^[[:space:]]*$/d' | tail -n 1)
case $state in
  "exited 0")
    echo "$last_line"
    ;;
  running* | created* | restarting*)
    echo "the installer is at work${last_line:+: $last_line}"
    exit 1
    ;;
  *)
    complaint=$(docker start "$container" 2>&1 >/dev/null) || last_line="$last_line $complaint"
    echo "the installer ended with ${state#* }: ${last_line:-it said nothing}"
    exit 1
    ;;
esac
