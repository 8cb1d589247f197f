<?php
// Writes the site's new address over its old one in every text of its tables. Runs in a replica.
// Arguments: the old address, the new one. Says in one line how many rows it changed.
//
// Many plugins keep PHP's own serialized texts, in which each string stands with its length: such a value is
// taken apart, changed inside and put together again. One that cannot be taken apart stays as it is.

ini_set('display_errors', 'stderr');
[, $old, $new] = $argv;
define('WP_INSTALLING', true);
require '/var/www/html/wp-load.php';
global $wpdb;

/** The value with the new address in all its texts. Objects of unknown classes stay as they are. */
function moved(mixed $value, string $old, string $new): mixed
{
    if (is_string($value)) {
        if (is_serialized($value)) {
            $inner = @unserialize($value, ['allowed_classes' => [stdClass::class]]);
            $known = $inner !== false && !str_contains($value, '__PHP_Incomplete_Class');
            return $known && serialize($inner) === $value ? serialize(moved($inner, $old, $new)) : $value;
        }
        // In JSON a slash may stand behind a backslash.
        return str_replace([$old, str_replace('/', '\\/', $old)], [$new, str_replace('/', '\\/', $new)], $value);
    }
    if (is_array($value)) {
        return array_map(static fn (mixed $part): mixed => moved($part, $old, $new), $value);
    }
    if ($value instanceof stdClass) {
        foreach (get_object_vars($value) as $name => $part) {
            $value->$name = moved($part, $old, $new);
        }
    }
    return $value;
}

$changed = 0;
// A slash may be escaped, so the part behind the scheme is what a row is found by.
$needle = '%' . $wpdb->esc_like(preg_replace('#^https?://#', '', $old)) . '%';
foreach ($wpdb->get_col('SHOW TABLES') as $table) {
    $columns = $wpdb->get_results("SHOW COLUMNS FROM `$table`", ARRAY_A);
    $keys = array_column(array_filter($columns, static fn ($c) => $c['Key'] === 'PRI'), 'Field');
    $texts = array_column(array_filter($columns, static fn ($c) => preg_match('/char|text/i', $c['Type'])), 'Field');
    $texts = array_diff($texts, $keys);
    if ($keys === [] || $texts === []) {
        continue;
    }
    $where = implode(' OR ', array_map(static fn ($c) => "`$c` LIKE %s", $texts));
    $names = implode(', ', array_map(static fn ($c) => "`$c`", [...$keys, ...$texts]));
    $query = $wpdb->prepare("SELECT $names FROM `$table` WHERE $where", ...array_fill(0, count($texts), $needle));
    foreach ($wpdb->get_results($query, ARRAY_A) as $row) {
        $before = array_intersect_key($row, array_flip($texts));
        $after = array_map(static fn ($value) => moved($value, $old, $new), $before);
        // The name by which feeds know a post is not an address, and never changes.
        if ($table === $wpdb->posts) {
            unset($before['guid'], $after['guid']);
        }
        $difference = array_diff_assoc($after, $before);
        if ($difference !== []) {
            if ($wpdb->update($table, $difference, array_intersect_key($row, array_flip($keys))) === false) {
                file_put_contents('php://stderr', "$table could not be changed\n");
                exit(1);
            }
            $changed++;
        }
    }
}
wp_cache_flush();
echo "$changed rows had the address $old and have $new now\n";
