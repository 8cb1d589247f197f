<?php
// What wp-config.php evaluates at each request (WORDPRESS_CONFIG_EXTRA): after the constants of the
// database, before any of WordPress.

// The site's own address, which a visitor's Host header must not decide: mails carry links with it.
define('WP_HOME', getenv('SITE_URL'));
define('WP_SITEURL', getenv('SITE_URL'));

// Code in a container changes with its image; an edit made inside one would be on that one alone.
define('DISALLOW_FILE_EDIT', true);
define('WP_AUTO_UPDATE_CORE', false);

// Hooks that are there before WordPress, in the form in which it takes them. At the lowest priority
// number they run before those of plugins, at the highest after, and then have the last word.
$site_hook = static function (string $tag, int $priority, callable $function): void {
    $GLOBALS['wp_filter'][$tag][$priority]['rancher-cattle'] = [
        'function' => $function,
        'accepted_args' => 1,
    ];
};

// Mail goes to the server of the config, never in clear text. Its sender is the config's, whatever a
// plugin would say: servers take mail from senders they know.
if ((string) getenv('SMTP_HOST') !== '') {
    $site_hook('wp_mail_from', PHP_INT_MAX, static fn (): string => getenv('SMTP_FROM'));
    $site_hook('phpmailer_init', PHP_INT_MAX, static function (object $mailer): void {
        $mailer->isSMTP();
        $mailer->Host = getenv('SMTP_HOST');
        $mailer->Port = (int) getenv('SMTP_PORT');
        $mailer->SMTPSecure = $mailer->Port === 465 ? 'ssl' : 'tls';
        $mailer->SMTPAuth = (string) getenv('SMTP_USER') !== '';
        $mailer->Username = (string) getenv('SMTP_USER');
        $mailer->Password = (string) getenv('SMTP_PASSWORD');
        // A visitor waits for this.
        $mailer->Timeout = 10;
    });
}

// XML-RPC tries hundreds of passwords in one request. The installer belongs to whoever is first, and
// is closed here too, should a database ever be empty behind replicas that are running.
$is_installer = defined('WP_INSTALLING') && basename($_SERVER['SCRIPT_FILENAME']) === 'install.php';
if (PHP_SAPI !== 'cli' && (defined('XMLRPC_REQUEST') || $is_installer)) {
    http_response_code(403);
    exit("closed on this site\n");
}

// The health check. A replica is well when PHP, the database and WordPress's core are. Once it has
// reached the database, an outage is not held against it for a while: no replica would be the better
// for being made anew. It answers before plugins and themes load, so that an administrator's broken
// plugin does not take the replicas away that it could be repaired with.
if (($_GET['rancher-cattle'] ?? '') === 'health') {
    (static function (string $prefix, callable $hook): void {
        $grace_seconds = 300;
        $answer = static function (int $status, string $text): void {
            http_response_code($status);
            header('Cache-Control: no-store');
            exit("$text\n");
        };
        mysqli_report(MYSQLI_REPORT_OFF);
        $connection = mysqli_init();
        $connection->options(MYSQLI_OPT_CONNECT_TIMEOUT, 2);
        $connection->options(MYSQLI_OPT_READ_TIMEOUT, 2);
        [$host, $port] = explode(':', DB_HOST . ':3306');
        $reached = sys_get_temp_dir() . '/rancher-cattle-database-reached';
        if (
            !@$connection->real_connect($host, DB_USER, DB_PASSWORD, DB_NAME, (int) $port) ||
            $connection->query("SELECT 1 FROM {$prefix}options LIMIT 1") === false
        ) {
            $last = file_exists($reached) ? filemtime($reached) : 0;
            $excused = time() - $last < $grace_seconds;
            $answer($excused ? 200 : 503, 'the database does not answer');
        }
        $connection->close();
        touch($reached);
        $hook('enable_maintenance_mode', PHP_INT_MAX, static fn (): bool => false);
        $hook('muplugins_loaded', PHP_INT_MIN, static fn () => $answer(200, 'healthy'));
    })($table_prefix, $site_hook);
}
