/** The manuscript of the reference page: its sections, and the storage of their text. */

/** @typedef {{id: string, label: string, hint: string}} Section */

/** @type {ReadonlyArray<{title: string, sections: Section[]}>} */
export const parts = [
  {
    title: 'Manuscript',
    sections: [
      {id: 'manuscript/title', label: 'Title', hint: 'One line that says what the paper is about.'},
      {id: 'manuscript/abstract', label: 'Abstract', hint: 'What you asked, what you did, what you found, and why it matters: two hundred words.'},
      {id: 'manuscript/introduction', label: 'Introduction', hint: 'Where the question comes from, and what nobody knew before.'},
      {id: 'manuscript/related-work', label: 'Related Work', hint: 'Earlier work that this builds on.'},
      {id: 'manuscript/methods', label: 'Methods', hint: 'Enough that somebody else could do it again.'},
      {id: 'manuscript/results', label: 'Results', hint: 'What you observed, without interpretation.'},
      {id: 'manuscript/discussion', label: 'Discussion', hint: 'What it means, and how it could be wrong.'},
      {id: 'manuscript/conclusion', label: 'Conclusion', hint: 'The main result in a few sentences.'},
      {id: 'manuscript/references', label: 'References', hint: 'One per line.'},
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

/** The texts of a project, stored in this browser only. @param {string} project */
export function draft(project) {
  /** @param {string} section */
  const key = (section) => `writer:${project}:${section}`;
  return {
    /** @param {string} section */
    read: (section) => localStorage.getItem(key(section)) ?? '',
    /** @param {string} section @param {string} text */
    write: (section, text) => localStorage.setItem(key(section), text),
    /** Calls `react` when another tab of this browser changed a text. @param {(section: string, text: string) => void} react */
    watch: (react) =>
      addEventListener('storage', (event) => {
        const section = sections.find(({id}) => key(id) === event.key);
        if (section) react(section.id, event.newValue ?? '');
      }),
  };
}
