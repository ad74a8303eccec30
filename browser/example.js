/** The examples of `examples/run`, each with two people, for the tests and for the pictures of the documents. */

import {spawn} from 'node:child_process';
import {TIMEOUT, outputMatching} from './fixtures.js';

const PROGRAM = new URL('../examples/run', import.meta.url).pathname;

/** By a button beside the text. */
const byButton = {
  title: 'Methods',
  row: 'nav li',
  enter: (page) => page.getByRole('button', {name: 'Methods'}).click(),
};

/** By a change of the text. @param {string} row @param {string} paragraph where the text is changed */
const byText = (row, paragraph) => ({
  title: 'Methods',
  row,
  enter: async (page) => {
    await page.locator(paragraph).filter({hasText: '240 writers'}).first().click();
    await page.keyboard.press('End');
    await page.keyboard.type(' ');
  },
});

/** Each example: the `row` of a section, in which its people are, and how somebody enters the section. @type {Record<string, ReturnType<typeof byText>>} */
export const EXAMPLES = {
  react: byButton,
  vue: byButton,
  svelte: byButton,
  element: byButton,
  'codemirror-latex': byText('nav li', '.cm-line'),
  tiptap: byText('h2', '.tiptap p'),
};

/** Starts an example on a free port. `stop` ends it. @param {string} name */
export async function startExample(name) {
  const process = spawn(PROGRAM, [name, '--port', '0'], {stdio: ['ignore', 'pipe', 'inherit']});
  const ended = new Promise((resolve) => process.on('exit', resolve));
  const url = await outputMatching(process, /http:\S+\d/);
  return {
    url,
    /** @returns {Promise<number>} the exit code */
    stop: () => {
      process.kill('SIGTERM');
      return ended;
    },
  };
}

/** Opens the page of an example as a person, in a browser context of its own. `page.messages` collects what is on its console. @param {any} browser @param {string} url @param {string} name @param {object} [options] */
export async function openExample(browser, url, name, options) {
  const page = await (await browser.newContext(options)).newPage();
  page.messages = [];
  page.on('console', (message) => ['warning', 'error'].includes(message.type()) && page.messages.push(message.text()));
  page.on('pageerror', (error) => page.messages.push(String(error)));
  await page.goto(`${url}/?name=${name}`);
  await page.locator('.presence-badge:not(.presence-place)').waitFor({timeout: TIMEOUT});
  return page;
}

/** The avatars of the people in the section that `enter` enters. @param {any} page @param {{row: string, title: string}} example */
export const avatarsIn = (page, {row, title}) => page.locator(row).filter({hasText: title}).locator('.presence-avatar');
