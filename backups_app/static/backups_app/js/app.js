/** The dashboard: draws every part from the state, and keeps the state fresh. */

import { actions } from "./actions.js";
import { backups } from "./backups.js";
import { draw, h } from "./dom.js";
import { history } from "./history.js";
import { icon } from "./icon.js";
import { follow } from "./live.js";
import { message } from "./message.js";
import { announcement, now } from "./now.js";
import { keepFresh, refreshAll, refreshHistory, refreshStatus } from "./refresh.js";
import { currentJob, isActive, learn, onChange, state, takeJobs } from "./state.js";
import { words } from "./texts.js";
import { facts, level, top } from "./top.js";
import { now as clock } from "./api.js";

const part = (name) => document.getElementById(name);

function drawAll() {
  draw(part("top"), top(actions));
  draw(part("notice"), notice());
  draw(part("now"), now(actions));
  draw(part("backups"), backups(actions));
  draw(part("history"), history(actions));
  draw(part("facts"), facts());
  draw(part("connection"), connection());
  draw(part("announcement"), announcement());
  document.body.classList.toggle("refused", refused());
  document.title = title();
}

/** Without the right to look there is nothing below the top to show. */
function refused() {
  return [401, 403].includes(state.statusError?.status);
}

function notice() {
  if (!state.notice) return null;
  const { message: text, hint } = state.notice;
  const props = { type: "button", onclick: actions.dismiss };
  return message(
    "bad",
    text,
    hint,
    h("p", { class: "actions" }, h("button", props, words.notice.dismiss)),
  );
}

function connection() {
  const name = state.statusError?.status === 0 ? "offline" : state.connection;
  return h("span", { class: `connection ${name}` }, icon("dot"), words.connection[name]);
}

function title() {
  const job = currentJob();
  const texts = words.tabTitle;
  const first = job
    ? texts.running(job.progress?.percent ?? null, words.kinds[job.kind])
    : texts[level()];
  return `${first} · ${texts.product}`;
}

function hear({ type, jobs, job }) {
  const news = type === "snapshot" ? jobs : [job];
  const ended = news.some((one) => !isActive(one) && wasActive(one));
  const unknown = news.some((one) => !state.jobs.has(one.id));
  takeJobs(news);
  learn({ heardAt: clock() });
  if (ended || unknown) Promise.all([refreshStatus(), refreshHistory()]);
}

function wasActive({ id }) {
  const before = state.jobs.get(id);
  return before !== undefined && isActive(before);
}

function socketAddress() {
  const address = new URL(document.documentElement.dataset.socket, location.href);
  address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  return address.href;
}

onChange(drawAll);
drawAll();
refreshAll();
keepFresh();
follow(socketAddress(), {
  onMessage: hear,
  onState: (open) => learn({ connection: open ? "live" : "polling" }),
});
setInterval(() => learn({}), 1000); // times such as "running for" and "3 hours ago" move on
document.addEventListener("visibilitychange", () => document.hidden || refreshAll());
