import {PresenceManager} from 'writer-presence';
import {WriterPresence} from 'writer-presence/element';
import 'writer-presence/element/define';
import {outline} from 'writer-presence/outline';
import {createRoom} from 'writer-presence/testing';

const {project, token} = Object.fromEntries(new URLSearchParams(location.search));
const presence = new PresenceManager(project, null, {token});
presence.setSection('manuscript/methods');
presence.start();
globalThis.loaded = [
  customElements.get('writer-presence') === WriterPresence && 'element',
  outline('# One', 'markdown').headings.length === 1 && 'outline',
  typeof createRoom === 'function' && 'testing',
];
