/** Questions before something is done. The dialog is the browser's own: focus stays in, Escape leaves. */

import { draw, h } from "./dom.js";
import { moment } from "./format.js";
import { icon } from "./icon.js";
import { state } from "./state.js";
import { words } from "./texts.js";

const element = document.getElementById("dialog");

/** Asks for the restore of `backup`; `confirmed` runs only after the word was typed. */
export function askRestore(backup, made, confirmed) {
  const texts = words.restore;
  ask(texts.title, confirmed, [
    h("p", { class: "chosen" }, texts.backupOf(moment(made)), h("code", null, backup.key)),
    h(
      "ol",
      { class: "what-happens" },
      texts.steps(state.status?.dataDir ?? "").map((step) => h("li", null, step)),
    ),
    h("p", { class: "message attention" }, icon("attention"), h("span", null, texts.stop)),
    typedWord(texts),
    choices(texts.cancel, texts.confirm, { danger: true, disabled: true }),
  ]);
  element.querySelector("input").focus();
}

/** Asks whether `job` is to be cancelled. */
export function askCancel(job, confirmed) {
  const texts = words.cancel;
  const kind = words.kinds[job.kind];
  ask(texts.title(kind), confirmed, [
    h("p", null, texts[job.kind]),
    choices(texts.keep, texts.confirm(kind), { danger: true }),
  ]);
}

function ask(title, confirmed, content) {
  const submit = (event) => {
    event.preventDefault();
    element.close();
    confirmed();
  };
  draw(element); // what was typed for an earlier question must not confirm this one
  draw(
    element,
    h(
      "form",
      { method: "dialog", onsubmit: submit },
      h("h2", { id: "dialog-title" }, title),
      content,
    ),
  );
  element.showModal();
}

function typedWord({ type, word }) {
  const check = (event) => {
    const typed = event.target.value.trim().toLowerCase();
    element.querySelector("[type=submit]").disabled = typed !== word;
  };
  return h(
    "label",
    { class: "typed" },
    type,
    " ",
    h("strong", null, word),
    h("input", {
      type: "text",
      autocomplete: "off",
      autocapitalize: "off",
      spellcheck: "false",
      oninput: check,
    }),
  );
}

function choices(leave, confirm, { danger, disabled = false }) {
  return h("div", { class: "actions" }, [
    h("button", { type: "button", onclick: () => element.close() }, leave),
    h("button", { type: "submit", class: danger ? "danger" : "primary", disabled }, confirm),
  ]);
}
