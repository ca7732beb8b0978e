/** Backups: what can be restored. */

import { now } from "./api.js";
import { h } from "./dom.js";
import { ago, bytes, count, moment, when } from "./format.js";
import { empty, loading, message } from "./message.js";
import { pager } from "./pager.js";
import { currentJob, learn, PAGE_SIZE, state } from "./state.js";
import { row, table } from "./table.js";
import { words } from "./texts.js";
import { madeAt } from "./verdict.js";

const texts = words.backups;

/** `actions`: { askRestore(backup), verify(backup) }. */
export function backups(actions) {
  const { backups: all, backupsError: error } = state;
  return [
    error && message("bad", texts.failed, [error.message, ". ", error.hint]),
    !all && !error && loading(texts.loading),
    all?.length === 0 && !error && empty(texts.empty, texts.emptyHint),
    all?.length > 0 && currentJob() && h("p", { class: "quiet" }, texts.blocked),
    all?.length > 0 && [list(all, actions), pages(all)],
  ];
}

function list(all, actions) {
  const from = Math.min(state.backupsOffset, all.length - 1);
  const rows = all.slice(from, from + PAGE_SIZE).map((backup) => one(backup, actions));
  return table({ title: texts.title, columns: texts.columns, rows });
}

function pages(all) {
  const show = (offset) => learn({ backupsOffset: offset });
  return pager({
    title: texts.title,
    offset: state.backupsOffset,
    size: PAGE_SIZE,
    total: all.length,
    show,
  });
}

function one(backup, actions) {
  const made = madeAt(backup);
  const about = backup.metadata;
  return row(backup.key, texts.columns, {
    made: [
      h("strong", { title: backup.key }, when(made, moment(made))),
      h("span", { class: "quiet" }, about ? ago(made, now()) : texts.foreign),
    ],
    size: bytes(backup.size),
    dataSize: bytes(about?.dataSize),
    files: count(about?.fileCount),
    encrypted: about ? (about.encrypted ? texts.yes : texts.no) : texts.unknown,
    actions: buttons(backup, made, actions),
  });
}

function buttons(backup, made, { askRestore, verify }) {
  const blocked = state.sending !== null || currentJob() !== null;
  const button = (text, label, onclick) =>
    h(
      "button",
      {
        type: "button",
        "aria-label": label(moment(made)),
        disabled: blocked,
        onclick: () => onclick(backup),
      },
      text,
    );
  return [
    button(texts.verify, texts.verifyLabel, verify),
    button(texts.restore, texts.restoreLabel, askRestore),
  ];
}
