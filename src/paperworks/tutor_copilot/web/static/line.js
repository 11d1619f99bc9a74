// The line to the server. It comes back by itself, asks for what it missed, and sends again what was not acknowledged.

const LONGEST_PAUSE_MS = 10000;
const REPLACED = 4409;
const SILENCE_MS = 30000;

export function openLine({ room, onFrame, onState }) {
  const key = `waiting-${room}`;
  const waiting = new Map(load(key).map((message) => [message.id, message]));
  let socket = null;
  let seen = 0;
  let failures = 0;
  let alive = null;

  function open() {
    const scheme = window.location.protocol === "https:" ? "wss:" : "ws:";
    socket = new WebSocket(`${scheme}//${window.location.host}/ws/rooms/${room}?after=${seen}`);
    socket.onopen = () => onState("Connected");
    socket.onmessage = (event) => heard(JSON.parse(event.data));
    socket.onclose = (event) => closed(event.code);
  }

  function heard(frame) {
    if (frame.t === "hello") {
      failures = 0;
      for (const message of waiting.values()) put(message);
    }
    if (frame.t === "message") {
      if (frame.seq <= seen) return;
      if (frame.seq > seen + 1) return socket.close();
      seen = frame.seq;
    }
    if (frame.t === "ack") forget(frame.id);
    if (frame.t === "error" && frame.code === "not_kept") return socket.close();
    onFrame(frame);
  }

  function closed(code) {
    window.clearInterval(alive);
    if (code === REPLACED) return onState("This room is open in another window");
    failures += 1;
    const pause = Math.min(LONGEST_PAUSE_MS, 250 * 2 ** failures) * (0.5 + Math.random() / 2);
    onState("The connection is lost. Your messages are kept and will be sent.");
    window.setTimeout(failures > 3 ? openIfSignedIn : open, pause);
  }

  async function openIfSignedIn() {
    try {
      const answer = await fetch(window.location.href, { method: "HEAD" });
      if (answer.redirected || answer.status === 404) return window.location.reload();
    } catch {
      // the server is away: that is what we wait for
    }
    return open();
  }

  function put(frame) {
    if (socket?.readyState !== WebSocket.OPEN) return false;
    socket.send(JSON.stringify(frame));
    return true;
  }

  function keep() {
    window.sessionStorage.setItem(key, JSON.stringify([...waiting.values()]));
  }

  function forget(id) {
    const was = waiting.delete(id);
    keep();
    return was;
  }

  window.addEventListener("online", () => socket?.readyState === WebSocket.CLOSED && open());

  return {
    open() {
      open();
      alive = window.setInterval(() => put({ t: "ping" }), SILENCE_MS);
    },
    send: put,
    say(text, suggestion) {
      const message = { t: "message", id: newId(), text };
      if (suggestion) message.suggestion = suggestion;
      waiting.set(message.id, message);
      keep();
      put(message);
      return message.id;
    },
    giveUp: forget,
    waiting: () => [...waiting.values()],
  };
}

function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function load(key) {
  try {
    return JSON.parse(window.sessionStorage.getItem(key)) ?? [];
  } catch {
    return [];
  }
}
