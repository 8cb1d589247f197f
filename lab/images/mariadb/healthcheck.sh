#!/bin/bash
# Is the real server up? Options as the published image's script, those in common use.
#   --connect             a client connects over TCP, which the first start's temporary server refuses
#   --innodb_initialized  InnoDB has finished starting
# Each given test must pass; without any, --connect is meant.
set -euo pipefail

query() {
  mariadb --defaults-extra-file=/var/lib/mysql/.my-healthcheck.cnf --protocol=tcp \
    --host=127.0.0.1 --connect-timeout=5 --skip-column-names --batch -e "$1"
}

[ $# -gt 0 ] || set -- --connect
for test in "$@"; do
  case "$test" in
    --connect) query "SELECT 1" >/dev/null ;;
    --innodb_initialized) [ "$(query "SELECT 1 FROM information_schema.ENGINES WHERE engine = 'InnoDB' AND support IN ('YES', 'DEFAULT')")" = 1 ] ;;
    --su-mysql | --no-connect) ;;
    *)
      echo "healthcheck.sh: unknown option $test" >&2
      exit 2
      ;;
  esac
done
