/** The dialog that shows what lies in a backup: folders, names found, changes. */

import { download } from "../actions.js";
import { ask } from "../asking.js";
import { bytes, count, moment, when } from "../format.js";
import { downloadPath, findNames, leave, nextPage, openFolder } from "../looking.js";
import { previousPage, showChanges } from "../looking.js";
import { madeAt } from "../made.js";
import { may } from "../may.js";
import { empty, failure, icon, loading, message, step } from "../parts/pieces.js";
import { currentJob, state } from "../state.js";
import { common } from "../texts/common.js";
import { files as texts } from "../texts/files.js";
import { pager as words } from "../texts/history.js";
import { html } from "../view.js";
import { Modal } from "./modal.js";
import { row, table } from "./table.js";

export function files() {
  const { look, notice } = state;
  if (!look) return null;
  return html`<${Modal} id="files" label="files-title" back="backups-title" leave=${leave}>
    ${head(look)} ${notice && failure(notice)} ${way(look)} ${content(look)} ${turns(look)}
  <//>`;
}

function head({ backup, compared, mode, query }) {
  const search = (event) => {
    event.preventDefault();
    findNames(event.target.elements.q.value.trim());
  };
  return html`<div class="files-head">
    <h2 id="files-title" tabindex="-1">${texts.title(moment(madeAt(backup)))}</h2>
    <button type="button" class="link" onclick=${leave}>${common.close}</button>
    <form role="search" onsubmit=${search}>
      <input
        key=${mode}
        type="search"
        name="q"
        aria-label=${texts.find}
        placeholder=${texts.find}
        defaultValue=${query}
      />
      <button type="submit">${texts.search}</button>
    </form>
    <div class="actions">
      ${choice(texts.folders, mode === "folder", () => openFolder([]))}
      ${compared && choice(texts.changes, mode === "changes", showChanges)}
    </div>
  </div>`;
}

function choice(text, on, onclick) {
  return html`<button type="button" aria-pressed=${on ? "true" : "false"} onclick=${onclick}>
    ${text}
  </button>`;
}

/** The folders from the top down to the one shown. */
function way({ mode, way: folders, backup, compared, query }) {
  if (mode === "search") return html`<p class="quiet">${texts.foundBy(query)}</p>`;
  if (mode === "changes") {
    const [old, next] = [compared, backup].map((one) => madeAt(one)).sort().map(moment);
    return html`<p class="quiet">${texts.between(old, next)}</p>`;
  }
  const steps = [[texts.top, []], ...folders.map((one, at) => [one.name, folders.slice(0, at + 1)])];
  return html`<nav class="way" aria-label=${texts.where}>
    ${steps.map(([name, to], at) => [
      at > 0 && html`<span aria-hidden="true">/</span>`,
      at === steps.length - 1
        ? html`<strong aria-current="true">${name}</strong>`
        : html`<button type="button" class="link" onclick=${() => openFolder(to)}>${name}</button>`,
    ])}
  </nav>`;
}

function content(look) {
  const { mode, page, error, totals } = look;
  if (error) return failure(error);
  if (!page) return loading(texts.loading);
  const entries = { folder: page.entries, search: page.matches, changes: page.changes }[mode];
  if (entries.length === 0) return nothing(mode, page);
  const columns = mode === "changes" ? texts.changeColumns : texts.columns;
  const one = mode === "changes" ? change : entry;
  const rows = entries.map((found) => one(found, look));
  return [
    mode === "changes" && totals && html`<p>${texts.totals(sums(totals))}</p>`,
    table({ title: texts.list, columns, rows }),
  ];
}

/** A backup without a list of files holds no name that matches only because none can be looked at. */
function nothing(mode, page) {
  if (mode === "search" && page.skipped.length > 0)
    return message("attention", texts.noIndex, texts.noIndexHint);
  return empty(texts.nothing[mode]);
}

function sums(totals) {
  const said = ([kind, { entries, bytes: size }]) => [
    [kind, count(entries)],
    [`${kind}Bytes`, bytes(size)],
  ];
  return Object.fromEntries(Object.entries(totals).flatMap(said));
}

function entry(found, { backup, way: folders, mode }) {
  const isFolder = found.kind === "folder";
  const open = () => openFolder(mode === "folder" ? [...folders, found] : [named(found)]);
  const blocked = state.sending !== null || currentJob() !== null;
  const name = mode === "folder" ? found.name : found.path;
  const restore = () => ask("restore", { backup, entry: found });
  return row(found.path64 ?? found.path, texts.columns, {
    what: [
      isFolder
        ? html`<button type="button" class="link" onclick=${open}>${name}/</button>`
        : name,
      (found.note || found.missing) &&
        html`<span class="mark attention">
          ${icon("attention")}${found.missing ? texts.missing : texts.note}
        </span>`,
    ],
    size: isFolder ? "" : bytes(found.size),
    began: found.modified ? when(found.modified, moment(found.modified)) : "–",
    actions: [
      may("download_backup") && found.kind !== "link" && !found.missing &&
        button(texts.download, texts.downloadLabel(name), () => download(downloadPath(backup, found))),
      may("restore_backup") && !found.missing && button(texts.restore, texts.restoreLabel(name), restore, blocked),
    ],
  });
}

function button(text, label, onclick, disabled = false) {
  return html`<button type="button" aria-label=${label} disabled=${disabled} onclick=${onclick}>
    ${text}
  </button>`;
}

/** A found folder stands alone on the way: what lies between is in its path. */
const named = (found) => ({ ...found, name: found.path });

function change({ change: kind, path, path64, old, new: next, differs }) {
  return row(path64 ?? path, texts.changeColumns, {
    what: path,
    state: texts.change[kind],
    size: [old && next ? `${bytes(old.size)} → ` : "", bytes((next ?? old).size)],
    by: kind === "changed" ? differs.map((name) => texts.differs[name]).join(", ") : "",
  });
}

function turns({ page, cursors }) {
  if (!page || (cursors.length === 1 && page.next === null)) return null;
  return html`<nav class="pager" aria-label=${words.label(texts.list)}>
    <span class="quiet">${texts.page(cursors.length)}</span>
    ${step(texts.previous, cursors.length > 1, previousPage)}
    ${step(texts.next, page.next !== null, nextPage)}
  </nav>`;
}
