/** The browser's own dialog: focus stays in, Escape leaves, and it goes back where it came from. */

import { Component, createRef, html } from "../view.js";

export class Modal extends Component {
  dialog = createRef();

  componentDidMount() {
    this.before = document.activeElement;
    this.dialog.current.showModal();
    this.dialog.current.querySelector("[data-first]")?.focus();
  }

  /** What was focused before may be gone by now: then the part it stood in is next to it. */
  componentWillUnmount() {
    this.dialog.current.close();
    const back = this.before?.isConnected ? this.before : document.getElementById(this.props.back);
    setTimeout(() => document.activeElement === document.body && back?.focus());
  }

  render({ id, label, leave, children }) {
    const cancelled = (event) => {
      event.preventDefault();
      leave();
    };
    return html`<dialog id=${id} ref=${this.dialog} aria-labelledby=${label} oncancel=${cancelled}>
      ${children}
    </dialog>`;
  }
}
