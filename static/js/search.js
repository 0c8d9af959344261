// Search as one types: the results are fetched and put in place; the address follows. Without this
// script the form is sent as forms are.
(() => {
  "use strict";
  const form = document.querySelector("[data-search]");
  const results = document.getElementById("results");
  if (!form || !results) return;
  const box = form.querySelector("input[type=search]");
  const WAIT = 180;
  let timer = 0;
  let asking = null;
  let shown = box.value.trim();

  const address = () => {
    const query = new URLSearchParams(new FormData(form));
    [...query].forEach(([name, value]) => { if (!value.trim()) query.delete(name); });
    return query;
  };
  const show = async (query, remember) => {
    asking?.abort();
    asking = new AbortController();
    results.setAttribute("aria-busy", "true");
    const url = `${location.pathname}?${query}`;
    const part = new URLSearchParams(query);
    part.set("part", "1");
    try {
      const response = await fetch(`${location.pathname}?${part}`, { signal: asking.signal, credentials: "same-origin" });
      if (!response.ok || response.redirected) { location.assign(url); return; }
      results.innerHTML = await response.text();
      document.dispatchEvent(new CustomEvent("parts", { detail: results }));
      if (remember) history.replaceState(null, "", url);
    } catch (error) {
      if (error.name === "AbortError") return;
    }
    results.setAttribute("aria-busy", "false");
  };
  const soon = () => {
    clearTimeout(timer);
    const text = box.value.trim();
    if (text === shown) return;
    timer = setTimeout(() => { shown = text; show(address(), true); }, WAIT);
  };
  box.addEventListener("input", soon);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(timer);
    shown = box.value.trim();
    show(address(), true);
  });
  // From the box into the results and back.
  box.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown") return;
    const first = results.querySelector("[data-row-link]");
    if (first) { event.preventDefault(); first.focus(); }
  });
  results.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    const links = [...results.querySelectorAll("[data-row-link]")];
    const at = links.indexOf(document.activeElement);
    if (at < 0) return;
    event.preventDefault();
    const next = at + (event.key === "ArrowDown" ? 1 : -1);
    if (next < 0) box.focus(); else links[Math.min(next, links.length - 1)].focus();
  });
  if (box.value) box.setSelectionRange(box.value.length, box.value.length);
})();
