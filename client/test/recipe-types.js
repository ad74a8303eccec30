/** Recipes of the documents as modules for tsc: their scripts, and what the markup of Vue and Svelte passes to the client and takes from it. */

import {parse as parseSvelte} from 'svelte/compiler';
import {compileScript, parse as parseVue} from 'vue/compiler-sfc';
import {codeOf} from './recipes.js';

/** @typedef {import('./recipes.js').Recipe} Recipe */

/** What the modules of `moduleOf` take from their surroundings: Vue's functions for components and their slots, with the types of both. */
export const DECLARATIONS = `
/// <reference types="svelte" />
declare const _element: HTMLElement;
declare function _value<T>(store: import('svelte/store').Readable<T>): T;
declare function _withCtx<F>(slot: F): F;
declare function _createVNode<C extends abstract new (...args: any) => {$props: any, $slots: any}>(
  component: C, props?: InstanceType<C>['$props'] | null, slots?: Partial<InstanceType<C>['$slots']> & {_: number}, ...hints: any[]): unknown;
`;

/** A recipe as a module, and the end of its file's name. Throws if its markup is wrong. @param {Recipe} recipe @returns {[source: string, extension: string]} */
export function moduleOf(recipe) {
  if (recipe.language === 'vue') return [fromVue(recipe), 'ts'];
  if (recipe.language === 'svelte') return [fromSvelte(recipe), 'js'];
  const code = codeOf(recipe);
  if (code.startsWith('// vite.config.js')) return [code.replace('export default', "/** @type {import('vite').UserConfig} */ export default"), 'js'];
  return [code, recipe.language === 'jsx' ? 'jsx' : 'js'];
}

/** @param {Recipe} recipe */
function fromVue({name, text}) {
  const {descriptor, errors} = parseVue(text.replace('<script setup>', '<script setup lang="ts">'), {filename: name});
  if (errors.length) throw errors[0];
  return compileScript(descriptor, {id: name, inlineTemplate: true}).content.replace(/\b(withCtx|createVNode) as _\1,? ?/g, '');
}

/**
 * The script, then the markup as statements: actions are calls, blocks are `for` and `if`, and a store with `$` is its value.
 * @param {Recipe} recipe
 */
function fromSvelte({name, text}) {
  const {instance, fragment} = parseSvelte(text, {filename: name, modern: true});
  const source = (/** @type {any} */ node) => text.slice(node.start, node.end);
  const all = (/** @type {any[] | undefined} */ nodes) => (nodes ?? []).map(statements).join('');
  /** @param {any} node @returns {string} */
  function statements(node) {
    switch (node?.type) {
      case 'Text': case 'Comment': case undefined: return '';
      case 'Fragment': return all(node.nodes);
      case 'RegularElement': return all(node.attributes) + statements(node.fragment);
      case 'Attribute': case 'StyleDirective': return all([node.value].flat().filter((value) => value !== true));
      case 'ExpressionTag': return `(${source(node.expression)});\n`;
      case 'UseDirective': return `${node.name}(_element${node.expression ? `, ${source(node.expression)}` : ''});\n`;
      case 'KeyBlock': return `(${source(node.expression)});\n${statements(node.fragment)}`;
      case 'EachBlock': return `for (const ${source(node.context)} of ${source(node.expression)}) {\n(${node.key ? source(node.key) : ''});\n${statements(node.body)}}\n`;
      case 'IfBlock': return `if (${source(node.test)}) {\n${statements(node.consequent)}} else {\n${statements(node.alternate)}}\n`;
      default: throw new Error(`${name} has a ${node.type}: add it here`);
    }
  }
  const script = instance ? source(instance.content) : '';
  const stores = new Set([...text.matchAll(/\$(\w+)/g)].map(([, store]) => store).filter((store) => new RegExp(`\\bconst ${store} = `).test(script)));
  return `${script}\n${[...stores].map((store) => `const $${store} = _value(${store});\n`).join('')}${statements(fragment)}`;
}
