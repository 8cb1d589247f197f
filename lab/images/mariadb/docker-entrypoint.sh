#!/bin/bash
# Makes the data directory on the first start from MARIADB_* or MYSQL_* (each also as NAME_FILE),
# with a server that only its own socket reaches, then becomes the real server.
set -euo pipefail

datadir=/var/lib/mysql
socket=/run/mysqld/mysqld.sock

say() { echo "$(date -u +%FT%TZ) [entrypoint] $*"; }
fail() { echo "$(date -u +%FT%TZ) [entrypoint] error: $*" >&2; exit 1; }

# setting NAME [DEFAULT]: MARIADB_NAME, else MYSQL_NAME, each directly or from the file that *_FILE names.
setting() {
  local prefix variable file
  for prefix in MARIADB MYSQL; do
    variable="${prefix}_$1"
    file="${variable}_FILE"
    if [ -n "${!variable-}" ] && [ -n "${!file-}" ]; then
      fail "both $variable and $file are set: keep one"
    fi
    if [ -n "${!variable-}" ]; then printf '%s' "${!variable}"; return; fi
    if [ -n "${!file-}" ]; then
      [ -r "${!file}" ] || fail "$file names ${!file}, which cannot be read"
      cat "${!file}"; return
    fi
  done
  printf '%s' "${2-}"
}

# A string literal in SQL, whatever the text holds.
literal() {
  local text=${1//\\/\\\\}
  printf "'%s'" "${text//\'/\'\'}"
}

# A quoted name in SQL.
name() { printf '`%s`' "${1//\`/\`\`}"; }

random_password() { head -c 24 /dev/urandom | base64 | tr -d '\n' | tr '/+' '-_'; }

as_mysql=()
own_user=()
if [ "$(id -u)" = 0 ]; then
  as_mysql=(setpriv --reuid=mysql --regid=mysql --init-groups)
  own_user=(--user=mysql)
fi

initialise() {
  local root_password root_host database user password allow_empty random_root
  root_password=$(setting ROOT_PASSWORD)
  root_host=$(setting ROOT_HOST %)
  database=$(setting DATABASE)
  user=$(setting USER)
  password=$(setting PASSWORD)
  allow_empty=$(setting ALLOW_EMPTY_ROOT_PASSWORD "$(setting ALLOW_EMPTY_PASSWORD)")
  random_root=$(setting RANDOM_ROOT_PASSWORD)
  if [ -z "$root_password$allow_empty$random_root" ]; then
    fail "the database is not initialised and no root password is given: set one of" \
      "MARIADB_ROOT_PASSWORD, MARIADB_RANDOM_ROOT_PASSWORD, MARIADB_ALLOW_EMPTY_ROOT_PASSWORD"
  fi
  if [ -n "$user" ] && [ -z "$password" ]; then
    fail "MARIADB_USER is set without MARIADB_PASSWORD"
  fi
  if [ -n "$random_root" ]; then
    root_password=$(random_password)
    # As the published image does: it is the only way to learn it.
    say "GENERATED ROOT PASSWORD: $root_password"
  fi

  say "initialising the database files"
  "${as_mysql[@]}" mariadb-install-db --datadir="$datadir" --skip-test-db \
    --auth-root-authentication-method=normal --skip-name-resolve >/dev/null

  say "starting a temporary server, reachable by its socket only"
  "$@" "${own_user[@]}" --skip-networking --socket="$socket" --pid-file=/run/mysqld/init.pid &
  local pid=$!
  local tries=0
  until mariadb-admin --no-defaults --socket="$socket" --user=root ping >/dev/null 2>&1; do
    kill -0 "$pid" 2>/dev/null || fail "the temporary server ended; its messages are above"
    tries=$((tries + 1))
    [ "$tries" -lt 600 ] || fail "the temporary server did not answer within 60 s"
    sleep 0.1
  done

  local health_password
  health_password=$(random_password)
  {
    echo "SET @@SESSION.SQL_LOG_BIN = 0;"
    echo "DELETE FROM mysql.global_priv WHERE user = '' OR (user = 'root' AND host <> 'localhost');"
    echo "DELETE FROM mysql.proxies_priv WHERE host <> 'localhost';"
    echo "FLUSH PRIVILEGES;"
    for host in localhost 127.0.0.1 ::1; do
      echo "CREATE USER healthcheck@'$host' IDENTIFIED BY '$health_password';"
    done
    if [ -n "$database" ]; then
      echo "CREATE DATABASE IF NOT EXISTS $(name "$database");"
    fi
    if [ -n "$user" ]; then
      echo "CREATE USER $(literal "$user")@'%' IDENTIFIED BY $(literal "$password");"
      if [ -n "$database" ]; then
        # _ and % are wildcards in a GRANT's database name.
        local pattern=${database//_/\\_}
        echo "GRANT ALL ON $(name "${pattern//%/\\%}").* TO $(literal "$user")@'%';"
      fi
    fi
    if [ "$root_host" != localhost ]; then
      echo "CREATE USER root@$(literal "$root_host") IDENTIFIED BY $(literal "$root_password");"
      echo "GRANT ALL ON *.* TO root@$(literal "$root_host") WITH GRANT OPTION;"
    fi
    # Last: from here on the socket wants the password too.
    echo "ALTER USER root@localhost IDENTIFIED BY $(literal "$root_password");"
  } | mariadb --no-defaults --socket="$socket" --user=root --database=mysql --batch

  printf '[client]\nuser=healthcheck\npassword=%s\n' "$health_password" >"$datadir/.my-healthcheck.cnf"
  chmod 0600 "$datadir/.my-healthcheck.cnf"
  if [ "$(id -u)" = 0 ]; then chown mysql:mysql "$datadir/.my-healthcheck.cnf"; fi

  local script client=(mariadb --no-defaults --socket="$socket" --user=root)
  if [ -n "$database" ]; then client+=(--database="$database"); fi
  for script in /docker-entrypoint-initdb.d/*; do
    [ -e "$script" ] || continue
    say "running $script"
    case "$script" in
      *.sh) bash "$script" ;;
      *.sql) MYSQL_PWD=$root_password "${client[@]}" <"$script" ;;
      *.sql.gz) gunzip -c "$script" | MYSQL_PWD=$root_password "${client[@]}" ;;
      *) say "ignoring $script" ;;
    esac
  done

  say "stopping the temporary server"
  kill -TERM "$pid"
  wait "$pid" || fail "the temporary server did not end cleanly"
  say "initialisation is done"
}

# Bare flags belong to the server.
if [ "${1--}" != "${1#-}" ] || [ $# = 0 ]; then set -- mysqld "$@"; fi

# Whoever only asks the server something needs no database.
for argument in "$@"; do
  case "$argument" in
    -'?' | -h | --help | --print-defaults | -V | --version) exec "$@" ;;
  esac
done

case "$1" in
  mysqld | mariadbd)
    if [ "$(id -u)" = 0 ]; then
      chown mysql:mysql "$datadir" /run/mysqld
      find "$datadir" /run/mysqld \! -user mysql -exec chown mysql:mysql {} +
    fi
    # A marker tells a finished first start from one that was interrupted half way.
    if [ -e "$datadir/.lab-initialising" ]; then
      say "an earlier first start was interrupted: starting over"
      find "$datadir" -mindepth 1 -not -name lost+found -delete
    fi
    if [ ! -d "$datadir/mysql" ]; then
      touch "$datadir/.lab-initialising"
      initialise "$@"
      rm "$datadir/.lab-initialising"
    fi
    exec "$@" "${own_user[@]}"
    ;;
esac
exec "$@"
