# Argument: the installer's container, which brings the tables up to the core of its image. Prints its last line.
docker start -a "$1" 2>&1 | tail -n 1
[ "$(docker inspect --format '{{.State.ExitCode}}' "$1")" = 0 ]
