(() => {
  "use strict";
  const EVERY_MS = 4000;
  const IDLE_MS = 4000;
  const key = "paperworks-live:" + location.pathname;
  const button = document.getElementById("live-button");
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  let touched = 0;

  const recall = () => {
    try { return JSON.parse(sessionStorage.getItem(key)) || {}; } catch { return {}; }
  };
  const keep = (state) => {
    try { sessionStorage.setItem(key, JSON.stringify(state)); } catch { /* private mode: nothing is kept */ }
  };
  const described = (node) => node && node !== document.body
    ? { id: node.id || (node.closest("[id]") || {}).id, href: node.getAttribute("href"), tag: node.tagName }
    : null;
  const found = (focus) => focus && [...document.querySelectorAll(focus.tag)].find((node) =>
    (node.id || (node.closest("[id]") || {}).id) === focus.id && node.getAttribute("href") === focus.href);

  const reload = () => {
    const open = {};
    for (const node of document.querySelectorAll("details[id]")) open[node.id] = node.open;
    keep({ paused, open, focus: described(document.activeElement), x: scrollX, y: scrollY });
    location.reload();
  };

  const before = recall();
  let paused = Boolean(before.paused) || still.matches;
  for (const [id, open] of Object.entries(before.open || {})) {
    const node = document.getElementById(id);
    if (node) node.open = open;
  }
  const focused = found(before.focus);
  if (focused) focused.focus({ preventScroll: true });
  if (before.y !== undefined) scrollTo({ left: before.x, top: before.y, behavior: "instant" });
  keep({ paused: before.paused });

  const label = () => { button.textContent = still.matches ? "Reload now" : paused ? "Go on" : "Pause"; };
  label();
  button.addEventListener("click", () => {
    if (still.matches) { reload(); return; }
    paused = !paused;
    keep({ paused });
    label();
  });
  for (const kind of ["keydown", "pointerdown", "wheel", "touchmove"]) {
    addEventListener(kind, () => { touched = performance.now(); }, { passive: true });
  }
  setInterval(() => {
    const idle = touched === 0 || performance.now() - touched > IDLE_MS;
    if (!paused && idle && !document.hidden && String(getSelection()) === "") reload();
  }, EVERY_MS);
})();
