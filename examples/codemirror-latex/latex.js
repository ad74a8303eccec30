/** The looks of a LaTeX text: wrapped lines, and colours for comments, headings and commands. */

import {Decoration, EditorView, MatchDecorator, ViewPlugin} from '@codemirror/view';

const words = new MatchDecorator({
  regexp: /(?<comment>(?<!\\)%.*)|(?<heading>\\(?:sub)*section\*?\{[^}]*\})|(?<command>\\[a-zA-Z]+\*?)/g,
  decoration: ({groups}) => Decoration.mark({class: `latex-${Object.keys(groups).find((name) => groups[name])}`}),
});

const colours = ViewPlugin.define(
  (view) => ({
    decorations: words.createDeco(view),
    update(update) {
      this.decorations = words.updateDeco(update, this.decorations);
    },
  }),
  {decorations: ({decorations}) => decorations},
);

export const latex = [colours, EditorView.lineWrapping, EditorView.theme({}, {dark: matchMedia('(prefers-color-scheme: dark)').matches})];
