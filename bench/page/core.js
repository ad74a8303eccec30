/** The CPU time of `PresenceCore` for each delta, in Node, beside parsing the same JSON alone. */

import {PresenceCore} from '../../client/presence-core.js';
import {Room, roomSocket} from './world.js';

const WARM_UP = 2000; // until the code is compiled

/** Runs deltas through a core. @param {number} people @param {number} deltas @returns {Promise<{core: number, parse: number}>} microseconds of CPU for each delta */
export async function measureCore(people, deltas) {
  const room = new Room(people);
  /** @type {any[]} */
  const sockets = [];
  const core = new PresenceCore('bench', 0, {environment: {...globals(), WebSocket: roomSocket(room, sockets)}});
  core.start();
  await until(() => core.getSnapshot().users.length === people);
  const [socket] = sockets;
  const texts = Array.from({length: deltas + WARM_UP}, () => JSON.stringify(room.delta()));
  for (const data of texts.slice(0, WARM_UP)) socket.onmessage({data});
  const measured = texts.slice(WARM_UP);
  const spent = cpu(() => measured.forEach((data) => socket.onmessage({data})));
  const parse = cpu(() => measured.forEach((data) => JSON.parse(data)));
  if (core.getSnapshot().version !== JSON.parse(texts[texts.length - 1]).version) throw new Error('the core did not apply the deltas');
  core.stop();
  return {core: spent / deltas, parse: parse / deltas};
}

/** @param {() => void} run @returns {number} microseconds */
function cpu(run) {
  const before = process.cpuUsage();
  run();
  const {user, system} = process.cpuUsage(before);
  return user + system;
}

function globals() {
  const {Date, Math, setTimeout, clearTimeout, performance} = globalThis;
  const document = {visibilityState: 'visible', baseURI: 'http://localhost/', addEventListener() {}, removeEventListener() {}};
  return /** @type {any} */ ({Date, Math, performance, setTimeout: setTimeout.bind(globalThis), clearTimeout: clearTimeout.bind(globalThis), document, fetch: () => new Promise(() => {})});
}

/** @param {() => boolean} condition */
async function until(condition) {
  for (let i = 0; i < 1000 && !condition(); i++) await new Promise((done) => setTimeout(done, 1));
  if (!condition()) throw new Error('the core got no list');
}
