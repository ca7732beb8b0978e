/** Which plan the page is about, where there are several; the address names it: /?plan=NAME. */

const { plan = "", plans = "" } = document.documentElement.dataset;
const FOR_ALL = /^(tokens|notify|jobs\/[0-9a-f]{8}-)/; // what the API answers without a plan

/** Names of all plans, the environment's first; none where there is only that one. */
export const PLANS = plans.split(" ").filter(Boolean);
export const PLAN = plan || "default";

/** Whether a job belongs here: messages tell of those of all plans. */
export const isOurs = (job) => job.plan === PLAN;

/** `path` of the API, asked about this plan. */
export function planned(path) {
  if (!PLANS.length || FOR_ALL.test(path) || /[?&]plan=/.test(path)) return path;
  return `${path}${path.includes("?") ? "&" : "?"}plan=${encodeURIComponent(PLAN)}`;
}

/** What tells how another plan is. */
export const statusOf = (name) => `status?plan=${encodeURIComponent(name)}`;
