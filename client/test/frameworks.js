/** Bundles pages of React, Vue and Svelte, for a browser or a server, with the recipes of the documents as their components. */

import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {join} from 'node:path';
import {build} from 'esbuild';
import {compile as compileSvelte} from 'svelte/compiler';
import {compileScript, parse} from 'vue/compiler-sfc';
import {recipes, root} from './recipes.js';

/** @typedef {'react' | 'vue' | 'svelte'} Framework */

/** What the recipes of each framework's page are called here, in their order. */
const NAMES = ['Page', 'Project', 'Status', 'SaveButton'];

/** The recipes of a framework's page, by file. @param {Framework} framework */
export function components(framework) {
  const language = framework === 'react' ? 'jsx' : framework;
  const found = recipes(language).filter(({name}) => name.startsWith(`docs/how-to/${framework}.md`));
  if (found.length !== NAMES.length) throw new Error(`docs/how-to/${framework}.md has ${found.length} recipes, and not one for each of ${NAMES.join()}`);
  return Object.fromEntries(found.map(({text}, i) => [`${NAMES[i]}.${language}`, text]));
}

/** A single-file component as a module. @param {string} source @param {string} filename @param {boolean} ssr */
function compileVue(source, filename, ssr) {
  const {descriptor, errors} = parse(source, {filename});
  if (errors.length) throw errors[0];
  return compileScript(descriptor, {id: filename, inlineTemplate: true, templateOptions: {ssr, ssrCssVars: []}}).content;
}

/**
 * Bundles `main.jsx` of these files. React 18 takes the place of 19 with `react: 18`.
 * @param {Record<string, string>} files by name @param {{server?: boolean, react?: number}} [options] @returns {Promise<string>} the script
 */
export async function bundlePage(files, {server = false, react} = {}) {
  const folder = mkdtempSync(join(root, 'node_modules/.page-')); // where imports find the frameworks
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    const {outputFiles} = await build({
      entryPoints: [join(folder, 'main.jsx')], bundle: true, write: false, jsx: 'automatic', logLevel: 'error',
      format: server ? 'cjs' : 'iife', platform: server ? 'node' : 'browser', conditions: ['development'],
      define: {'process.env.NODE_ENV': '"development"', __VUE_OPTIONS_API__: 'true', __VUE_PROD_DEVTOOLS__: 'false', __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: 'true'},
      alias: react === 18 ? Object.fromEntries(['react', 'react-dom'].map((name) => [name, join(root, 'browser/react-18/node_modules', name)])) : {},
      plugins: [{
        name: 'components',
        setup(builder) {
          builder.onLoad({filter: /\.vue$/}, ({path}) => ({contents: compileVue(files[path.slice(folder.length + 1)], path, server), loader: 'js', resolveDir: folder}));
          builder.onLoad({filter: /\.page-[^/]*\/[^/]*\.svelte$/}, ({path}) => (
            {contents: compileSvelte(files[path.slice(folder.length + 1)], {filename: path, generate: server ? 'server' : 'client', dev: true}).js.code, loader: 'js', resolveDir: folder}
          ));
        },
      }],
    });
    return outputFiles[0].text;
  } finally {
    rmSync(folder, {recursive: true});
  }
}

/** How each framework renders `App` on a server. */
const SERVERS = {
  react: `
    import {StrictMode} from 'react';
    import {renderToString} from 'react-dom/server';
    export const render = (App, props) => renderToString(<StrictMode><App {...props} /></StrictMode>);`,
  vue: `
    import {createSSRApp, h} from 'vue';
    import {renderToString} from 'vue/server-renderer';
    export const render = (App, props) => renderToString(createSSRApp({render: () => h(App, props)}));`,
  svelte: `
    import {render as renderApp} from 'svelte/server';
    export const render = (App, props) => renderApp(App, {props}).body;`,
};

/**
 * What a server sends for a component of these files.
 * @param {Framework} framework @param {Record<string, string>} files @param {string} file of the component, its default export or the export of its name
 * @param {object} props @param {{react?: number}} [options] @returns {Promise<string>}
 */
export async function renderOnServer(framework, files, file, props, options) {
  const name = file.split('.')[0];
  const main = `${SERVERS[framework]} import * as all from './${file}'; export const html = (props) => render(all.default ?? all.${name}, props);`;
  const script = await bundlePage({...files, 'main.jsx': main}, {...options, server: true});
  /** @type {any} */ const module = {exports: {}};
  new Function('module', 'exports', 'require', script)(module, module.exports, createRequire(join(root, 'package.json')));
  return module.exports.html(props);
}
