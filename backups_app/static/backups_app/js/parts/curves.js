/** Curves of duration and size over time, drawn by uPlot; what they say is said in words too. */

import { wanted } from "../late.js";
import { bytes, seconds, shortDay } from "../format.js";
import { curves as texts } from "../texts/history.js";
import { Component, createRef, html } from "../view.js";
import { failure, loading } from "./pieces.js";

const HEIGHT = 180;
const base = new URL("../vendor/", import.meta.url);

/** uPlot is a classic script: loaded once, when the first curve is opened. */
const loaded = new Promise((resolve, reject) => {
  const sheet = Object.assign(document.createElement("link"), { rel: "stylesheet" });
  sheet.href = new URL("uplot-1.6.32.css", base);
  const script = Object.assign(document.createElement("script"), { onload: resolve, onerror: reject });
  script.src = new URL("uplot-1.6.32.js", base);
  document.head.append(sheet, script);
});

export function curves() {
  const { value, error } = wanted("jobs/series", { days: 90 });
  if (error) return failure(error);
  if (!value) return loading();
  if (value.at.length < 2) return html`<p>${texts.few}</p>`;
  return html`<div class="curves">
    <${Curve} name=${texts.duration} at=${value.at} values=${value.seconds} say=${seconds} />
    <${Curve} name=${texts.size} at=${value.at} values=${value.size} say=${bytes} />
    <${Curve} name=${texts.sent} at=${value.at} values=${value.sent} say=${bytes} />
  </div>`;
}

class Curve extends Component {
  place = createRef();

  /** Drawn once: what the page learns each second does not change it. */
  shouldComponentUpdate(next) {
    return next.at !== this.props.at;
  }

  async componentDidMount() {
    await loaded;
    if (!this.place.current) return;
    const { at, values, say } = this.props;
    this.plot = new globalThis.uPlot(options(this.place.current, say), [at, values], this.place.current);
    this.watch = new ResizeObserver(([{ contentRect }]) =>
      this.plot.setSize({ width: contentRect.width, height: HEIGHT }),
    );
    this.watch.observe(this.place.current);
  }

  componentWillUnmount() {
    this.watch?.disconnect();
    this.plot?.destroy();
  }

  render({ name, values, say }) {
    const known = values.filter((value) => value !== null);
    const range = texts.range(name, say(Math.min(...known)), say(Math.max(...known)));
    return html`<figure>
      <figcaption>${known.length ? range : name}</figcaption>
      <div ref=${this.place} aria-hidden="true"></div>
    </figure>`;
  }
}

function options(place, say) {
  const style = getComputedStyle(place);
  const colour = (name) => style.getPropertyValue(name).trim();
  const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 } };
  return {
    width: place.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    scales: { y: { range: (_, least, most) => [0, Math.max(most, least + 1)] } },
    series: [{}, { stroke: colour("--accent"), width: 2, points: { size: 6 } }],
    axes: [
      { ...axis, values: (_, ticks) => ticks.map((tick, at) => day(tick, ticks[at - 1])) },
      { ...axis, size: 70, values: (_, ticks) => ticks.map((tick) => say(tick)) },
    ],
  };
}

/** A day is named once, however many ticks it has. */
const day = (tick, before) => {
  const name = shortDay(new Date(tick * 1000));
  return before && name === shortDay(new Date(before * 1000)) ? "" : name;
};
