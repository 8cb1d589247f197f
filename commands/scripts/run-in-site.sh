# Arguments: the image of WordPress, then what is handed to the code. Input: PHP, which runs in a replica of the site
# on this machine, as the site's user. Ends with 3 where there is none.
image=$1
shift
replica=$(docker ps --quiet --filter "ancestor=$image" --filter status=running | head -n 1)
if [ -z "$replica" ]; then
  echo "no replica runs here" >&2
  exit 3
fi
exec docker exec -i -u www-data "$replica" php -- "$@"
