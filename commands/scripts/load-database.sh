# Argument: a database's container. Input: a dump of dump-database.sh.
#
# The dump is read into a database beside the one in use. Only when all of it is there do its tables take
# the place of the old ones, all in one statement: whoever asks meanwhile finds the old or the new, never
# half of either, and a dump that cannot be read changes nothing. Prints how many tables there are now.
exec docker exec -i "$1" bash -euo pipefail -c '
export MYSQL_PWD=$MYSQL_ROOT_PASSWORD
new=rancher_cattle_restored
old=rancher_cattle_replaced
sql() { mysql -uroot --batch --skip-column-names "$@"; }

tables() {
  sql -e "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = \"$1\" AND TABLE_TYPE = \"BASE TABLE\""
}

# Tables that a statement would move from one database to another.
moves() {
  tables "$1" | while read -r table; do echo "\`$1\`.\`$table\` TO \`$2\`.\`$table\`"; done
}

sql -e "DROP DATABASE IF EXISTS $new; DROP DATABASE IF EXISTS $old; CREATE DATABASE $new; CREATE DATABASE $old"
gunzip -c | sql "$new"

# RENAME TABLE takes neither triggers, views nor routines along.
fixed=$(sql -e "
  SELECT CONCAT(\"trigger \", TRIGGER_NAME) FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA IN (\"$new\", \"$MYSQL_DATABASE\")
  UNION SELECT CONCAT(\"view \", TABLE_NAME) FROM information_schema.VIEWS WHERE TABLE_SCHEMA IN (\"$new\", \"$MYSQL_DATABASE\")
  UNION SELECT CONCAT(\"routine \", ROUTINE_NAME) FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = \"$new\"")
if [ -n "$fixed" ]; then
  sql -e "DROP DATABASE $new; DROP DATABASE $old"
  echo "the tables have what cannot be moved with them, and nothing was changed: $(echo $fixed)" >&2
  exit 1
fi
count=$(tables "$new" | wc -l)
if [ "$count" -eq 0 ]; then
  sql -e "DROP DATABASE $new; DROP DATABASE $old"
  echo "the dump has no tables, and nothing was changed" >&2
  exit 1
fi

{
  echo "SET foreign_key_checks = 0; RENAME TABLE"
  { moves "$MYSQL_DATABASE" "$old"; moves "$new" "$MYSQL_DATABASE"; } | sed "\$!s/\$/,/"
} | sql
sql -e "SET foreign_key_checks = 0; DROP DATABASE $old; DROP DATABASE $new"
echo "$count"
'
