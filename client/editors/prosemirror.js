/**
 * Presence in a ProseMirror editor: the headings of the document are the sections.
 *
 *     import {presencePlugin} from 'writer-presence/prosemirror';
 *     const presence = presencePlugin(manager, {prefix: 'manuscript'});
 *     const view = new EditorView(place, {state: EditorState.create({schema, plugins: [presence, …]})});
 *     presence.saved(revision); // after the text was saved
 */

import {Plugin, PluginKey, Selection} from 'prosemirror-state';
import {Decoration, DecorationSet} from 'prosemirror-view';
import {createPlugin} from './prosemirror-plugin.js';

/** @typedef {import('./prosemirror-plugin.js').PluginOptions} PluginOptions */

/**
 * A plugin for one editor. It reports where the caret rests and what the person changes, shows the users in each section beside its heading, and the
 * warning beside the heading of your section. It ends with the editor. A heading's section is its attribute `id`, or made from its title.
 * @param {import('./prosemirror-plugin.js').Manager} manager a `PresenceManager`; with a `PresenceCore` nothing is drawn
 * @param {PluginOptions} [options]
 */
export const presencePlugin = (manager, options = {}) => createPlugin({Plugin, PluginKey, Selection, Decoration, DecorationSet}, manager, options);
