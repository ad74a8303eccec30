/** A proxy before a server, which can be in the way of live connections. */

import {createServer, request} from 'node:http';
import {connect} from 'node:net';

/** `proxy.live` is what it does with them: `let` through, `refuse`, or stay `silent`. @param {string} target */
export async function startProxy(target) {
  const {hostname, port} = new URL(target);
  const sockets = new Set();
  const server = createServer((incoming, answer) => {
    const {method, url: path, headers} = incoming;
    const forwarded = request({hostname, port, method, path, headers}, (response) => {
      answer.writeHead(response.statusCode, response.headers);
      response.pipe(answer);
    });
    forwarded.on('error', () => answer.destroy());
    incoming.pipe(forwarded);
  });
  const proxy = {
    live: 'let',
    url: '',
    /** Cuts the live connections that are there. */
    cut: () => sockets.forEach((socket) => socket.destroy()),
    stop: () => {
      proxy.cut();
      server.closeAllConnections();
      server.close();
    },
  };
  server.on('upgrade', (incoming, socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
    if (proxy.live === 'silent') return;
    if (proxy.live === 'refuse') return socket.end('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n');
    const through = connect(Number(port), hostname, () => {
      const lines = [`GET ${incoming.url} HTTP/1.1`];
      for (let i = 0; i < incoming.rawHeaders.length; i += 2) lines.push(`${incoming.rawHeaders[i]}: ${incoming.rawHeaders[i + 1]}`);
      through.write(`${lines.join('\r\n')}\r\n\r\n`);
      through.pipe(socket).pipe(through);
    });
    through.on('error', () => socket.destroy()).on('close', () => socket.destroy());
    socket.on('close', () => through.destroy());
  });
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
  proxy.url = `http://127.0.0.1:${server.address().port}`;
  return proxy;
}
