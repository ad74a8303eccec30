import {StrictMode, useState} from 'react';
import {createRoot} from 'react-dom/client';
import {AvatarStack, ConflictWarning, PresenceBadge, PresenceProvider, useSection} from 'writer-presence/react';
import {name, project, sections, token} from '../shared.js';
import '../shared.css';

function Editor({section}) {
  const [unsaved, setUnsaved] = useState(false);
  useSection(section.id, {unsaved}); // you are in this section while the component is mounted
  const onChange = (event) => {
    section.text = event.target.value;
    setUnsaved(true);
  };
  return (
    <main className="sheet">
      <h2>{section.title}</h2>
      <textarea aria-label={section.title} defaultValue={section.text} onChange={onChange} />
      <button className="save" disabled={!unsaved} onClick={() => setUnsaved(false)}>Save</button>
    </main>
  );
}

function App() {
  const [open, setOpen] = useState(null);
  const section = sections.find(({id}) => id === open);
  return (
    <PresenceProvider project={project} token={token} onNavigate={setOpen} elements={{editor: 'textarea'}} alone>
      <header>
        <h1>React</h1>
        <span>{name}</span>
        <PresenceBadge />
      </header>
      <ConflictWarning className="warning" />
      <div className="desk">
        <nav>
          <ul>
            {sections.map(({id, title}) => (
              <li key={id}>
                <button aria-current={id === open || undefined} onClick={() => setOpen(id)}>{title}</button> <AvatarStack section={id} />
              </li>
            ))}
          </ul>
        </nav>
        {section ? <Editor key={open} section={section} /> : <main className="sheet">Choose a section.</main>}
      </div>
    </PresenceProvider>
  );
}

createRoot(document.getElementById('app')).render(<StrictMode><App /></StrictMode>);
