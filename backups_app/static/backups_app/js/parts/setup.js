/** Setup: what is set, in one line each; the rest is loaded beside it. */

import { bytes } from "../format.js";
import { late } from "../late.js";
import { state } from "../state.js";
import { setup as texts } from "../texts/setup.js";
import { html } from "../view.js";
import { fact, part } from "./pieces.js";

export function setup() {
  const { status } = state;
  if (!status) return null;
  const names = texts.facts;
  return [
    html`<dl class="facts">
      ${fact(names.folder, html`<code>${status.dataDir}</code>`)}
      ${fact(names.bucket, status.s3Bucket || texts.notSet)}
      ${fact(names.kept, texts.keptValue(status.maxBackups))}
      ${fact(names.encryption, status.encrypted ? texts.on : texts.off)}
      ${status.sizes?.total > 0 && fact(names.total, bytes(status.sizes.total))}
      ${fact(names.version, status.version)}
    </dl>`,
    part(late("details"), ({ details }) => details()),
  ];
}
