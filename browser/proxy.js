/** A proxy in front of one or more servers that can block live connections. */

import {createServer, request} from 'node:http';
import {connect} from 'node:net';

/**
 * Starts a load balancer without stickiness: each request and each live connection goes to the next server that is up.
 * `proxy.live` says what it does with live connections: `let` them through, `refuse` them, or stay `silent`.
 * @param {string[]} targets
 */
export async function startProxy(...targets) {
  const sockets = new Set();
  const proxy = {
    live: 'let',
    /** Milliseconds that each request takes longer. */
    latency: 0,
    url: '',
    /** Pages of a host application: gives the HTML or script of a path, or nothing for what the servers answer. @type {(path: string) => string | undefined} */
    page: () => undefined,
    /** The address of a host application that answers everything but the API; '' for none. */
    host: '',
    /** Called with the path and status of each answer of a server. @type {(path: string, status: number) => void} */
    answered: () => {},
    /** No request reaches a server. */
    down: false,
    /** When the first live connection, and the first update by polling, arrived; 0 before. */
    firstLive: 0,
    firstUpdate: 0,
    /** Closes all live connections. */
    cut: () => sockets.forEach((socket) => socket.destroy()),
    stop: () => {
      proxy.cut();
      server.closeAllConnections();
      server.close();
    },
  };
  const turns = {request: 0, live: 0}; // separate, so that successive live connections go to different servers

  /** Connects to the next server that is up, or to the host. Calls `failed` if none is. */
  function reach(kind, path, connected, failed, left = targets.length) {
    const ofHost = proxy.host && !path.startsWith('/writer/api/');
    const {hostname, port} = new URL(ofHost ? proxy.host : targets[turns[kind]++ % targets.length]);
    const refused = () => (left > 1 && !ofHost ? reach(kind, path, connected, failed, left - 1) : failed());
    const socket = connect(Number(port), hostname, () => connected(socket.off('error', refused)));
    socket.on('error', refused);
  }

  const server = createServer(async (incoming, answer) => {
    const page = proxy.page(incoming.url);
    if (page !== undefined) return answer.writeHead(200, {'Content-Type': incoming.url.endsWith('.js') ? 'text/javascript' : 'text/html'}).end(page);
    if (proxy.down) return answer.destroy();
    if (proxy.latency) await new Promise((passed) => setTimeout(passed, proxy.latency));
    if (incoming.url.endsWith('/presence/update/')) proxy.firstUpdate ||= Date.now();
    reach('request', incoming.url, (socket) => {
      const {method, url: path, headers} = incoming;
      const forwarded = request({createConnection: () => socket, method, path, headers}, (response) => {
        proxy.answered(path, response.statusCode);
        answer.writeHead(response.statusCode, response.headers);
        response.on('error', () => answer.destroy()).pipe(answer);
      });
      forwarded.on('error', () => answer.destroy());
      incoming.pipe(forwarded);
    }, () => answer.destroy());
  });
  server.on('upgrade', (incoming, socket) => {
    proxy.firstLive ||= Date.now();
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
    if (proxy.live === 'silent') return;
    if (proxy.live === 'refuse') return socket.end('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n');
    reach('live', incoming.url, (through) => {
      const lines = [`GET ${incoming.url} HTTP/1.1`];
      for (let i = 0; i < incoming.rawHeaders.length; i += 2) lines.push(`${incoming.rawHeaders[i]}: ${incoming.rawHeaders[i + 1]}`);
      through.on('error', () => socket.destroy()).on('close', () => socket.destroy());
      through.write(`${lines.join('\r\n')}\r\n\r\n`);
      through.pipe(socket).pipe(through);
      if (socket.destroyed) through.destroy();
      socket.on('close', () => through.destroy());
    }, () => socket.destroy());
  });
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
  proxy.url = `http://127.0.0.1:${server.address().port}`;
  return proxy;
}
