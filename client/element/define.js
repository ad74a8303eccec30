/**
 * Defines the custom elements. Safe to load twice, and in a server.
 *
 *     import 'writer-presence/element/define';
 */

import {PresenceAvatars, PresenceCount, PresenceWarning, WriterPresence} from './index.js';

const {customElements} = globalThis;

if (customElements && !customElements.get('writer-presence')) {
  customElements.define('writer-presence', WriterPresence);
  customElements.define('presence-avatars', PresenceAvatars);
  customElements.define('presence-warning', PresenceWarning);
  customElements.define('presence-count', PresenceCount);
}
