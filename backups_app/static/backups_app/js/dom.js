/**
 * The view helper: a view is a function that returns plain nodes made by `h`, and `draw` makes
 * the page equal to them, touching only what differs. Focus, open <details> and what a screen
 * reader is reading survive an update, which a replaced subtree would not.
 *
 * Text only ever becomes a text node: there is no way in here to pass markup.
 */

const shown = new WeakMap(); // DOM node -> the node of ours it shows

/** A node: `h("p", { class: "hint" }, "text", child, cond && other)`. `key` ties list items to data. */
export function h(tag, props, ...children) {
  return { tag, props: props ?? {}, children: flatten(children) };
}

/** Makes the children of `parent` equal to `nodes` (nested arrays, strings and falsy ones allowed). */
export function draw(parent, ...nodes) {
  const wanted = flatten(nodes);
  const keyed = dropUnwanted(parent, wanted);
  let cursor = parent.firstChild;
  for (const node of wanted) {
    const found = reusable(keyed, cursor, node);
    const element = found ? update(found, node) : create(node);
    if (element === cursor) cursor = cursor.nextSibling;
    else parent.insertBefore(element, cursor);
  }
  while (cursor) {
    const next = cursor.nextSibling;
    cursor.remove();
    cursor = next;
  }
}

function flatten(children) {
  return children
    .flat(Infinity)
    .filter((child) => child !== null && child !== undefined && child !== false && child !== "")
    .map((child) => (typeof child === "object" ? child : { text: String(child) }));
}

/** Keyed elements that are gone leave first, so that those that stay need not be moved. */
function dropUnwanted(parent, wanted) {
  const keys = new Set(wanted.map((node) => node.props?.key).filter((key) => key !== undefined));
  const keyed = new Map();
  for (const element of [...parent.childNodes]) {
    const key = shown.get(element)?.props?.key;
    if (key === undefined) continue;
    if (keys.has(key)) keyed.set(key, element);
    else element.remove();
  }
  return keyed;
}

function reusable(keyed, cursor, node) {
  const candidate = node.props?.key === undefined ? cursor : keyed.get(node.props.key);
  const old = candidate && shown.get(candidate);
  if (!old || old.tag !== node.tag || old.props?.key !== node.props?.key) return null;
  return candidate;
}

function create(node) {
  const element =
    node.tag === undefined ? document.createTextNode(node.text) : document.createElement(node.tag);
  shown.set(element, { tag: node.tag, props: {}, text: node.text });
  if (node.props?.key !== undefined) shown.get(element).props.key = node.props.key;
  return update(element, node);
}

function update(element, node) {
  const old = shown.get(element);
  if (node.tag === undefined) {
    if (old.text !== node.text) element.data = node.text;
  } else {
    setProps(element, old.props, node.props);
    draw(element, node.children);
  }
  shown.set(element, node);
  return element;
}

function setProps(element, before, after) {
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    if (name !== "key" && before[name] !== after[name]) setProp(element, name, after[name]);
  }
}

function setProp(element, name, value) {
  if (name.startsWith("on")) element[name.toLowerCase()] = value ?? null;
  else if (value === undefined || value === null || value === false) element.removeAttribute(name);
  else element.setAttribute(name, value === true ? "" : String(value));
}
