# Argument: a database's container. Output: all of its one database, compressed, as it was at one moment.
# Input that fails half-way must not look like a dump, hence pipefail.
exec docker exec -i "$1" bash -euo pipefail -c '
export MYSQL_PWD=$MYSQL_ROOT_PASSWORD
mysqldump -uroot --single-transaction --quick --routines --triggers --hex-blob \
  --default-character-set=utf8mb4 --skip-dump-date "$MYSQL_DATABASE" | gzip -c
'
