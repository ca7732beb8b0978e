/** The verdict in words: `{ level, title, since, reasons: [{ level, code, text, hint, ... }] }`. */

import { isEnglish } from "../catalog.js";
import { ago, upcoming } from "../format.js";
import { explain } from "../texts/common.js";
import { actionTexts, commands, reasons, verdict as texts } from "../texts/verdict.js";

/** Of `status`, as the server judges it; `now` in ms. Pure. */
export function wording(status, now) {
  const { level, reasons: found } = status.verdict;
  const told = found.map((reason) => word(reason, now));
  const since = sinceWhen(status, now);
  return { level, title: texts.levels[level](told[0]?.text ?? since), since, reasons: told };
}

function word(reason, now) {
  const own = reasons[reason.code]?.({
    subject: reason.subject,
    ago: reason.at && ago(reason.at, now),
  });
  const server = explain(reason);
  const [text, hint] = own ?? [lower(server.text), server.hint];
  return {
    ...reason,
    text,
    hint: hint ?? (isEnglish ? said(reason) : ""),
    original: isEnglish || own?.[1] ? "" : said(reason),
    press: actionTexts[reason.action] ?? null,
    command: commands[reason.code] ?? null,
  };
}

const said = ({ message, hint }) => [message, hint].filter(Boolean).join(". ");

/** After "Attention: " a sentence goes on; names in capitals stay as they are. */
function lower(text) {
  return /^[A-Z][a-z ]/.test(text) ? text.slice(0, 1).toLowerCase() + text.slice(1) : text;
}

/** "last backup 3 hours ago, next tonight at 02:00, last restore proven yesterday". */
function sinceWhen({ verdict, enabled, nextRun, lastProven, lastVerified }, now) {
  const proof = lastProven
    ? texts.proven(ago(lastProven.at, now))
    : lastVerified
      ? texts.verified(ago(lastVerified.at, now))
      : texts.neverProven;
  return [
    verdict.newest ? texts.last(ago(verdict.newest, now)) : texts.none,
    enabled && nextRun ? texts.next(upcoming(nextRun, now)) : texts.nothingScheduled,
    verdict.newest && proof,
  ]
    .filter(Boolean)
    .join(", ");
}
