// The lint rules for JavaScript: ESLint's and typescript-eslint's recommended ones, with types from JSDoc. Run by `make lint`.
import {fileURLToPath} from 'node:url';
import js from '@eslint/js';
import {defineConfig} from 'eslint/config';
import globals from 'globals';
import tseslint from 'typescript-eslint';

const off = (...rules) => Object.fromEntries(rules.map((rule) => [rule, 'off']));

const globalsOf = (...names) => Object.fromEntries(names.map((name) => [name, 'writable']));

export default defineConfig(
  {ignores: ['browser/note/', 'client/dist/', 'client/types/']}, // a client that others wrote, and what is generated
  {
    files: ['**/*.js'],
    extends: [js.configs.recommended, tseslint.configs.recommendedTypeChecked],
    languageOptions: {
      parserOptions: {project: fileURLToPath(new URL('tsconfig.json', import.meta.url))},
      globals: {...globals.node, ...globals.browser}, // a browser test runs its callbacks in the page
    },
    linterOptions: {reportUnusedDisableDirectives: 'error'},
    rules: {
      // JSON.parse() and response.json() return any. What the server sends is checked by the golden messages instead.
      ...off(
        '@typescript-eslint/no-unsafe-argument', '@typescript-eslint/no-unsafe-assignment',
        '@typescript-eslint/no-unsafe-call', '@typescript-eslint/no-unsafe-member-access', '@typescript-eslint/no-unsafe-return',
      ),
      // node:test reports a rejected test itself.
      '@typescript-eslint/no-floating-promises': [
        'error', {allowForKnownSafeCalls: [{from: 'package', package: 'node:test', name: ['test', 'describe', 'it', 'suite']}]},
      ],
      '@typescript-eslint/no-misused-promises': ['error', {checksVoidReturn: false}], // callbacks of timers and sockets may be async
      'no-empty': ['error', {allowEmptyCatch: true}],
      '@typescript-eslint/no-unused-vars': ['error', {ignoreRestSiblings: true, argsIgnorePattern: '^_'}],
      // client/presence-requests.js throws to its own catch, and then only to say that there is no token.
      ...off('@typescript-eslint/only-throw-error', 'preserve-caught-error'),
      ...off('getter-return'), // tsc checks it
      '@typescript-eslint/no-base-to-string': 'off', // what was passed in place of an element is printed in errors
      // What was thrown, of whatever type, is printed in warnings.
      '@typescript-eslint/restrict-template-expressions': 'off',
    },
  },
  {
    files: ['browser/**/*.js'],
    // What the tests put into their pages.
    languageOptions: {globals: globalsOf('presence', 'open', 'move', 'person', 'server', 'tell', 'renew', 'frames', 'create', 'latest', 'events', 'all', 'shown', 'image')},
  },
  {
    files: ['**/*.test.js', '**/test/*.js', 'browser/**/*.js'],
    rules: off(
      '@typescript-eslint/require-await', // a fake is async because the real one is
      '@typescript-eslint/unbound-method', // tests replace methods and put them back
      '@typescript-eslint/no-this-alias', // a fake class refers to its owner
      '@typescript-eslint/await-thenable', // a function of the page is async in some pages
      '@typescript-eslint/no-implied-eval', // a fake setTimeout passes on what it got
      '@typescript-eslint/prefer-promise-reject-errors', // the reason of a signal is not always an error
      'no-self-assign', // writing innerHTML again makes new elements
    ),
  },
);
