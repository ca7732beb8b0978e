/** Parts that are loaded when they are first wanted, so that the page is there at once. */

import { get } from "./api.js";
import { learn, state } from "./state.js";

const MODULES = {
  files: () => import("./dialogs/files.js"),
  questions: () => import("./dialogs/questions.js"),
  calendar: () => import("./parts/calendar.js"),
  curves: () => import("./parts/curves.js"),
  details: () => import("./parts/setupdetails.js"),
};

/** What the module of that name exports: null while it is on its way, an Error when it failed. */
export function late(name) {
  if (!state.late.has(name)) {
    state.late.set(name, null);
    MODULES[name]().then(
      (module) => arrived(name, module),
      (error) => arrived(name, error),
    );
  }
  return state.late.get(name);
}

function arrived(name, module) {
  state.late.set(name, module);
  learn({});
}

/** What a part asks for from the API, once: `{ value, error, parameters }`. */
export function wanted(path, parameters) {
  const known = state.data.get(path);
  if (known) return known;
  const fresh = { value: null, error: null, parameters };
  state.data.set(path, fresh);
  again(path);
  return fresh;
}

/** Asks for it anew; what was there stays until the answer has come. */
export async function again(path) {
  const { value: before, parameters } = state.data.get(path);
  const answer = await get(path, parameters).then(
    (value) => ({ value, error: null }),
    (error) => ({ value: before, error }),
  );
  state.data.set(path, { ...answer, parameters });
  learn({});
}

/** Asks anew for those of them that are shown: they are no longer as they were. */
export function renew(...paths) {
  return Promise.all(paths.filter((path) => state.data.has(path)).map(again));
}
