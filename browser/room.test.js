/** The simulated room of `writer-presence/testing` answers as a real server does: the same random messages go to both. */

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {createRoom} from '../client/testing/index.js';
import {generator} from '../client/test/fixtures.js';
import {environment, newProject, skipIf, token} from './fixtures.js';

const env = environment({lease: 120_000});

/** What of an answer has to be the same. Colours, initials, times and versions of the room are its own. */
function essence({users = [], conflicts = [], saved = [], activity, you, stale}) {
  const user = (user) => user && Object.fromEntries(Object.entries(user).filter(([name]) => !['last_seen', 'avatar_color', 'initials'].includes(name)));
  return {users: users.map(user), conflicts: conflicts.map(user), saved: saved.map(({saved_at: _, ...save}) => save), activity, you: user(you), stale};
}

for (const seed of [1, 2, 3]) {
  test(`300 random updates and leaves get the server's answers (seed ${seed})`, {skip: skipIf.onePage}, async () => {
    const random = generator(seed);
    const pick = (list) => list[Math.floor(random() * list.length)];
    const room = createRoom();
    const project = newProject(env);
    const people = await Promise.all(['Alice', 'bob', 'Carol'].map(async (username, i) => ({fetch: room.as({user_id: i + 1, username}).environment.fetch, token: await token(env, username, i + 1)})));
    const sections = ['', 'a', 'b', '/a//c/'];
    const revisions = ['1', '2', '3'];
    const numbers = {};
    for (let step = 0; step < 300; step++) {
      const person = pick(people);
      const session = `${people.indexOf(person)}-${pick(['x', 'y'])}`;
      const kind = random() < 0.15 ? 'leave/' : 'update/';
      const isOld = random() < 0.1;
      const seq = isOld ? Math.max(1, numbers[session] ?? 1) : (numbers[session] = (numbers[session] ?? 0) + 1);
      const body = kind === 'leave/' ? {session, seq} : {
        session, seq, section: pick(sections), activity: pick(['editing', 'editing', 'viewing', 'idle']), unless_occupied: random() < 0.5, known_version: 0,
        ...(random() < 0.3 && {unsaved: true}), ...(random() < 0.3 && {waiting_for: pick(sections)}), ...(random() < 0.2 && {saved: {section: pick(sections.slice(1)), revision: pick(revisions)}}),
      };
      const init = {method: 'POST', headers: {'Content-Type': 'application/json', Authorization: `Bearer ${person.token}`}, body: JSON.stringify(body)};
      const path = `/writer/api/project/${project}/presence/`;
      const real = await (await fetch(`${env.url}${path}${kind}`, init)).json();
      const simulated = await (await person.fetch(`https://room.invalid${path}${kind}`, init)).json();
      assert.deepEqual(essence(simulated), essence(real), `step ${step}: ${JSON.stringify(body)}`);
    }
  });
}
