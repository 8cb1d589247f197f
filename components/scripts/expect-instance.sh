# Begins every script that a gate runs on a host: stops unless this is the instance that is meant.
# An address that is moving to a new instance still leads to the old one for a while, and both have
# the same SSH host key. Argument: the instance id.
fetch() {
  if command -v curl >/dev/null 2>&1; then
    curl -sf -m 10 "$1"
  else
    wget -q -T 10 -O - "$1"
  fi
}

instance=$(fetch http://169.254.169.254/latest/meta-data/instance-id) || {
  echo "the instance's metadata does not answer"
  exit 1
}
if [ "$instance" != "$1" ]; then
  echo "the address still leads to $instance, not to $1"
  exit 1
fi
shift
