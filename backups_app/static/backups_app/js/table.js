/**
 * A table that becomes a list of cards on a narrow screen. Changing `display` takes a table's
 * meaning away from screen readers, so the roles are said outright.
 */

import { h } from "./dom.js";

/** `columns` is { name: heading }, `rows` come from `row`. */
export function table({ title, columns, rows }) {
  const heads = Object.entries(columns).map(([name, text]) =>
    h("th", { role: "columnheader", scope: "col", class: name }, text),
  );
  return h("table", { role: "table", "aria-label": title }, [
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, heads)),
    h("tbody", { role: "rowgroup" }, rows),
  ]);
}

/** One row; `cells` is { name: content } in the order of the columns. */
export function row(key, columns, cells) {
  const all = Object.entries(columns).map(([name, label]) =>
    h("td", { role: "cell", class: name, "data-label": label }, cells[name]),
  );
  return h("tr", { key, role: "row" }, all);
}
