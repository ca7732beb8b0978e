/** The WebSocket: reports every message, and comes back by itself when it is lost. */

const FIRST_WAIT = 1000; // ms
const LONGEST_WAIT = 30_000;

/**
 * Follows `url` until the page goes. `onMessage(data)` gets parsed JSON, `onState(open)` a boolean.
 * Waits double up to half a minute and are jittered, so that many open pages do not return to a
 * restarted server in the same instant.
 */
export function follow(url, { onMessage, onState }) {
  let losses = 0;
  connect();

  function connect() {
    const socket = new WebSocket(url);
    socket.onopen = () => {
      losses = 0;
      onState(true);
    };
    socket.onmessage = (event) => onMessage(JSON.parse(event.data));
    socket.onclose = () => {
      onState(false);
      setTimeout(connect, wait(losses));
      losses += 1;
    };
  }
}

function wait(losses) {
  const longest = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** losses);
  return longest * (0.5 + Math.random() / 2);
}
