import {Editor} from '@tiptap/core';
import StarterKit from '@tiptap/starter-kit';
import {PresenceManager} from 'writer-presence';
import {Presence, presenceSaved} from 'writer-presence/tiptap';
import {name, project, sections, token} from '../shared.js';
import '../shared.css';
import './tiptap.css';

const manager = new PresenceManager(project, null, {token, alone: true});

const editor = new Editor({
  element: document.querySelector('#editor'),
  editorProps: {attributes: {'aria-label': 'Manuscript'}},
  content: sections.map(({title, text}) => `<h2>${title}</h2><p>${text}</p>`).join(''),
  extensions: [
    StarterKit,
    Presence.configure({manager, prefix: 'manuscript'}), // the sections are the headings
  ],
});
manager.start();

document.querySelector('#name').textContent = name;
document.querySelector('#save').addEventListener('click', () => presenceSaved(editor)); // when your server has stored the text
