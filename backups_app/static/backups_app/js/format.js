/** Numbers and times as people read them. Times are in the browser's zone; all functions are pure. */

import { _, language } from "./catalog.js";
import { html } from "./view.js";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const UNITS = ["bytes", "kB", "MB", "GB", "TB", "PB"];
const NONE = "–";

/** 1234567 -> "1.23 MB" (decimal units, three digits, as S3 bills and disks are labelled). */
export function bytes(count) {
  if (count === null || count === undefined) return NONE;
  let unit = 0;
  let value = count;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const number = unit === 0 ? value : Number(value.toPrecision(3));
  return `${number.toLocaleString(language)}\u00a0${UNITS[unit]}`;
}

/** 1234567 -> "1,234,567". */
export function count(number) {
  return number === null || number === undefined ? NONE : number.toLocaleString(language);
}

/** "backups lie here" -> "Backups lie here", where a text begins a sentence. */
export function capital(text) {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

/** A sentence ends with one full stop, whether or not the text had one. */
export function sentence(text) {
  return !text || /[.!?…:]$/.test(text.trim()) ? (text ?? "") : `${text}.`;
}

/** 3725 -> "1 h 2 min": the two largest units. */
export function seconds(total) {
  const whole = Math.max(0, Math.round(total));
  if (whole < 60) return `${whole}\u00a0s`;
  if (whole < 3600) return pair(Math.floor(whole / 60), "min", whole % 60, "s");
  if (whole < 86400)
    return pair(Math.floor(whole / 3600), "h", Math.floor((whole % 3600) / 60), "min");
  return pair(Math.floor(whole / 86400), "d", Math.floor((whole % 86400) / 3600), "h");
}

function pair(large, largeUnit, small, smallUnit) {
  const one = `${large}\u00a0${largeUnit}`;
  return small === 0 ? one : `${one} ${small}\u00a0${smallUnit}`;
}

/** How long a job ran or runs, in seconds; null when it never began. */
export function ranFor(job, now) {
  if (!job.startedAt) return null;
  const end = job.finishedAt ? Date.parse(job.finishedAt) : now;
  return Math.max(0, (end - Date.parse(job.startedAt)) / SECOND);
}

/** "3 hours ago". */
export function ago(iso, now) {
  const age = now - Date.parse(iso);
  if (age < MINUTE) return _("just now");
  const [size, unit] = age < HOUR ? [MINUTE, "minute"] : age < DAY ? [HOUR, "hour"] : [DAY, "day"];
  return new Intl.RelativeTimeFormat(language).format(-Math.floor(age / size), unit);
}

/** "tonight at 02:00", "tomorrow at 14:00", "Thursday at 02:00", "3 Sept at 02:00". */
export function upcoming(iso, now) {
  const date = new Date(iso);
  return _("{day} at {time}", { day: dayName(date, now), time: clock(date) });
}

function dayName(date, now) {
  const days = Math.round((midnight(date) - midnight(new Date(now))) / DAY);
  const hour = date.getHours();
  if (days === 0) return hour >= 18 ? _("tonight") : _("today");
  if (days === 1) return hour < 6 ? _("tonight") : _("tomorrow");
  if (days > 1 && days < 7) return part(date, { weekday: "long" });
  return part(date, { day: "numeric", month: "short" });
}

function midnight(date) {
  return new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
}

/** "02:00". */
export function clock(date) {
  return part(date, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
}

/** "02:00:07". */
export function exactClock(date) {
  const options = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
  return part(date, options);
}

function part(date, options) {
  return new Intl.DateTimeFormat(language, options).format(date);
}

/** "Friday", for 5 as in JavaScript (0 is Sunday). */
export function weekday(number) {
  return part(new Date(2023, 0, 1 + number), { weekday: "long" });
}

/** "Fri 29 Aug 2025, 02:00": unmistakable, for choosing a backup. */
export function moment(iso) {
  const date = new Date(iso);
  const day = part(date, { weekday: "short", day: "numeric", month: "short", year: "numeric" });
  return `${day.replace(",", "")}, ${clock(date)}`;
}

/** "29 Aug". */
export function shortDay(date) {
  return part(date, { day: "numeric", month: "short" });
}

/** "2025-08-29 05:00:00 UTC". */
export function utc(iso) {
  return `${new Date(iso).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** A <time> with the exact UTC in its title. */
export function when(iso, text) {
  return html`<time datetime=${iso} title=${utc(iso)}>${text}</time>`;
}
