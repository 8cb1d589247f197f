<?php
/**
 * WordPress's configuration from the environment, read at each request: a container with another
 * environment is another configuration, even over the same files.
 */

if (!function_exists('site_env')) {
    /** Value of an environment variable, or the content of the file that NAME_FILE names, or the default. */
    function site_env(string $name, $default)
    {
        $file = getenv($name . '_FILE');
        if ($file !== false && $file !== '') {
            return rtrim((string) file_get_contents($file), "\r\n");
        }
        $value = getenv($name);
        return $value === false ? $default : $value;
    }
}

define('DB_HOST', site_env('WORDPRESS_DB_HOST', 'mysql'));
define('DB_NAME', site_env('WORDPRESS_DB_NAME', 'wordpress'));
define('DB_USER', site_env('WORDPRESS_DB_USER', 'example username'));
define('DB_PASSWORD', site_env('WORDPRESS_DB_PASSWORD', 'example password'));
define('DB_CHARSET', site_env('WORDPRESS_DB_CHARSET', 'utf8'));
define('DB_COLLATE', site_env('WORDPRESS_DB_COLLATE', ''));

define('AUTH_KEY', site_env('WORDPRESS_AUTH_KEY', '@random@'));
define('SECURE_AUTH_KEY', site_env('WORDPRESS_SECURE_AUTH_KEY', '@random@'));
define('LOGGED_IN_KEY', site_env('WORDPRESS_LOGGED_IN_KEY', '@random@'));
define('NONCE_KEY', site_env('WORDPRESS_NONCE_KEY', '@random@'));
define('AUTH_SALT', site_env('WORDPRESS_AUTH_SALT', '@random@'));
define('SECURE_AUTH_SALT', site_env('WORDPRESS_SECURE_AUTH_SALT', '@random@'));
define('LOGGED_IN_SALT', site_env('WORDPRESS_LOGGED_IN_SALT', '@random@'));
define('NONCE_SALT', site_env('WORDPRESS_NONCE_SALT', '@random@'));

$table_prefix = site_env('WORDPRESS_TABLE_PREFIX', 'wp_');

define('WP_DEBUG', (bool) site_env('WORDPRESS_DEBUG', ''));

// Behind a load balancer that ends TLS, WordPress must know that the visitor's side is https.
if (strpos($_SERVER['HTTP_X_FORWARDED_PROTO'] ?? '', 'https') !== false) {
    $_SERVER['HTTPS'] = 'on';
}

$site_extra = site_env('WORDPRESS_CONFIG_EXTRA', '');
if ($site_extra !== '') {
    eval($site_extra);
}

if (!defined('ABSPATH')) {
    define('ABSPATH', __DIR__ . '/');
}
require_once ABSPATH . 'wp-settings.php';
