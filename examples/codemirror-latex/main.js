import {EditorView, basicSetup} from 'codemirror';
import {PresenceManager} from 'writer-presence';
import {presence, presenceSaved} from 'writer-presence/codemirror';
import {name, project, token} from '../shared.js';
import {latex} from './latex.js';
import text from './paper.tex?raw';
import '../shared.css';
import './latex.css';

const manager = new PresenceManager(project, null, {token, alone: true});

const view = new EditorView({
  parent: document.querySelector('#editor'),
  doc: text,
  extensions: [
    basicSetup,
    latex,
    EditorView.contentAttributes.of({'aria-label': 'paper.tex'}),
    // The sections are the headings. `outline` gets the list of them.
    presence(manager, {format: 'latex', prefix: 'paper.tex', outline: document.querySelector('#outline')}),
  ],
});
manager.start();

document.querySelector('#name').textContent = name;
document.querySelector('#save').addEventListener('click', () => presenceSaved(view)); // when your server has stored the text
