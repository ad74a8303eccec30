/** Sections in the form in which the server compares and lists them. The server's NormalSection has the same rules. */

/** @type {Map<string, string>} normal forms of recent spellings, since the users of a list are in few sections */
const known = new Map();

/**
 * A section in NFC, with single slashes inside, without "." segments and white space around segments; `''` for none.
 * @param {string | null | undefined} section in any spelling
 */
export function normalSection(section) {
  const text = section ?? '';
  let normal = known.get(text);
  if (normal === undefined) {
    const parts = text.normalize().split('/').map((part) => part.replace(/\p{Zs}+/gu, ' ').trim());
    normal = parts.filter((part) => part && part !== '.').join('/');
    if (known.size > 1000) known.clear();
    known.set(text, normal);
  }
  return normal;
}
