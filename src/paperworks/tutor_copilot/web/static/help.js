// The tutor's panel: asks for suggestions, shows them as they are written, and hands one to the composer.

export function setUpHelp({ send, use, sendNow }) {
  const list = document.getElementById("suggestions");
  if (!list) return { onFrame() {}, refused: () => false };
  const state = document.getElementById("help-state");
  const regenerate = document.getElementById("regenerate");
  let request = null;
  let columns = [];

  function ask(strategies, instead) {
    request = { id: crypto.getRandomValues(new Uint32Array(2)).join("-"), strategies };
    columns = strategies.map(() => ({ text: "", id: null }));
    list.replaceChildren(...columns.map(() => card()));
    const asked = send({ t: "help", id: request.id, strategies, instead });
    state.textContent = asked ? "Thinking" : "There is no connection now";
    regenerate.hidden = true;
  }

  function card() {
    const item = document.createElement("li");
    const title = document.createElement("h3");
    const words = document.createElement("p");
    words.dir = "auto";
    const actions = document.createElement("div");
    actions.className = "actions";
    item.append(title, words, actions);
    return item;
  }

  function button(says, act, className) {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = says;
    made.className = className ?? "";
    made.addEventListener("click", () => act(made));
    return made;
  }

  function opinion(kind, suggestion) {
    return (pressed) => {
      send({ t: "opinion", suggestion, kind });
      pressed.disabled = true;
    };
  }

  function fill(frame) {
    const item = list.children[frame.column];
    columns[frame.column] = { text: frame.text, id: frame.id };
    item.querySelector("h3").textContent = frame.label;
    item.querySelector("p").textContent = frame.text;
    if (frame.note) {
      const note = document.createElement("p");
      note.className = "quiet";
      note.textContent = frame.note;
      item.querySelector("p").after(note);
    }
    item.querySelector(".actions").replaceChildren(
      button("Edit", () => use(frame.id, frame.text), "main"),
      button("Send", () => sendNow(frame.id, frame.text)),
      button("Good idea", opinion("liked", frame.id)),
      button("Too hard", opinion("too_hard", frame.id)),
      button("Not this", opinion("rejected", frame.id)),
    );
  }

  for (const each of document.querySelectorAll("[data-strategies]")) {
    each.addEventListener("click", () => ask(each.dataset.strategies.split(" "), []));
  }
  regenerate.addEventListener("click", () => ask(request.strategies, columns.map((one) => one.id).filter(Boolean)));

  return {
    onFrame(frame) {
      if (!request || frame.about !== request.id) return;
      if (frame.t === "delta") {
        columns[frame.column].text += frame.text;
        list.children[frame.column].querySelector("p").textContent = columns[frame.column].text;
      }
      if (frame.t === "suggestion") fill(frame);
      if (frame.t === "help_done") {
        if (state.textContent === "Thinking") state.textContent = "Suggestions are there";
        regenerate.hidden = false;
      }
    },
    refused(frame) {
      if (!request || frame.about !== request.id) return false;
      state.textContent = frame.says;
      return true;
    },
  };
}
