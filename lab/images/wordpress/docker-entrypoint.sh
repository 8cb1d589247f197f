#!/bin/bash
# Puts WordPress into an empty /var/www/html and writes wp-config.php once, then runs the command.
# Only for a web server as command, so that the image can run other things untouched.
set -euo pipefail

case "${1-}" in
  apache2* | php-fpm)
    owner=$(id -u) group=$(id -g)
    if [ "$owner" = 0 ]; then owner=www-data group=www-data; fi

    if [ ! -e index.php ] && [ ! -e wp-includes/version.php ]; then
      if [ "$(id -u)" = 0 ] && [ "$(stat -c %u .)" = 0 ]; then chown "$owner:$group" .; fi
      # What someone mounted or made already stays: their .htaccess, each of their plugins and themes.
      skip=()
      if [ -e .htaccess ]; then skip+=(--exclude=./.htaccess); fi
      for path in wp-content/plugins/*/ wp-content/themes/*/; do
        if [ -d "$path" ] && [ -d "/usr/src/wordpress/$path" ]; then skip+=("--exclude=./${path%/}"); fi
      done
      tar --create --directory=/usr/src/wordpress --owner="$owner" --group="$group" "${skip[@]}" . |
        tar --extract --no-overwrite-dir
      echo "wordpress: copied to $PWD" >&2
    fi

    # Not `grep -q`, which may end before all names are written, and the pipe with it.
    if [ ! -s wp-config.php ] && compgen -e | grep '^WORDPRESS_' >/dev/null; then
      # Whoever gives no salts gets random ones, of this container alone.
      while IFS= read -r line; do
        while [[ $line == *@random@* ]]; do
          line=${line/@random@/$(head -c 48 /dev/urandom | sha256sum | cut -c1-64)}
        done
        printf '%s\n' "$line"
      done </usr/src/wordpress/wp-config-docker.php >wp-config.php.new
      mv wp-config.php.new wp-config.php
      # A shared folder may refuse the change of owner; the file is readable all the same.
      if [ "$(id -u)" = 0 ]; then chown "$owner:$group" wp-config.php || true; fi
    fi
    ;;
esac
exec "$@"
