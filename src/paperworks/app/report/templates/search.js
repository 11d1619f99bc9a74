// Search and filters of the list of papers. What is asked for stands in the address, so that a view can be linked.
(() => {
  "use strict";
  const form = document.getElementById("find");
  const found = document.getElementById("found");
  const none = document.getElementById("none-found");
  const fold = (text) => text.normalize("NFKD").replace(/\p{Mn}/gu, "").toLowerCase();
  const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

  const claimOf = (item, entry) => ({
    shown: [item, ...entry.querySelectorAll(`.marks [data-claim="${item.dataset.claim}"]`)],
    words: fold(item.dataset.words),
    verdicts: { published: [item.dataset.published], yours: [item.dataset.yours] },
  });
  const entries = [...document.querySelectorAll(".entry")].map((node) => ({
    node,
    words: fold(node.dataset.words),
    field: node.dataset.field,
    details: node.querySelector("details"),
    claims: [...node.querySelectorAll(".claim-list > li")].map((item) => claimOf(item, node)),
    howMany: node.querySelector(".how-many"),
    all: node.querySelector(".how-many").textContent,
    unfolded: false,
  }));
  for (const entry of entries) {
    for (const claim of entry.claims) claim.verdicts[""] = [...claim.verdicts.published, ...claim.verdicts.yours];
  }
  const total = entries.reduce((sum, entry) => sum + entry.claims.length, 0);

  const asked = () => {
    const given = new FormData(form);
    return {
      words: fold(given.get("q")).split(/\s+/).filter(Boolean),
      verdicts: given.getAll("verdict"),
      of: given.get("of"),
      field: given.get("field"),
    };
  };
  // Every word has to stand in the claim or in its paper.
  const hasWords = (want, claim, entry) => want.words.every((word) => claim.words.includes(word) || entry.words.includes(word));
  const hasField = (want, entry) => want.field === "" || want.field === entry.field;
  const hasVerdict = (want, claim) => want.verdicts.length === 0
    || claim.verdicts[want.of].some((verdict) => want.verdicts.includes(verdict));
  const matches = (want, claim, entry) => hasField(want, entry) && hasVerdict(want, claim) && hasWords(want, claim, entry);
  const count = (want) => entries.reduce(
    (sum, entry) => sum + entry.claims.filter((claim) => matches(want, claim, entry)).length, 0);

  const show = () => {
    const want = asked();
    let claims = 0, papers = 0;
    for (const entry of entries) {
      const kept = entry.claims.filter((claim) => matches(want, claim, entry));
      for (const claim of entry.claims) for (const node of claim.shown) node.hidden = !kept.includes(claim);
      entry.node.hidden = kept.length === 0;
      entry.howMany.textContent = kept.length < entry.claims.length
        ? `${kept.length} of ${plural(entry.claims.length, "claim")}` : entry.all;
      entry.node.classList.toggle("of-claims", isOfClaims(want, entry));
      unfold(entry, kept.length > 0 && isOfClaims(want, entry));
      claims += kept.length;
      papers += kept.length > 0;
    }
    const narrowed = claims < total;
    found.textContent = narrowed
      ? `${claims} of ${plural(total, "claim")}, in ${papers} of ${plural(entries.length, "paper")}` : "All claims are shown.";
    found.classList.toggle("visually-hidden", !narrowed);
    none.hidden = claims > 0;
    label(want);
  };
  // Where claims are asked for, not the paper as such, they are shown, and its most telling claim is not. What we
  // unfolded for that we fold again.
  const isOfClaims = (want, entry) => want.verdicts.length > 0 || want.words.some((word) => !entry.words.includes(word));
  const unfold = (entry, wanted) => {
    if (wanted && !entry.details.open) { entry.details.open = true; entry.unfolded = true; }
    if (!wanted && entry.unfolded) { entry.details.open = false; entry.unfolded = false; }
  };
  // Beside each choice, how many claims it would show with all other choices as they are.
  const label = (want) => {
    for (const node of form.querySelectorAll("[data-count]")) {
      node.textContent = count({ ...want, verdicts: [node.dataset.count] });
    }
    for (const option of form.elements.field.options) {
      if (option.value) option.textContent = `${option.value} (${count({ ...want, field: option.value })})`;
    }
  };

  const read = () => {
    const given = new URLSearchParams(location.search);
    const of = given.get("of"), field = given.get("field");
    form.reset();
    form.elements.q.value = given.get("q") || "";
    for (const box of form.querySelectorAll("[name=verdict]")) box.checked = given.getAll("verdict").includes(box.value);
    for (const [name, value] of [["of", of], ["field", field]]) {
      if ([...form.elements[name].options].some((option) => option.value === value)) form.elements[name].value = value;
    }
    show();
  };
  const write = () => {
    const given = new URLSearchParams([...new FormData(form)].filter(([, value]) => value.trim() !== ""));
    history.replaceState(history.state, "", location.pathname + (given.size ? `?${given}` : "") + location.hash);
    show();
  };

  form.addEventListener("input", write);
  const clear = () => { form.reset(); write(); form.elements.q.focus(); };
  form.addEventListener("submit", (event) => event.preventDefault());
  for (const button of document.querySelectorAll("button.clear")) button.addEventListener("click", clear);
  addEventListener("popstate", read);
  form.hidden = false;
  read();
})();
