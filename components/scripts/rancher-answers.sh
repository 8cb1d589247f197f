# Arguments: the name of Rancher's container and the address of its API.
container=$1
url=$2

not_ready() {
  echo "$1"
  docker inspect --format 'its container is {{.State.Status}}, exit code {{.State.ExitCode}} {{.State.Error}}' "$container" 2>&1
  docker logs --tail 400 "$container" 2>&1 | grep -E 'ERROR|FATAL|STARTUP FAILED|Exception' | tail -n 3
  exit 1
}

# The HTTP status of a GET.
status() {
  if command -v curl >/dev/null 2>&1; then
    curl -s -o /dev/null -m 10 -w '%{http_code}' "$1"
  elif complaint=$(wget -T 10 -O /dev/null "$1" 2>&1); then
    echo 200
  else
    echo "$complaint" | sed -n 's/.*HTTP[^ ]* \([0-9][0-9]*\).*/\1/p' | tail -n 1
  fi
}

fetch "$url/ping" >/dev/null || not_ready "Rancher does not answer $url/ping"
case $(status "$url/v2-beta") in
  401)
    echo "Rancher answers, and asks for a key"
    ;;
  200)
    # Without this template an environment gets no network; it comes from the catalog, after /ping.
    fetch "$url/v2-beta/projecttemplates?name=Cattle" | tr -d ' \n' | grep -q '"name":"Cattle"' ||
      not_ready "Rancher has not loaded its environment template Cattle from the catalog yet"
    echo "Rancher answers"
    ;;
  *)
    not_ready "Rancher does not answer $url/v2-beta"
    ;;
esac
