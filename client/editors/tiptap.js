/**
 * Presence in a TipTap editor: the headings of the document are the sections, by the anchors of the extension TableOfContents where it is used.
 *
 *     import {Presence, presenceSaved} from 'writer-presence/tiptap';
 *     const editor = new Editor({extensions: [StarterKit, Presence.configure({manager, prefix: 'manuscript'})]});
 *     presenceSaved(editor, revision); // after the text was saved
 */

import {Extension} from '@tiptap/core';
import {Plugin, PluginKey, Selection} from '@tiptap/pm/state';
import {Decoration, DecorationSet} from '@tiptap/pm/view';
import {createPlugin} from './prosemirror-plugin.js';

/**
 * @typedef {import('./prosemirror-plugin.js').PluginOptions & {manager: import('./prosemirror-plugin.js').Manager | null}} PresenceOptions `manager` null: the extension does nothing
 */

export const Presence = Extension.create({
  name: 'presence',

  /** @returns {PresenceOptions} */
  addOptions() {
    return {manager: null};
  },

  /** @returns {{plugin: ReturnType<typeof createPlugin> | null}} */
  addStorage() {
    return {plugin: null};
  },

  addProseMirrorPlugins() {
    const {manager, ...options} = this.options;
    if (!manager) return [];
    const types = this.editor.extensionManager.extensions.find(({name}) => name === 'tableOfContents')?.options.anchorTypes ?? ['heading'];
    this.storage.plugin = createPlugin({Plugin, PluginKey, Selection, Decoration, DecorationSet}, manager, {isHeading: ({type}) => types.includes(type.name), ...options});
    return [this.storage.plugin];
  },
});

/** The host has saved the text of an editor, as this revision. @param {import('@tiptap/core').Editor} editor @param {string | number} [revision] without it, others see no save */
export function presenceSaved(editor, revision) {
  /** @type {any} */ (editor.storage).presence?.plugin?.saved(revision);
}
