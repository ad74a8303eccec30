/** The view, at an address that proxy.js does not exempt. */
export {GET} from '../../presence/[project]/route.js';
