import {PresenceManager} from 'writer-presence';
import {PresenceCore} from 'writer-presence/core';
import {outline} from 'writer-presence/outline';
import {createRoom} from 'writer-presence/testing';

console.log(new PresenceManager('demo', 1) instanceof PresenceCore && new PresenceCore('demo', 1).getSnapshot().status);
console.log(outline('# Introduction', 'markdown').headings[0].section);
console.log(typeof createRoom);
