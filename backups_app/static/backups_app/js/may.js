/** What whoever is signed in may do. The server decides; this only spares them the refusal. */

import { now } from "./api.js";

const { may: told, recentUntil } = document.documentElement.dataset;
const permissions = new Set(told.split(" "));

/** `name`: of a permission, as in backups_app/roles.py. */
export const may = (name) => permissions.has(name);

/** Whether they signed in so long ago that they must do so again for what cannot be taken back. */
export const loginTooOld = () => now() > Number(recentUntil);
