/** The manuscript of the reference page: its sections, and where their text is kept. */

/** @typedef {{id: string, label: string, hint: string}} Section */

/** @type {ReadonlyArray<{title: string, sections: Section[]}>} */
export const parts = [
  {
    title: 'Manuscript',
    sections: [
      {id: 'manuscript/title', label: 'Title', hint: 'One line that a stranger would stop at.'},
      {id: 'manuscript/abstract', label: 'Abstract', hint: 'What you asked, what you did, what you found, and why it matters: two hundred words.'},
      {id: 'manuscript/introduction', label: 'Introduction', hint: 'Where the question comes from, and what nobody knew before.'},
      {id: 'manuscript/related-work', label: 'Related Work', hint: 'Whose shoulders you stand on.'},
      {id: 'manuscript/methods', label: 'Methods', hint: 'Enough that somebody else could do it again.'},
      {id: 'manuscript/results', label: 'Results', hint: 'What you saw, before what you make of it.'},
      {id: 'manuscript/discussion', label: 'Discussion', hint: 'What it means, and how it could be wrong.'},
      {id: 'manuscript/conclusion', label: 'Conclusion', hint: 'What to remember tomorrow.'},
      {id: 'manuscript/references', label: 'References', hint: 'One to a line.'},
    ],
  },
  {
    title: 'Supplement',
    sections: [
      {id: 'supplement/data', label: 'Data', hint: 'Where the data are, and how they were made.'},
      {id: 'supplement/figures', label: 'Figures', hint: 'A caption for each.'},
    ],
  },
];

export const sections = parts.flatMap((part) => part.sections);

/** The text of a project, in this browser only. @param {string} project */
export function draft(project) {
  /** @param {string} section */
  const key = (section) => `writer:${project}:${section}`;
  return {
    /** @param {string} section */
    read: (section) => localStorage.getItem(key(section)) ?? '',
    /** @param {string} section @param {string} text */
    write: (section, text) => localStorage.setItem(key(section), text),
    /** Another tab of this browser has written. @param {(section: string, text: string) => void} react */
    watch: (react) =>
      addEventListener('storage', (event) => {
        const section = sections.find(({id}) => key(id) === event.key);
        if (section) react(section.id, event.newValue ?? '');
      }),
  };
}
