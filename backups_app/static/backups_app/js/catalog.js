/**
 * Texts in the reader's language, from the catalog that the page has loaded (/texts.js).
 *
 * Everything shown goes through `_` or `ngettext`: `make messages` finds their texts, and a test
 * that each is translated. `{name}` stands for a value.
 */

const plain = { gettext: (text) => text, ngettext: (one, more, count) => (count === 1 ? one : more) };
const catalog = globalThis.django?.gettext ? globalThis.django : plain;

/** As in <html lang>; for times and numbers. */
export const language = document.documentElement.lang || "en-GB";
export const isEnglish = language.startsWith("en");

export function _(text, values) {
  return values ? fill(catalog.gettext(text), values) : catalog.gettext(text);
}

/** "1 file", "2 files": `{count}` is the number as people write it. */
export function ngettext(one, more, number, values) {
  const text = catalog.ngettext(one, more, number);
  return fill(text, { count: number.toLocaleString(language), ...values });
}

/** The same with nodes for values: an array of texts and nodes. */
export function withNodes(text, values) {
  return text.split(/\{(\w+)\}/).map((piece, index) => (index % 2 ? values[piece] : piece));
}

function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}
