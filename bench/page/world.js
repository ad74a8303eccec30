/**
 * A simulated server for benchmarks of the client: it accepts the live connection, sends a snapshot of a room, and then changes, one
 * person at a time: typing stops and begins, and now and then somebody moves to another section.
 */

const SECTIONS = ['manuscript/abstract', 'manuscript/introduction', 'manuscript/methods', 'manuscript/results', 'manuscript/discussion', 'references'];
const COLOURS = ['#ef4444', '#f59e0b', '#10b981', '#3b82f6', '#6366f1', '#8b5cf6', '#ec4899', '#14b8a6'];

/** @param {number} id @param {number} people */
function person(id, people) {
  const name = `Writer ${String(id).padStart(String(people).length, '0')}`; // so that the order by name is that by id
  const section = SECTIONS[id % SECTIONS.length];
  return {
    user_id: id, username: name, section, sections: [section], activity: id % 3 ? 'viewing' : 'editing',
    last_seen: '2025-11-03T17:00:00Z', avatar_color: COLOURS[id % COLOURS.length], initials: `W${id % 10}`, visitor: false,
  };
}

export class Room {
  #users;
  #version = 1_700_000_000_000;
  #turn = 0;

  /** @param {number} people */
  constructor(people) {
    this.#users = Array.from({length: people}, (_, i) => person(i + 1, people));
  }

  /** The acknowledgement of a message of the page. @param {{seq: number, section?: string, activity?: string}} message */
  ack({seq, section = '', activity = 'editing'}) {
    const you = {...person(0, 1), username: 'You', section, sections: section ? [section] : [], activity};
    return {type: 'ack', seq, version: this.#version, activity: section ? activity : 'viewing', you, conflicts: []};
  }

  snapshot() {
    return {type: 'snapshot', version: this.#version, users: this.#users};
  }

  /** The next change, as the server sends it to every page of the room. */
  delta() {
    const at = (this.#turn * 7919) % this.#users.length; // a prime, so that everybody has a turn
    const old = this.#users[at];
    const section = this.#turn++ % 5 ? old.section : SECTIONS[this.#turn % SECTIONS.length];
    const user = {...old, section, sections: [section], activity: old.activity === 'editing' ? 'viewing' : 'editing'};
    this.#users[at] = user;
    const base = this.#version++;
    return {type: 'delta', base, version: this.#version, changed: [user], at: [at], left: []};
  }
}

/** A class that takes the place of `WebSocket` in a page and is answered by a room. `sockets` gets each one. @param {Room} room @param {any[]} sockets */
export function roomSocket(room, sockets) {
  return class {
    readyState = 0;
    onopen = () => {};
    /** @param {{data: string}} event */ onmessage = (event) => void event;
    onclose = () => {};

    constructor() {
      sockets.push(this);
      setTimeout(() => {
        this.readyState = 1;
        this.onopen();
      });
    }

    /** @param {string} data */
    send(data) {
      const message = JSON.parse(data);
      if (message.type === 'leave') return;
      setTimeout(() => {
        this.deliver(room.ack(message));
        if (message.type === 'hello') this.deliver(room.snapshot());
      });
    }

    close() {
      this.readyState = 3;
    }

    /** @param {object} message */
    deliver(message) {
      this.onmessage({data: JSON.stringify(message)});
    }
  };
}
