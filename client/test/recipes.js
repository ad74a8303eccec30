/** The recipes in the documents: the code blocks of Markdown files. */

import {readFileSync, readdirSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';

export const root = fileURLToPath(new URL('../../', import.meta.url));
export const client = join(root, 'client/writer-presence.js');

/** @typedef {{name: string, language: string, text: string}} Recipe `name`: the file and line */

/** The recipes of both README.md and of docs in some languages, or in all. @param {...string} languages @returns {Recipe[]} */
export function recipes(...languages) {
  const pages = readdirSync(join(root, 'docs'), {recursive: true}).map((name) => `docs/${name}`).filter((name) => name.endsWith('.md'));
  return ['README.md', 'client/README.md', ...pages].flatMap((page) => {
    const text = readFileSync(join(root, page), 'utf8');
    return [...text.matchAll(/^```(\w+)\n(.*?)^```$/gms)]
      .filter(([, language]) => !languages.length || languages.includes(language))
      .map(({1: language, 2: block, index}) => ({name: `${page}:${text.slice(0, index).split('\n').length}`, language, text: block}));
  });
}

/** The code of a recipe: in HTML the module script. @param {Recipe} recipe */
export const codeOf = ({language, text}) => (language === 'html' ? (/<script type="module">(.*?)<\/script>/s.exec(text)?.[1] ?? '') : text);

const {exports: entries} = JSON.parse(readFileSync(join(root, 'client/package.json'), 'utf8'));

/** With the client of this directory in the place of the server's or the package's. @param {string} code */
export const withClient = (code) => code
  .replace(/(import|from)([ (])(['"])(?:[^'"\n]*\/client\/writer-presence\.js|writer-presence)\3/g, (_, word, mark) => `${word}${mark}${JSON.stringify(client)}`)
  .replace(/(import|from)([ (])(['"])writer-presence\/([\w/-]+)\3/g, (_, word, mark, _quote, entry) => `${word}${mark}${JSON.stringify(join(root, 'client', entries[`./${entry}`].default))}`);
