/** The dashboard: draws every part from the state, and keeps the state fresh. */

import { now as clock } from "./api.js";
import { showAsked } from "./asked.js";
import { late, renew } from "./late.js";
import { follow } from "./live.js";
import { backups } from "./parts/backups.js";
import { history } from "./parts/history.js";
import { announcement, now } from "./parts/now.js";
import { icon, part } from "./parts/pieces.js";
import { plans } from "./parts/plans.js";
import { setup } from "./parts/setup.js";
import { level, notice, spoken, top } from "./parts/top.js";
import { undo } from "./parts/undo.js";
import { isOurs, PLAN, PLANS } from "./plan.js";
import { keepFresh, refreshAll, refreshHistory, refreshStatus } from "./refresh.js";
import { currentJob, isActive, learn, onChange, state, takeJobs } from "./state.js";
import { kinds } from "./texts/common.js";
import { connection as connections, now as words } from "./texts/now.js";
import { tabTitles } from "./texts/verdict.js";
import { draw, html } from "./view.js";

const place = (name) => document.getElementById(name);

function drawAll() {
  draw(place("plans"), plans());
  draw(place("top"), top());
  draw(place("notice"), state.look ? null : notice());
  draw(place("now"), [now(), undo()]);
  draw(place("backups"), backups());
  draw(place("history"), history());
  draw(place("setup"), setup());
  draw(place("dialogs"), dialogs());
  draw(place("connection"), connection());
  draw(place("announcement"), announcement());
  draw(place("spoken"), spoken());
  document.body.classList.toggle("refused", refused());
  document.title = title();
}

/** Without the right to look there is nothing below the top to show. */
function refused() {
  return [401, 403].includes(state.statusError?.status);
}

function dialogs() {
  return [
    state.look && part(late("files"), ({ files }) => files()),
    state.dialog && part(late("questions"), ({ questions }) => questions()),
  ];
}

function connection() {
  const name = state.statusError?.status === 0 ? "offline" : state.connection;
  return html`<span class="connection ${name}">${icon("dot")}${connections[name]}</span>`;
}

function title() {
  const job = currentJob();
  const percent = job?.progress?.percent ?? null;
  const running = job && [percent !== null && words.percent(percent), kinds[job.kind]];
  const first = running ? running.filter(Boolean).join(" ") : tabTitles[level()];
  return [first, ...(PLANS.length ? [PLAN] : []), "Tarkeep"].join(" · ");
}

function hear({ type, jobs, job }) {
  if (type === "pong") return;
  const news = (type === "snapshot" ? jobs : [job]).filter(isOurs);
  const ended = news.some((one) => !isActive(one) && wasActive(one));
  const unknown = news.some((one) => !state.jobs.has(one.id));
  takeJobs(news);
  learn({ heardAt: clock() });
  if (ended || unknown) Promise.all([refreshStatus(), refreshHistory()]);
  if (ended) renew("jobs/days", "jobs/series");
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
refreshAll().then(showAsked);
keepFresh();
follow(socketAddress(), {
  onMessage: hear,
  onState: (open) => learn({ connection: open ? "live" : "polling" }),
});
setInterval(() => learn({}), 1000); // times such as "running for" and "3 hours ago" move on
addEventListener("hashchange", showAsked);
document.addEventListener("visibilitychange", () => document.hidden || refreshAll());
