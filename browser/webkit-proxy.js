/**
 * The HTTP proxy of one WebKit browser. WebDriver has no commands for what happens between a browser and its servers, and for what a
 * page does before it has loaded; so this proxy answers, blocks, watches and extends requests, and adds a script to every page. Requests
 * by https do not go through it.
 */

import {EventEmitter} from 'node:events';
import {createServer, request} from 'node:http';
import {connect} from 'node:net';

/** The folder that the proxy answers for itself, on every origin, so that a Content-Security-Policy with 'self' allows it. */
const OWN = '/--webkit--/';

/** An empty page on an origin. */
export const blankPage = (origin) => `${origin}${OWN}blank`;

/** Reports errors and warnings of a page to the proxy. Runs in the page before its own scripts. */
export const reportErrors = `(() => {
  const {fetch} = globalThis;
  const report = (type, value) => fetch('${OWN}report', {method: 'POST', keepalive: true, body: JSON.stringify({type, text: String(value)})}).catch(() => {});
  for (const [method, type] of [['error', 'error'], ['warn', 'warning']]) {
    const original = console[method];
    console[method] = (...values) => (report(type, values.join(' ')), original.apply(console, values));
  }
  addEventListener('error', ({error, message}) => message && report('pageerror', error ?? message));
  addEventListener('unhandledrejection', ({reason}) => report('pageerror', reason));
})();`;

/**
 * Starts a proxy. Its events: `request`, `response` and `console` with the object that a page's event has, `pageerror` with a text.
 */
export async function startForwardProxy() {
  const sockets = new Set();
  const proxy = Object.assign(new EventEmitter(), {
    port: 0,
    origins: new Set(),
    ...settings(),
    /** Forgets all settings and listeners. */
    reset() {
      proxy.removeAllListeners();
      proxy.origins.clear();
      Object.assign(proxy, settings());
    },
    /** Ends or allows all connections. */
    setOffline(offline) {
      proxy.offline = offline;
      if (offline) for (const socket of sockets) socket.destroy();
    },
    stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  });

  const server = createServer(async (incoming, answer) => {
    const url = new URL(incoming.url ?? '');
    const body = Buffer.concat(await incoming.toArray()).toString();
    proxy.origins.add(url.origin);
    if (url.pathname.startsWith(OWN)) return answerItself(url.pathname.slice(OWN.length), body, answer);
    const isDocument = ['document', 'iframe'].includes(String(incoming.headers['sec-fetch-dest']));
    const asked = {
      url: () => url.href,
      method: () => incoming.method,
      postDataJSON: () => JSON.parse(body),
      isNavigationRequest: () => isDocument,
    };
    proxy.emit('request', asked);
    const handle = proxy.routes.findLast(({matches}) => matches(url.href))?.handle;
    if (handle) {
      return handle({
        request: () => asked,
        abort: () => answer.destroy(),
        fulfill: ({status = 200, contentType = 'text/html', body}) => deliver(status, {'content-type': contentType}, [body]),
      });
    }
    const {'proxy-connection': _, 'accept-encoding': __, ...headers} = {...incoming.headers, ...proxy.headers, connection: 'close'};
    request(url, {method: incoming.method, headers, agent: false}, (response) => deliver(response.statusCode ?? 502, response.headers, response))
      .on('error', () => answer.destroy())
      .end(body);

    /** Answers, and adds the script to a document. */
    async function deliver(status, {connection, ...headers}, body) {
      if (proxy.bypassCSP) delete headers['content-security-policy'];
      try {
        if (isDocument && /^text\/html/.test(headers['content-type'])) {
          const chunks = [];
          for await (const chunk of body) chunks.push(Buffer.from(chunk));
          const html = Buffer.concat(chunks).toString().replace(/^\s*(<!doctype[^>]*>)?/i, `$&<script src="${OWN}script.js"></script>`);
          delete headers['content-length'];
          answer.writeHead(status, headers).end(html);
        } else {
          answer.writeHead(status, headers);
          for await (const chunk of body) answer.write(chunk);
          answer.end();
        }
      } catch {
        answer.destroy();
      }
      proxy.emit('response', {url: () => url.href, status: () => status});
      if (status >= 400) emitConsole('error', `the server responded with the status ${status}`, url.href);
    }
  });

  /** Answers a request to the proxy's own folder. */
  function answerItself(name, body, answer) {
    if (name === 'report') {
      const {type, text} = JSON.parse(body);
      if (type === 'pageerror') proxy.emit(type, text);
      else emitConsole(type, text);
    }
    const [type, text] = name === 'script.js'
      ? ['text/javascript', `document.currentScript.remove();\n${reportErrors}\n${proxy.scripts.join(';\n')}`]
      : ['text/html', '<!doctype html><title>Blank</title><link rel="icon" href="data:,">'];
    answer.writeHead(200, {'Content-Type': type, 'Cache-Control': 'no-store'}).end(text);
  }

  const emitConsole = (type, text, url = '') => proxy.emit('console', {type: () => type, text: () => text, location: () => ({url})});

  server.on('connection', (socket) => {
    if (proxy.offline) return socket.destroy();
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
  });
  // A WebSocket: passed on as it is.
  server.on('upgrade', (incoming, socket, head) => {
    const {hostname, port, pathname, search} = new URL(incoming.url ?? '');
    const lines = [`GET ${pathname}${search} HTTP/1.1`];
    for (let i = 0; i < incoming.rawHeaders.length; i += 2) lines.push(`${incoming.rawHeaders[i]}: ${incoming.rawHeaders[i + 1]}`);
    const through = connect(Number(port), hostname, () => {
      through.write(`${lines.join('\r\n')}\r\n\r\n`);
      through.write(head);
      through.pipe(socket).pipe(through);
    });
    through.on('error', () => socket.destroy()).on('close', () => socket.destroy());
    socket.on('close', () => through.destroy());
  });

  await new Promise((ready) => server.listen(0, '127.0.0.1', () => ready(null)));
  proxy.port = /** @type {any} */ (server.address()).port;
  return proxy;
}

/** What a context sets. */
const settings = () => ({
  /** Scripts that run in each page before its own. @type {string[]} */
  scripts: [],
  /** Headers that are added to each request. @type {Record<string, string>} */
  headers: {},
  bypassCSP: false,
  offline: false,
  /** Requests that a test answers. @type {{matches: (url: string) => boolean, handle: (route: object) => void}[]} */
  routes: [],
});
