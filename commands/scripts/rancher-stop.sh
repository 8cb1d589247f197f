# Argument: Rancher's container.
docker stop -t 60 "$1" >/dev/null
