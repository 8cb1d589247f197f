# Arguments: the shared directory, an image with GNU tar. Output: all of the directory, as compressed tar.
# What a host or a start of a container puts there by itself stays out; what the image has brought is noted in
# .rancher-cattle-brought, which belongs to the content.
directory=$1
image=$2
if [ ! -e "$directory/.rancher-cattle" ]; then
  echo "$directory is not mounted here" >&2
  exit 3
fi
# A file that changes while it is read is read as it was or as it is, and tar says so with 1.
exec docker run --rm --network none --log-driver none -v "$directory:/content:ro" --entrypoint bash "$image" -c '
tar -C /content --numeric-owner --warning=no-file-changed --warning=no-file-removed \
  --exclude=./.rancher-cattle --exclude=./.rancher-cattle-draft --exclude="./.rancher-cattle-restore*" -czf - .
code=$?
[ "$code" -le 1 ] || exit "$code"
'
