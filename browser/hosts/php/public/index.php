<?php
// What a site has beside presence: ways to sign in, here without a password, and out, and a page that takes long.
require __DIR__ . '/../token.php';

session_start(['cookie_secure' => true, 'cookie_httponly' => true, 'cookie_samesite' => 'Lax']);
switch (parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH)) {
    case '/login':
        $_SESSION['user'] = ['id' => 7, 'name' => 'alice'];
        http_response_code(204);
        break;
    case '/logout':
        session_destroy();
        http_response_code(204);
        break;
    case '/presence-token':
        header('Content-Type: text/plain');
        header('Cache-Control: no-store');
        echo presence_token($_SESSION['user']);
        break;
    case '/export': // lasts until the other side of a connection closes it
        if (isset($_GET['closed'])) {
            session_write_close();
        }
        fread(stream_socket_client("tcp://127.0.0.1:{$_GET['port']}"), 1);
        break;
    default:
        http_response_code(404);
}
