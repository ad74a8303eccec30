/**
 * The page for operators at the admin address: who is online, by project and section, and the last hour of this node. It reads the host
 * API with a key that the operator types, which is kept in the session storage of this tab. Everything that users can choose is put into
 * the page by textContent.
 */

/** Milliseconds between two refreshes. The server takes a sample each ten seconds. */
const INTERVAL = 5_000;
/** Projects that are read at most, and how many are open at first. */
const MAX_PROJECTS = 500;
const OPEN = 10;
/** Samples of an hour. */
const SAMPLES = 360;
const STORED = 'writer-presence-api-key';

/** @template {HTMLElement} [T=HTMLElement] @param {string} id @returns {T} */
const byId = (id) => /** @type {T} */ (document.getElementById(id));

/** Makes an element. @param {string} name @param {Record<string, string>} attributes @param {...(Node | string)} children */
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** An answer that is no success. */
class Failure extends Error {
  /** @param {string} code @param {string} message */
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

/** Asks the host API. @param {string} path @returns {Promise<any>} */
async function get(path) {
  const response = await fetch(`api/v1/${path}`, {headers: {Authorization: `Bearer ${sessionStorage.getItem(STORED)}`}, cache: 'no-store'});
  const answer = await response.json();
  if (!answer.success) throw new Failure(answer.code, answer.error);
  return answer;
}

/**
 * @typedef {{session: string, user_id: string | number, section: string, activity: string, unsaved?: boolean, waiting_for?: string}} Session
 * @typedef {{user_id: string | number, username: string, avatar_color: string, initials: string, agent?: boolean, visitor: boolean}} User
 * @typedef {{project: string, people: number, agents: number}} Project
 */

/** Whether a session claims its section, as others who enter it are warned of. @param {Session} s */
const claims = (s) => s.section !== '' && (s.activity === 'editing' || Boolean(s.unsaved));

/** The charts: the name of a list in the history, and its title. @type {[string, string][]} */
const CHARTS = [
  ['people', 'People'], ['connections', 'Connections'], ['requests', 'Requests/s'], ['messages', 'Messages/s'], ['deltas', 'Deltas/s'], ['failures', 'Errors/s'],
];

/** @param {number} n */
const rounded = (n) => n.toLocaleString('en', {maximumSignificantDigits: n < 1000 ? 3 : undefined, maximumFractionDigits: n < 1000 ? undefined : 0});

/** Draws a list of the history. @param {string} title @param {number[]} values @param {number} now */
function chart(title, values, now) {
  const namespace = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(namespace, 'svg');
  const top = Math.max(...values, 1);
  const points = values.map((value, i) => `${SAMPLES - values.length + i},${(40 * (1 - value / top)).toFixed(1)}`);
  for (const [key, value] of Object.entries({viewBox: `0 0 ${SAMPLES - 1} 40`, preserveAspectRatio: 'none', role: 'img',
    'aria-label': `${title} in the last hour: at most ${Math.max(...values, 0)}, now ${now}`})) svg.setAttribute(key, value);
  for (const [name, drawn] of [['polygon', [`${SAMPLES - values.length},40`, ...points, `${SAMPLES - 1},40`]], ['polyline', points]]) {
    const shape = document.createElementNS(namespace, /** @type {string} */ (name));
    shape.setAttribute('points', /** @type {string[]} */ (drawn).join(' '));
    svg.append(shape);
  }
  return element('figure', {class: 'chart'}, element('figcaption', {}, title, element('strong', {}, rounded(now))), svg,
    element('p', {class: 'quiet'}, `at most ${rounded(Math.max(...values, now))}`));
}

/** Shows the answer of the status. @param {any} s */
function showStatus(s) {
  const well = s.store.ready && s.store.message === 'ready' && !s.draining;
  const node = byId('node');
  node.textContent = `version ${s.version}, up since ${new Date(s.started_at).toLocaleString('en', {dateStyle: 'medium', timeStyle: 'short'})}, store: ${s.store.message}${s.draining ? ', shutting down' : ''}`;
  node.toggleAttribute('data-warn', !well);
  byId('charts').replaceChildren(...CHARTS.map(([name, title]) => chart(title, s.history[name], s[name] ?? s.history[name].at(-1) ?? 0)));
}

/** The active projects with a prefix, in order, and whether there are more. @param {string} prefix */
async function activeProjects(prefix) {
  /** @type {Map<string, Project>} */
  const all = new Map();
  let cursor = '';
  do {
    const page = await get(`projects?${new URLSearchParams({prefix, cursor})}`);
    for (const project of page.projects) all.set(project.project, project);
    cursor = page.next ?? '';
  } while (cursor && all.size < MAX_PROJECTS);
  return {projects: [...all.values()].sort((a, b) => a.project.localeCompare(b.project)), more: cursor !== ''};
}

/** The elements of the projects that are shown. @type {Map<string, HTMLDetailsElement>} */
const shown = new Map();

/** @param {number} n @param {string} one @param {string} many */
const count = (n, one, many) => `${n.toLocaleString('en')} ${n === 1 ? one : many}`;

/** The element of a project. @param {Project} p @param {boolean} open */
function projectElement(p, open) {
  let details = shown.get(p.project);
  if (!details) {
    details = /** @type {HTMLDetailsElement} */ (element('details', {}, element('summary', {}, element('bdi', {}, p.project), element('span'), element('span', {'data-warn': ''})), element('dl')));
    details.open = open;
    details.addEventListener('toggle', () => void showPeople(p.project).catch(() => {})); // the next refresh tells what is wrong
    shown.set(p.project, details);
  }
  const agents = p.agents ? `, ${count(p.agents, 'agent', 'agents')}` : '';
  details.querySelectorAll('span')[0].textContent = count(p.people, 'person', 'people') + agents;
  return details;
}

/** Shows the people of a project that is open. @param {string} project */
async function showPeople(project) {
  const details = shown.get(project);
  if (!details?.open) return;
  /** @type {{users: User[], sessions: Session[]}} */
  const {users, sessions} = await get(`projects/${encodeURIComponent(project).replaceAll('.', '%2E')}`);
  const byUser = new Map(users.map((user) => [user.user_id, user]));
  const sections = [...new Set(sessions.map((s) => s.section))].sort((a, b) => a.localeCompare(b));
  let conflicts = 0;
  const rows = sections.flatMap((section) => {
    const here = sessions.filter((s) => s.section === section);
    const conflict = new Set(here.filter(claims).map((s) => s.user_id)).size > 1;
    conflicts += Number(conflict);
    const people = [...new Set(here.map((s) => s.user_id))].map((id) => personElement(id, byUser.get(id), here.filter((s) => s.user_id === id)));
    return [element('dt', conflict ? {'data-warn': ''} : {}, element('bdi', {}, section || 'no section')), element('dd', {}, ...people)];
  });
  details.querySelectorAll('span')[1].textContent = conflicts ? count(conflicts, 'conflict', 'conflicts') : '';
  details.querySelector('dl')?.replaceChildren(...rows);
}

/** A person in a section. @param {string | number} id @param {User | undefined} user @param {Session[]} sessions */
function personElement(id, user, sessions) {
  const notes = [...new Set(sessions.flatMap((s) => [s.activity, s.unsaved ? 'unsaved changes' : '', s.waiting_for ? `waits for ${s.waiting_for}` : '']))];
  if (sessions.length > 1) notes.push(`${sessions.length} tabs`);
  if (user?.agent) notes.push('agent');
  if (user?.visitor) notes.push('visitor');
  const avatar = element('span', {class: 'avatar', 'aria-hidden': 'true'}, user?.initials ?? '');
  if (user) avatar.style.setProperty('--color', user.avatar_color);
  return element('span', {class: 'person', title: `user ${id}`, ...(sessions.some(claims) && {'data-claims': ''})},
    avatar, element('bdi', {}, user?.username || `user ${id}`), element('span', {class: 'quiet'}, notes.filter(Boolean).join(', ')));
}

/** Reads and shows everything. */
async function refresh() {
  showStatus(await get('status'));
  const {projects, more} = await activeProjects(/** @type {HTMLInputElement} */ (byId('prefix')).value);
  const gone = new Set(shown.keys());
  const focused = /** @type {HTMLElement | null} */ (document.activeElement);
  byId('projects').replaceChildren(...projects.map((p, i) => {
    gone.delete(p.project);
    return projectElement(p, i < OPEN);
  }));
  for (const project of gone) shown.delete(project);
  focused?.focus({preventScroll: true}); // moving an element takes the focus from it
  const people = projects.reduce((sum, p) => sum + p.people, 0);
  byId('total').textContent = more ? `the first ${count(projects.length, 'project', 'projects')}; type how the others begin`
    : projects.length ? `${count(people, 'person', 'people')} in ${count(projects.length, 'project', 'projects')}` : 'nobody is online';
  for (const p of projects) await showPeople(p.project);
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
let running = false;
let again = false;

/** Refreshes now and then regularly, while the page is visible and has a key. */
async function run() {
  clearTimeout(timer);
  const known = sessionStorage.getItem(STORED) !== null;
  byId('login').hidden = known;
  byId('view').hidden = !known;
  if (!known) return byId('key').focus();
  again = running;
  if (running || document.hidden) return;
  running = true;
  try {
    await refresh();
    show(`as of ${new Date().toLocaleTimeString('en')}`, false);
  } catch (error) {
    fail(error);
  }
  running = false;
  timer = setTimeout(run, again || sessionStorage.getItem(STORED) === null ? 0 : INTERVAL);
}

/** Shows how old the page is. @param {string} text @param {boolean} old */
function show(text, old) {
  byId('status').textContent = text;
  byId('status').toggleAttribute('data-warn', old);
  byId('projects').toggleAttribute('data-old', old);
}

/** Says why nothing newer is shown. A wrong key is asked for again. @param {unknown} error */
function fail(error) {
  const code = error instanceof Failure ? error.code : '';
  if (code === 'api_key_invalid' || code === 'api_off' || code === 'too_many_requests') {
    sessionStorage.removeItem(STORED);
    byId('problem').textContent = /** @type {Failure} */ (error).message;
    show('', false);
    shown.clear();
    byId('projects').replaceChildren();
    byId('charts').replaceChildren();
    byId('node').textContent = '';
    return;
  }
  const reason = error instanceof Failure ? error.message : 'the server does not answer';
  show(`unknown who is online now: ${reason}`, true);
}

byId('login').addEventListener('submit', (event) => {
  event.preventDefault();
  const input = /** @type {HTMLInputElement} */ (byId('key'));
  const key = input.value.trim();
  const valid = /^[!-~]{32,}$/.test(key);
  byId('problem').textContent = valid ? '' : 'a key has at least 32 characters, and no spaces';
  input.value = '';
  if (!valid) return;
  sessionStorage.setItem(STORED, key);
  void run();
});
byId('prefix').addEventListener('input', () => void run());
document.addEventListener('visibilitychange', () => void run());
void run();
