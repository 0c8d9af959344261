// Keys: j k Enter over [data-row] rows, / to the filter, n p through pages, g + letter, ? for the list.
(() => {
  "use strict";
  const all = (selector) => [...document.querySelectorAll(selector)];
  const shown = (el) => el.getClientRects().length > 0;
  let current = -1;
  let goingUntil = 0;

  const rows = () => all("[data-row]").filter(shown);
  const move = (step) => {
    const list = rows();
    if (!list.length) return;
    const at = list.findIndex((row) => row.classList.contains("is-current"));
    current = Math.min(list.length - 1, Math.max(0, (at < 0 ? (step > 0 ? -1 : list.length) : at) + step));
    list.forEach((row) => row.classList.remove("is-current"));
    const row = list[current];
    row.classList.add("is-current");
    const link = row.matches("a[href]") ? row : row.querySelector("[data-row-link]") || row.querySelector("a[href]");
    (link || row).focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
  };
  const follow = (selector) => document.querySelector(selector)?.click();
  const places = { h: "Home", p: "Projects", s: "Sessions", a: "Anchors", t: "Tasks" };
  const go = (label) => all(".rail nav a").find((a) => a.textContent.trim() === label)?.click();

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      if (event.target.matches?.("input, textarea, select")) event.target.blur();
      all("details.menu[open]").forEach((menu) => { menu.open = false; menu.querySelector("summary").focus(); });
      if (location.hash === "#rail") { location.hash = "#main"; }
      return;
    }
    if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "k") {
      const box = document.querySelector("[data-search] input[type=search]");
      event.preventDefault();
      if (box) { box.focus(); box.select(); } else go("Search");
      return;
    }
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest?.("input, textarea, select, [contenteditable], dialog[open], [role=tree]")) return;
    if (Date.now() < goingUntil && places[event.key]) {
      goingUntil = 0;
      event.preventDefault();
      return go(places[event.key]);
    }
    const actions = {
      j: () => move(1),
      k: () => move(-1),
      n: () => follow(".pager a[rel=next]"),
      p: () => follow(".pager a[rel=prev]"),
      g: () => { goingUntil = Date.now() + 1200; },
      "?": () => document.getElementById("keys")?.showModal(),
      "/": () => {
        const box = document.querySelector("[data-key-search]") || document.querySelector("input[type=search]");
        if (!box) return go("Search");
        box.focus();
        box.select();
      },
    };
    if (!actions[event.key]) return;
    event.preventDefault();
    actions[event.key]();
  });

  // The drawer of a phone: focus goes in, and comes back.
  window.addEventListener("hashchange", () => {
    if (location.hash === "#rail") document.querySelector("#rail summary")?.focus();
  });
})();
