import 'writer-presence/element/define';
import {name, project, sections, token} from '../shared.js';
import '../shared.css';

const presence = document.querySelector('writer-presence');
const buttons = document.querySelectorAll('nav button');
const title = document.querySelector('h2');
const text = document.querySelector('textarea');
const save = document.querySelector('.save');

document.querySelector('#name').textContent = name;
presence.token = token; // a function, so it is not an attribute
presence.project = project; // from here on you are online

let shown;

/** Shows the section that you are in, if it is another one. */
function show() {
  const section = sections.find(({id}) => id === presence.section);
  if (section === shown) return;
  shown = section;
  for (const button of buttons) button.toggleAttribute('aria-current', button.value === section?.id);
  title.textContent = section?.title ?? 'Choose a section';
  text.value = section?.text ?? '';
  text.hidden = save.hidden = !section;
  save.disabled = true;
}

presence.addEventListener('change', show); // also after `Choose different section` and a choice in the list
for (const button of buttons) {
  button.addEventListener('click', () => {
    presence.section = button.value;
    show();
  });
}
text.addEventListener('input', () => {
  shown.text = text.value;
  save.disabled = false;
  presence.manager.setUnsaved(true);
});
save.addEventListener('click', () => {
  save.disabled = true;
  presence.manager.setUnsaved(false);
});
