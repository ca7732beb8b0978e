/** The public REST API, as any client sees it. Every failure is an `ApiError`. */

import { planned } from "./plan.js";
import { errors } from "./texts/errors.js";

const root = document.documentElement.dataset.api;
const PATIENCE = 60_000; // ms; listing a slow bucket may take long, for ever it may not

let skew = 0; // ms the server's clock is ahead of ours

/** What the server answered instead of a result; `status` 0 when it did not answer at all. */
export class ApiError extends Error {
  constructor(status, { code = "", message, hint = "", job = null }) {
    super(message);
    Object.assign(this, { status, code, hint, job });
  }
}

export const get = (path, parameters) => call("GET", address(path, parameters));
export const post = (path, body = {}) => call("POST", path, body);

/** `path` with what is neither null nor empty of `parameters` behind it. */
export function address(path, parameters = {}) {
  const given = Object.entries(parameters).filter(([, value]) => value !== "" && value != null);
  return given.length ? `${path}?${new URLSearchParams(given)}` : path;
}

/** The server's time in ms: ages must not lie because this computer's clock is wrong. */
export function now() {
  return Date.now() + skew;
}

/** Downloads what lies at `path` of the API; a refusal is an `ApiError`, not a file that says so. */
export async function download(path) {
  const response = await send("HEAD", path);
  if (!response.ok) await call("GET", path);
  location.assign(root + planned(path));
}

async function call(method, path, body) {
  const response = await send(method, path, body);
  const answer = await response.json().catch(() => null);
  if (response.ok && answer !== null) return answer;
  throw new ApiError(response.status, answer?.message ? answer : errors.unexplained(response.status));
}

async function send(method, path, body) {
  const headers = { Accept: "application/json" };
  if (body) Object.assign(headers, { "Content-Type": "application/json", "X-CSRFToken": csrf() });
  const signal = AbortSignal.timeout(PATIENCE);
  const options = { method, headers, signal, body: body && JSON.stringify(body) };
  try {
    const response = await fetch(root + planned(path), {
      credentials: "same-origin",
      cache: "no-store",
      ...options,
    });
    readClock(response);
    return response;
  } catch {
    throw new ApiError(0, errors.unreachable);
  }
}

/** From the cookie, not from the page: signing in again in another tab makes a new one. */
function csrf() {
  return document.cookie.match(/(?:^|; )csrftoken=([^;]*)/)?.[1] ?? "";
}

/** Small differences are the whole seconds of the header and the way of the answer: not a skew. */
function readClock(response) {
  const difference = Date.parse(response.headers.get("Date")) - Date.now();
  skew = Math.abs(difference) > 10_000 ? difference : 0;
}
