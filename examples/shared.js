/** What all examples share: who you are, the project, and a text with three sections. */

const address = new URL(location.href);

/** You: `?name=Alice`. Without it you get a name, which stays in the address. */
export const name = address.searchParams.get('name') || `Writer ${Math.floor(Math.random() * 900) + 100}`;

/** The project: `?project=demo`. */
export const project = address.searchParams.get('project') || 'demo';

address.searchParams.set('name', name);
history.replaceState(null, '', address);

/** A token for your name. Only a server with `--dev` gives it; on your site, your own server signs the token. */
export async function token() {
  const response = await fetch('/writer/api/dev/token/', {
    method: 'POST',
    headers: {'Content-Type': 'application/json'},
    body: JSON.stringify({username: name}),
  });
  if (!response.ok) throw new Error(`no token for ${name}: ${response.status}`);
  return (await response.json()).token;
}

/** A text to edit. It is in this page only: presence shows where people are, and does not synchronise texts. */
export const sections = [
  {id: 'introduction', title: 'Introduction', text: 'Two people often edit the same section, and one of them loses work.'},
  {id: 'methods', title: 'Methods', text: 'We asked 240 writers to edit one manuscript together for a week, half of them with presence.'},
  {id: 'results', title: 'Results', text: 'With presence, the same section was edited twice at a time in 3 of 100 sessions, without it in 31.'},
];
