/**
 * A table that becomes a list of cards on a narrow screen. Changing `display` takes a table's
 * meaning away from screen readers, so the roles are said outright.
 */

import { html } from "../view.js";

/** `columns` is { name: heading }, `rows` come from `row`. */
export function table({ title, columns, rows }) {
  const heads = Object.entries(columns).map(
    ([name, text]) => html`<th role="columnheader" scope="col" class=${name}>
      ${name === "actions" ? html`<span class="sr-only">${text}</span>` : text}
    </th>`,
  );
  return html`<table role="table" aria-label=${title}>
    <thead role="rowgroup">
      <tr role="row">
        ${heads}
      </tr>
    </thead>
    <tbody role="rowgroup">
      ${rows}
    </tbody>
  </table>`;
}

/** One row; `cells` is { name: content } in the order of the columns. */
export function row(key, columns, cells) {
  const all = Object.entries(columns).map(
    ([name, label]) => html`<td role="cell" class=${name} data-label=${label}>${cells[name]}</td>`,
  );
  return html`<tr key=${key} role="row">${all}</tr>`;
}
