# Arguments: Rancher's container, its port. Starts it, and waits at most 15 minutes until it answers.
docker start "$1" >/dev/null || exit 1
tries=450
until wget -q -T 5 -O /dev/null "http://127.0.0.1:$2/ping" || curl -sf -m 5 -o /dev/null "http://127.0.0.1:$2/ping"; do
  tries=$((tries - 1))
  if [ "$tries" -le 0 ]; then
    echo "Rancher does not answer; its container is $(docker inspect --format '{{.State.Status}}' "$1")" >&2
    exit 1
  fi
  sleep 2
done 2>/dev/null
