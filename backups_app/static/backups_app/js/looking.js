/** Looking into a backup: what the dialog shows, read from the API a page at a time. */

import { address, get } from "./api.js";
import { learn, state } from "./state.js";

const LIMIT = 100; // entries a page, so that no list grows long

/** Opens `backup`; `before` is the one made before it, or null. */
export function look(backup, before) {
  go({ backup, before, mode: "folder", way: [], query: "", compared: before });
}

/** Opens what differs between `backup` and any other one. */
export function compare(backup, other, before) {
  go({ backup, before, mode: "changes", way: [], query: "", compared: other });
}

export const leave = () => learn({ look: null });
/** `way`: the folders from the data folder down, as entries of the API. */
export const openFolder = (way) => go({ ...state.look, mode: "folder", way, query: "" });
export const findNames = (query) =>
  query ? go({ ...state.look, mode: "search", query }) : openFolder([]);
export const showChanges = () => go({ ...state.look, mode: "changes", query: "" });
export const nextPage = () =>
  turn({ ...state.look, cursors: [...state.look.cursors, state.look.page.next] });
export const previousPage = () =>
  turn({ ...state.look, cursors: state.look.cursors.slice(0, -1) });

/** Where one file, or a folder as .tar.gz, is downloaded from, below the API. */
export const downloadPath = (backup, entry) =>
  address("download", { backupKey: backup.key, ...place(entry) });

/** An entry's path; by its bytes where it is no text. */
export function place(entry) {
  if (!entry) return {};
  return entry.path64 ? { path64: entry.path64 } : { path: entry.path };
}

function go(view) {
  turn({ ...view, cursors: [null], totals: null });
}

async function turn(view) {
  const wanted = { ...view, page: null, error: null };
  learn({ look: wanted });
  const answer = await read(wanted).then(
    (page) => ({ page, totals: page.totals ?? wanted.totals }),
    (error) => ({ error }),
  );
  if (state.look === wanted) learn({ look: { ...wanted, ...answer } }); // not if one went on
}

function read({ backup, compared, mode, way, query, cursors }) {
  const paging = { limit: LIMIT, cursor: cursors.at(-1) };
  const older = compared && Date.parse(compared.lastModified) > Date.parse(backup.lastModified);
  const [from, to] = older ? [backup, compared] : [compared, backup];
  const asked = {
    folder: ["files", { backupKey: backup.key, ...place(way.at(-1)) }],
    search: ["search", { backupKey: backup.key, q: query }],
    changes: ["diff", { from: from?.key, to: to.key }],
  };
  const [name, what] = asked[mode];
  return get(name, { ...what, ...paging });
}
