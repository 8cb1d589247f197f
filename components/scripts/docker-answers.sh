version=$(docker version --format '{{.Server.Version}}' 2>&1) || {
  echo "Docker does not answer: $version"
  exit 1
}
echo "Docker $version"
