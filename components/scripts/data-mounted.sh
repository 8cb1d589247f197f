# Arguments: the mount point, then the command that mounts the volume there.
mount_point=$1
shift
if [ -e "$mount_point/.rancher-cattle" ]; then
  echo "$mount_point is mounted"
  exit 0
fi
# The command does nothing while the run that began at boot is still at work.
sudo "$@" </dev/null >/dev/null 2>&1 &
tail -n 1 /var/log/rancher-cattle-mount-data.log 2>/dev/null ||
  echo "mounting has not begun: $(tail -n 1 /var/log/rancher-cattle.log 2>/dev/null)"
exit 1
