"use strict";
(() => {
  const at = (id) => document.getElementById(id);
  const data = JSON.parse(at("data").textContent);
  const tokens = [...at("tokens").children];
  const map = at("map");
  const count = tokens.length;
  const bounds = [4, 18];
  let side = bounds[0];
  const full = 4;
  const state = { layer: 0, show: "penalty", row: count - 1, column: 0 };

  const layer = () => data.layers[state.layer];
  const valueAt = (row, column) => (column <= row ? layer()[state.show][row][column] : 0);
  const named = (index) => `“${tokens[index].textContent}” (${index})`;

  function say() {
    const { row, column } = state;
    const where = `Layer ${layer().layer}. `;
    if (column > row) {
      at("said").textContent = `${where}${named(row)} cannot see ${named(column)}, which comes later.`;
      return;
    }
    const vote = layer().votes[row][column].toFixed(2);
    const penalty = layer().penalty[row][column].toFixed(2);
    at("said").textContent =
      `${where}${named(row)} votes ${vote} on ${named(column)}; the penalty on that token was ${penalty} until then.`;
  }

  function shadeTokens() {
    tokens.forEach((token, index) => {
      const value = valueAt(state.row, index);
      token.setAttribute("aria-selected", String(index === state.row));
      token.classList.toggle("later", index > state.row);
      token.classList.toggle("pointed", index === state.column);
      token.classList.toggle("masked", index < state.row && value >= 1);
      token.style.setProperty("--share", index < state.row ? String(1 - Math.exp(-value)) : "0");
    });
    at("tokens").setAttribute("aria-activedescendant", `token-${state.row}`);
  }

  function draw() {
    const ratio = window.devicePixelRatio || 1;
    side = Math.max(bounds[0], Math.min(bounds[1], Math.floor((map.parentElement.clientWidth - 2) / count)));
    const pen = map.getContext("2d");
    const colours = getComputedStyle(document.documentElement);
    map.width = map.height = count * side * ratio;
    map.style.width = map.style.height = `${count * side}px`;
    pen.scale(ratio, ratio);
    for (let row = 0; row < count; row += 1) {
      for (let column = 0; column < count; column += 1) {
        pen.globalAlpha = column > row ? 1 : Math.min(1, valueAt(row, column) / full);
        pen.fillStyle = colours.getPropertyValue(column > row ? "--panel" : "--accent");
        if (pen.globalAlpha > 0) pen.fillRect(column * side, row * side, side, side);
      }
    }
    pen.globalAlpha = 1;
    pen.lineWidth = 2;
    pen.strokeStyle = colours.getPropertyValue("--fails");
    pen.strokeRect(state.column * side + 1, state.row * side + 1, side - 2, side - 2);
  }

  function show(changes) {
    Object.assign(state, changes);
    const within = (number) => Math.max(0, Math.min(count - 1, number));
    state.row = within(state.row);
    state.column = within(state.column);
    shadeTokens();
    draw();
    say();
  }

  const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

  map.addEventListener("keydown", (event) => {
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    show({ row: state.row + step[0], column: state.column + step[1] });
  });
  function point(event) {
    const box = map.getBoundingClientRect();
    const cell = (offset) => Math.floor((offset * count) / box.width);
    show({ row: cell(event.clientY - box.top), column: cell(event.clientX - box.left) });
  }
  map.addEventListener("pointermove", point);
  map.addEventListener("pointerdown", point);

  at("tokens").addEventListener("keydown", (event) => {
    const step = { ...steps, Home: [0, -count], End: [0, count] }[event.key];
    if (!step) return;
    event.preventDefault();
    show({ row: state.row + step[0] + step[1] });
  });
  tokens.forEach((token, index) => token.addEventListener("click", () => show({ row: index })));
  at("layer").addEventListener("change", (event) => show({ layer: Number(event.target.value) }));
  document.querySelectorAll("input[name=show]").forEach((choice) => {
    choice.addEventListener("change", () => show({ show: choice.value }));
  });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  window.addEventListener("resize", draw);

  at("choices").addEventListener("submit", (event) => event.preventDefault());
  ["choices", "reading", "map-part"].forEach((id) => { at(id).hidden = false; });
  show({});
})();
