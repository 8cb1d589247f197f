# Arguments: the shared directory, an image with GNU tar. Input: a file of save-content.sh.
#
# All of it is unpacked beside what is there before anything changes place, and what was there is removed
# only when the new is in its place. Replicas that start meanwhile wait at the same lock.
directory=$1
image=$2
if [ ! -e "$directory/.rancher-cattle" ]; then
  echo "$directory is not mounted here" >&2
  exit 3
fi
exec docker run --rm -i --network none --log-driver none -v "$directory:/content" --entrypoint bash "$image" -euo pipefail -c '
cd /content
new=.rancher-cattle-restore-new
old=.rancher-cattle-restore-old
rm -rf "$new"
mkdir "$new"
tar -C "$new" --numeric-owner -xpzf -
exec 9>>.rancher-cattle
flock -w 300 9
# An earlier run that was killed here has left what it had moved out of the way.
rm -rf "$old"
mkdir "$old"
move() {
  find "$1" -mindepth 1 -maxdepth 1 ! -name .rancher-cattle ! -name "$new" ! -name "$old" -exec mv -t "$2" {} +
}
move . "$old"
move "$new" .
rmdir "$new"
rm -rf "$old"
'
