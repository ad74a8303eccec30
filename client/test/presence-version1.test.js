/**
 * This client against a server of version 1: recordings of a page and that server (testdata/wire/v1) are replayed. The page uses
 * everything that is newer, which such a server does not know and ignores.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import {PresenceCore} from '../presence-core.js';
import {FakeEnvironment, golden, names, settle} from './fixtures.js';

/**
 * A step of a recording: a message of alice's page or of bob's, and what the server answered.
 * @typedef {{by: string, request?: string, body?: string, live?: string, answer?: any, received?: any[]}} Step
 */

/** What a server of version 1 reads of an update. @param {any} message */
const known = ({section, activity, unless_occupied, known_version}) => ({section, activity, unless_occupied, known_version});

class Replay {
  env;
  /** @type {any[]} messages of the page */ sent = [];
  /** @type {Step | undefined} not answered yet */ #step;
  #section = '';
  #activity = '';
  /** @type {any} the last answer to an update, without its list */ #last;

  /** @param {'polling' | 'live'} recording */
  constructor(recording) {
    /** @type {Step[]} */
    this.steps = golden(`v1/${recording}`);
    this.live = recording === 'live';
    this.env = new FakeEnvironment(this.live ? 'open' : 'none');
    this.env.handle = (socket, message) => {
      for (const answer of this.#answers(message)) socket.deliver(answer.type === 'ack' ? {...answer, seq: message.seq} : answer);
    };
    const fetch = async (/** @type {string} */ url, /** @type {RequestInit} */ {body}) => {
      const message = {type: /(\w+)\/$/.exec(url)?.[1], ...JSON.parse(String(body ?? '{}'))};
      return new Response(JSON.stringify(this.#answers(message)[0]));
    };
    this.core = new PresenceCore('demo', 1, {environment: {...this.env.globals(), fetch}, token: 'a-token'});
  }

  /** The recorded answers to the step's message, or those to a renewal. @param {any} message */
  #answers(message) {
    this.sent.push(message);
    const step = this.#step;
    const recorded = step && JSON.parse(step.body ?? step.live ?? '{}');
    const same = recorded && JSON.stringify(known(recorded)) === JSON.stringify(known(message));
    if (!same) return this.#last ? [this.#last] : assert.fail(`${JSON.stringify(message)} instead of ${JSON.stringify(recorded)}`);
    for (const [field, value] of Object.entries(recorded)) assert.equal(typeof message[field], typeof value, `field ${field}`);
    this.#step = undefined;
    const answers = step.received ?? (step.answer ? [step.answer] : []);
    const {users, ...last} = answers.find(({activity}) => activity) ?? this.#last;
    this.#last = last;
    return answers;
  }

  /** Does what alice did. @param {Step} step */
  async play(step) {
    const {env, core} = this;
    if (step.by === 'bob') {
      for (const message of step.received ?? []) {
        env.socket.deliver(message);
        this.#last = {...this.#last, version: message.version, conflicts: []}; // he is never where she is
      }
      return settle();
    }
    const {section = this.#section, activity = this.#activity, hidden} = JSON.parse(step.body ?? step.live ?? '{}');
    this.#step = step;
    if (hidden || JSON.parse(step.live ?? '{}').type === 'leave') core.stop();
    else if (step.request === 'list') await core.fetchPresence();
    else if (!this.sent.length) core.start();
    else if (section !== this.#section) core.setSection(section);
    else if (activity === 'idle') await env.clock.advance(130_000);
    else if (core.getSnapshot().warning.length) core.editAnyway();
    else await core.updatePresence();
    this.#section = section;
    this.#activity = activity;
    await settle();
    assert.ok(!this.#step || core.getSnapshot().status === 'stopped', `not sent: ${JSON.stringify(step)}`);
  }
}

for (const recording of /** @type {const} */ (['polling', 'live'])) {
  test(`a server of version 1 gets its fields, and everything that it knows goes on (${recording})`, async () => { // rules 18 to 21
    const replay = new Replay(recording);
    const {core, sent} = replay;
    let saves = 0;
    core.addEventListener('saved', () => saves++);
    /** @type {string[]} */
    const shown = [];
    for (const step of replay.steps) {
      await replay.play(step);
      const {status, users, warning, activity, newer, waiting} = core.getSnapshot();
      shown.push(`${status} ${activity}: ${names(users)}${warning.length ? ` warns of ${names(warning)}` : ''}`);
      assert.deepEqual([newer, waiting], [null, []]);
      if (!core.currentSection || warning.length || activity !== 'editing' || status !== recording) continue;
      core.opened({revision: 1});
      core.setUnsaved(true);
      core.saved({revision: sent.length + 10});
      core.waitFor('manuscript/elsewhere');
      await settle();
    }
    assert.deepEqual(new Set(shown), new Set([
      `${recording} viewing: `, `${recording} editing: `, `${recording} editing: bob`, `${recording} viewing: bob warns of bob`, `${recording} idle: bob`,
      ...(recording === 'live' ? [`${recording} idle: `] : []), 'stopped idle: ',
    ]));
    const reported = sent.filter(({saved}) => saved).map(({saved}) => saved.revision);
    assert.ok(reported.length > 2 && sent.some(({unsaved}) => unsaved), 'nothing that is newer was sent');
    assert.equal(new Set(reported).size, reported.length, 'an accepted save was sent again');
    assert.equal(saves, 0);
  });
}
