// The flame graph: zoom without leaving the page, arrow keys between bars, moments by click.
(() => {
  "use strict";
  const { all, localise, fold } = window.StackMemory;
  const section = () => document.querySelector(".flame-section");
  const flame = () => document.querySelector("[data-flame]");
  if (!flame()) return;
  const bars = () => all(".fl-link", flame());

  const show = async (url, { push = true, focusId = null } = {}) => {
    section().classList.add("is-busy");
    try {
      const answer = await fetch(url, { credentials: "same-origin" });
      if (!answer.ok || answer.redirected) throw new Error(answer.status);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const selector of [".flame-section", ".session-timeline"]) {
        const fresh = document.adoptNode(page.querySelector(selector));
        document.querySelector(selector).replaceWith(fresh);
        localise(fresh);
        fold(fresh);
      }
      if (push) history.pushState({ flame: true }, "", url);
      adopt();
      if (focusId) bars().find((bar) => bar.dataset.id === focusId)?.focus({ preventScroll: true });
    } catch {
      location.assign(url);
    } finally {
      section()?.classList.remove("is-busy");
    }
  };

  // One stop for Tab; arrows move.
  const adopt = () => {
    const list = bars();
    list.forEach((bar) => bar.setAttribute("tabindex", "-1"));
    (list.find((bar) => bar.classList.contains("is-chosen")) || list[0])?.setAttribute("tabindex", "0");
  };
  const focus = (bar) => {
    if (!bar) return;
    bars().forEach((one) => one.setAttribute("tabindex", "-1"));
    bar.setAttribute("tabindex", "0");
    bar.focus();
    bar.scrollIntoView?.({ block: "nearest", inline: "nearest" });
  };

  const box = (bar) => bar.querySelector("svg").getBoundingClientRect();
  // The nearest bar in a direction: by row first for up and down, by time within a row.
  const neighbour = (bar, dx, dy) => {
    const from = box(bar);
    let best;
    let least = Infinity;
    for (const other of bars()) {
      if (other === bar) continue;
      const to = box(other);
      const across = (to.left - from.left) * dx;
      const down = (to.top - from.top) * dy;
      if (dx && (Math.abs(to.top - from.top) > 2 || across <= 0)) continue;
      if (dy && down <= 2) continue;
      const apart = Math.max(0, to.left - from.right, from.left - to.right);
      const cost = dx ? across : down * 1000 + apart;
      if (cost < least) { least = cost; best = other; }
    }
    return best;
  };
  const parent = (bar) => bars().find((other) => other.dataset.id === bar.dataset.parent);
  const zoomOut = () => show(flame().dataset.here, { focusId: document.activeElement?.dataset?.id });

  document.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    const bar = event.target.closest(".fl-link");
    if (bar) {
      event.preventDefault();
      // A second click on what is zoomed in on opens it.
      if (bar.classList.contains("is-chosen")) location.assign(bar.dataset.open);
      else show(bar.getAttribute("href"), { focusId: bar.dataset.id });
    } else if (event.target.closest("[data-zoom-out]")) {
      event.preventDefault();
      zoomOut();
    } else if (event.target.closest("[data-flame]")) {
      const svg = flame().querySelector(".flame-svg").getBoundingClientRect();
      const share = (event.clientX - svg.left) / svg.width;
      const at = new Date(new Date(flame().dataset.start).getTime() + share * flame().dataset.span * 1000);
      const url = new URL(location.href);
      url.searchParams.set("at", at.toISOString());
      for (const name of ["before", "after"]) url.searchParams.delete(name);
      show(url.href);
    }
  });
  document.addEventListener("keydown", (event) => {
    const bar = event.target.closest?.(".fl-link");
    if (!bar || event.ctrlKey || event.metaKey || event.altKey) return;
    const go = {
      ArrowRight: () => focus(neighbour(bar, 1, 0)),
      ArrowLeft: () => focus(neighbour(bar, -1, 0)),
      ArrowDown: () => focus(neighbour(bar, 0, 1)),
      ArrowUp: () => focus(parent(bar) || neighbour(bar, 0, -1)),
      Enter: () => bar.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true })),
      o: () => location.assign(bar.dataset.open),
      0: zoomOut,
      Escape: zoomOut,
    }[event.key];
    if (!go) return;
    event.preventDefault();
    go();
  });
  window.addEventListener("popstate", () => show(location.href, { push: false }));
  adopt();
})();
