/** The classes of the custom elements. `writer-presence/element/define` defines them under their names. */

export {PresenceAvatars} from './presence-avatars.js';
export {PresenceCount} from './presence-count.js';
export {PresenceWarning} from './presence-warning.js';
export {WriterPresence} from './writer-presence.js';
