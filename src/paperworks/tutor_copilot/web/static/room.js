// A room in the browser. What people write becomes text nodes and listed MathML elements, never markup.

import { writeMessage } from "./message.js";
import { openLine } from "./line.js";
import { setUpHelp } from "./help.js";

const room = document.getElementById("room").dataset;
const byId = (id) => document.getElementById(id);
const log = byId("log");
const composer = byId("composer");
const other = room.role === "tutor" ? "student" : "tutor";
let origin = null; // the suggestion that the message in the composer began as

const line = openLine({ room: room.room, onFrame, onState });
const help = setUpHelp({ send: line.send, use: useSuggestion, sendNow: (id, text) => say(text, id) });

function onState(says) {
  byId("link").textContent = says;
}

function onFrame(frame) {
  if (frame.t === "hello") show("presence", frame.present.includes(other) ? here(true) : here(false));
  if (frame.t === "presence" && frame.who === other) show("presence", here(frame.on));
  if (frame.t === "typing" && frame.who === other) show("typing", frame.on ? `${room.other} is writing` : "");
  if (frame.t === "message") addMessage(frame);
  if (frame.t === "error" && !help.refused(frame)) refused(frame);
  if (frame.t === "closed") window.location.reload();
  help.onFrame(frame);
}

function here(isHere) {
  return isHere ? `${room.other} is here` : `${room.other} is not here`;
}

function show(id, says) {
  byId(id).textContent = says;
}

function addMessage(frame) {
  document.getElementById(`waiting-${frame.id}`)?.remove();
  const mine = frame.who === room.role;
  if (!mine) show("typing", "");
  keepAtEnd(() => log.append(writeMessage(frame.parts, mine ? "You" : room.other, mine)));
}

function addWaiting(id, text) {
  const item = writeMessage([text], "You, being sent", true);
  item.id = `waiting-${id}`;
  keepAtEnd(() => log.append(item));
}

function keepAtEnd(change) {
  const box = byId("scroll");
  const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 80;
  change();
  if (atEnd) box.scrollTop = box.scrollHeight;
}

function refused(frame) {
  if (frame.about && line.giveUp(frame.about)) {
    const item = byId(`waiting-${frame.about}`);
    item?.querySelector(".by").replaceChildren("You, not sent");
  }
  show("origin", frame.says);
}

function say(text, suggestion) {
  const id = line.say(text, suggestion);
  if (id) addWaiting(id, text);
}

function useSuggestion(id, text) {
  origin = id;
  const area = byId("text");
  area.value = text;
  area.focus();
  show("origin", "Edit the suggestion, then send it.");
}

function setUpComposer() {
  const area = byId("text");
  let writing = null;
  const stopped = () => {
    if (writing !== null) line.send({ t: "typing", on: false });
    window.clearTimeout(writing);
    writing = null;
  };
  area.addEventListener("input", () => {
    if (writing === null) line.send({ t: "typing", on: true });
    window.clearTimeout(writing);
    writing = window.setTimeout(stopped, 3000);
    if (!area.value) {
      origin = null;
      show("origin", "");
    }
  });
  area.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      composer.requestSubmit();
    }
  });
  composer.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = area.value.trim();
    if (!text) return;
    stopped();
    say(text, origin);
    area.value = "";
    origin = null;
    show("origin", "");
    area.focus();
  });
  for (const key of composer.querySelectorAll("[data-insert]")) {
    key.addEventListener("click", () => insert(area, key.dataset.insert));
  }
}

function insert(area, piece) {
  const at = area.selectionStart;
  area.setRangeText(piece, at, area.selectionEnd, "end");
  const hole = area.value.indexOf("▢", at);
  area.focus();
  if (hole >= 0 && hole < at + piece.length) area.setSelectionRange(hole, hole + 1);
  area.dispatchEvent(new Event("input"));
}

if (composer) setUpComposer();
for (const { id, text } of line.waiting()) addWaiting(id, text);
line.open();
