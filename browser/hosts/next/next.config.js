import {fileURLToPath} from 'node:url';

const root = fileURLToPath(new URL('../../../', import.meta.url)); // where the framework's packages are

export default {outputFileTracingRoot: root, turbopack: {root}};
