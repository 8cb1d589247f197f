<?php
// Installs the site with WordPress's own installer where nobody has, or brings the tables up to the
// core. Runs in the image of the site, by php -r, on the image's own copy of WordPress. Says one line,
// which holds no secret, and ends with 0 when the site is there; may run again at any time.
//
// Environment: that of the site's service, and SITE_TITLE, SITE_ADMIN_USER, SITE_ADMIN_EMAIL,
// SITE_ADMIN_PASSWORD.

// A message with a stack trace would hold the password, and WordPress logs each query that fails, as
// many do before there are tables.
ini_set('display_errors', '0');
ini_set('log_errors', '0');
ini_set('error_log', '/dev/null');
ini_set('zend.exception_ignore_args', '1');

// WordPress stops by printing a page and ending with 0. What it prints is kept back, and shown as
// the one line that matters when it was not expected.
ob_start();
register_shutdown_function(static function (): void {
    $page = (string) ob_get_clean();
    if (defined('SITE_IS_THERE')) {
        return;
    }
    $reason = error_get_last()['message'] ?? '';
    $body = preg_replace('#<(head|style|script)\b.*?</\1>#is', ' ', $page);
    $said = html_entity_decode(strip_tags($body), ENT_QUOTES | ENT_HTML5, 'UTF-8');
    $text = trim(preg_replace('/\s+/', ' ', $said . ' ' . strtok($reason, "\n")));
    fwrite(STDERR, 'WordPress stopped: ' . ($text === '' ? 'it said nothing' : substr($text, 0, 500)) . "\n");
    exit(1);
});

/** Ends well, with one line. */
function site_is_there(string $line): void
{
    define('SITE_IS_THERE', true);
    fwrite(STDOUT, "$line\n");
    exit(0);
}

/** WordPress would mail the new site's address and user; nothing here sends mail. */
function wp_new_blog_notification(): void
{
}

define('WP_INSTALLING', true);
// Else WordPress would stop at tables that an installer left behind when it was killed.
define('WP_REPAIRING', true);
require '/usr/src/wordpress/wp-config-docker.php';
require_once ABSPATH . 'wp-admin/includes/upgrade.php';

/** Whether the site has its address and somebody to administer it: what the installer makes last. */
function is_site_complete(wpdb $database): bool
{
    $pattern = $database->esc_like($database->options);
    if ($database->get_var($database->prepare('SHOW TABLES LIKE %s', $pattern)) === null) {
        return false;
    }
    $names = "SELECT COUNT(*) FROM {$database->options} WHERE option_name = 'siteurl'";
    $found = (int) $database->get_var($names);
    if ($database->last_error !== '') {
        exit('the tables cannot be read: ' . $database->last_error);
    }
    return $found > 0 && get_users(['role' => 'administrator', 'number' => 1]) !== [];
}

if (!is_site_complete($wpdb)) {
    // Set here, WordPress does not try it out by asking the site, which nobody answers for yet.
    add_action('populate_options', static function (): void {
        $GLOBALS['wp_rewrite']->set_permalink_structure('/%year%/%monthnum%/%day%/%postname%/');
    });
    $user = getenv('SITE_ADMIN_USER');
    wp_install(
        getenv('SITE_TITLE'),
        $user,
        getenv('SITE_ADMIN_EMAIL'),
        true,
        '',
        wp_slash(getenv('SITE_ADMIN_PASSWORD'))
    );
    if (!is_site_complete($wpdb)) {
        exit("the user $user could not be made");
    }
    site_is_there("installed WordPress $wp_version with the administrator $user");
}

$found = (int) get_option('db_version');
if ($found < $wp_db_version) {
    wp_upgrade();
    site_is_there("brought the tables from version $found to $wp_db_version of WordPress $wp_version");
}
if ($found > $wp_db_version) {
    site_is_there("the tables are of a newer WordPress than $wp_version, and stay as they are");
}
site_is_there("WordPress $wp_version is installed already");
