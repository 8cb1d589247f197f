# Starts WordPress in a container whose wp-content is shared with other containers. The image's own
# entrypoint fills /var/www/html by itself, but two that do so at once in one directory disturb each
# other, and one that was killed half-way is not taken up again. So WordPress is put in place here, with
# its configuration, and the entrypoint, which leaves alone what it finds, starts Apache.
set -eu

source=/usr/src/wordpress
site=/var/www/html
content=$site/wp-content
marker=$content/.rancher-cattle
# What of the image was put into wp-content already: what an administrator deletes stays deleted.
brought=$content/.rancher-cattle-brought
draft=$content/.rancher-cattle-draft

# Without the marker this is a directory of the host: it would be this container's alone, and lost.
if [ ! -e "$marker" ]; then
  echo "start-wordpress: wp-content is not the shared directory; its host has not mounted it" >&2
  exit 1
fi

# A folder such as plugins is made; a plugin is copied to one side and then moved, whole.
bring() {
  if [ -e "$content/$1" ]; then
    :
  elif [ -d "$1" ] && [ "${1#*/}" = "$1" ]; then
    mkdir "$content/$1"
    chown --reference="$1" "$content/$1"
  else
    rm -rf "$draft"
    cp -a "$1" "$draft"
    mv "$draft" "$content/$1"
  fi
  echo "$1" >>"$brought"
}

# One container at a time. NFS locks only what is open for writing.
exec 9>>"$marker"
flock -w 300 9
[ -e "$brought" ] || (umask 077 && touch "$brought")
cd "$source/wp-content"
for item in * */*; do
  if [ -e "$item" ] && ! grep -qxF "$item" "$brought"; then
    bring "$item"
  fi
done
exec 9>&-

# Without a configuration WordPress would let any visitor set it up, and a health check takes its redirect
# there for an answer: Apache must never run without one. This one reads the container's environment.
if [ ! -s "$site/wp-config.php" ]; then
  cp -a "$source/wp-config-docker.php" "$site/wp-config.php.new"
  mv "$site/wp-config.php.new" "$site/wp-config.php"
fi

# index.php is the last: it tells the entrypoint, and the next start, that the rest is there.
if [ ! -e "$site/index.php" ]; then
  cd "$source"
  for item in * .[!.]*; do
    case $item in
      wp-content | index.php) ;;
      *) if [ -e "$item" ]; then cp -a "$item" "$site/"; fi ;;
    esac
  done
  cp -a index.php "$site/"
fi

cd "$site"
exec docker-entrypoint.sh apache2-foreground
