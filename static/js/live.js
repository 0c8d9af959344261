// Live pages: news of the workspace arrive by server-sent events, and what they are about on this
// page is fetched anew and put in place. Without this script, or the stream, pages stay as they are.
//
// [data-live="frame event"] with an id: a region that follows news of these kinds; in it,
// [data-live-list] are lists whose items (li[id], li[data-key]) are added to and renewed one by one;
// anything else is replaced when it says something else. [data-live-reload]: the page begins anew.
(() => {
  "use strict";
  const main = document.querySelector("[data-stream]");
  const { all, localise, fold } = window.StackMemory;
  const regions = main ? all("[data-live]", main) : [];
  if (!regions.length || !window.EventSource) return;
  const about = main.querySelector("[data-live-about]")?.dataset.liveAbout;
  const kinds = new Set(regions.flatMap((region) => region.dataset.live.split(" ")));

  // --- What is fetched, and how often -----------------------------------------------------------
  let dirty = false;
  let busy = false;
  let pause = 250; // grows with what the page costs the server
  let timer;
  const soon = () => {
    dirty = true;
    if (!busy && !timer && !document.hidden) timer = setTimeout(renew, pause);
  };
  const renew = async () => {
    timer = undefined;
    busy = true;
    dirty = false;
    const began = performance.now();
    let text = "";
    try {
      const answer = await fetch(location.href, { credentials: "same-origin" });
      if (answer.ok && !answer.redirected) text = await answer.text();
    } catch {
      dirty = true; // the server is away for a moment; the stream says so
    }
    pause = Math.min(Math.max(250, 5 * (performance.now() - began)), 15000);
    busy = false;
    if (text) {
      const page = new DOMParser().parseFromString(text, "text/html");
      keepPlace(() => regions.forEach((region) => put(region, page.getElementById(region.id))));
    }
    if (dirty) soon();
  };

  // --- Putting it in place ----------------------------------------------------------------------
  const words = (el) => {
    const copy = el.cloneNode(true);
    for (const part of copy.querySelectorAll("time, button, [role=group]")) part.remove();
    return copy.textContent.replace(/\s+/g, " ").trim();
  };
  const keyOf = (item) => item.id || item.dataset.key;
  const put = (region, fresh) => {
    if (!fresh) {
      if (region.hasAttribute("data-live-reload")) location.reload();
      return;
    }
    const lists = all("[data-live-list]", region);
    const theirs = all("[data-live-list]", fresh);
    if (region.hasAttribute("data-live-reload") || lists.length !== theirs.length) {
      if (words(region) !== words(fresh)) location.reload();
      return;
    }
    if (!lists.length) return replace(region, fresh);
    const parts = all("[data-live-part]", fresh);
    all("[data-live-part]", region).forEach((part, n) => parts[n] && replace(part, parts[n]));
    lists.forEach((list, n) => merge(list, theirs[n]));
  };
  const replace = (old, fresh) => {
    if (words(old) === words(fresh) && old.querySelectorAll("rect").length === fresh.querySelectorAll("rect").length) return;
    if (old.contains(document.activeElement)) return; // later, with the next news
    const open = all("details", old).map((one) => one.open);
    old.replaceChildren(...fresh.childNodes);
    all("details", old).forEach((one, n) => { if (n in open) one.open = open[n]; });
    dress(old);
  };
  const merge = (list, fresh) => {
    const known = new Map([...list.children].filter(keyOf).map((item) => [keyOf(item), item]));
    const items = [...fresh.children].filter(keyOf);
    if (known.size && !items.some((item) => known.has(keyOf(item)))) {
      list.replaceChildren(...fresh.childNodes); // so much has happened that nothing joins the two
      return dress(list);
    }
    let last = null;
    let between = [];
    for (const item of [...fresh.children]) {
      const key = keyOf(item);
      if (!key) { between.push(item); continue; }
      const old = known.get(key);
      if (old) renewItem(old, item);
      else {
        const added = [...between, item];
        if (last) last.after(...added);
        else if (known.size) [...known.values()][0].before(...added);
        else list.append(...added);
        item.classList.add("is-new");
        dress(item);
      }
      last = old || item;
      between = [];
    }
  };
  const renewItem = (old, fresh) => {
    const row = old.querySelector(":scope > [role=treeitem]");
    if (!row) { // of a timeline
      if (words(old) === words(fresh)) return;
      const open = all("details", old).map((one) => one.open);
      if (old.contains(document.activeElement)) return;
      old.className = fresh.className;
      old.replaceChildren(...fresh.childNodes);
      all("details", old).forEach((one, n) => { if (open[n]) one.open = true; });
      return dress(old);
    }
    const next = fresh.querySelector(":scope > [role=treeitem]");
    old.className = fresh.className;
    if (next.hasAttribute("aria-current")) row.setAttribute("aria-current", "true");
    else row.removeAttribute("aria-current");
    if (words(row) !== words(next) || !row.querySelector(".twist svg") !== !next.querySelector(".twist svg")) {
      const within = row.contains(document.activeElement) && document.activeElement !== row;
      row.replaceChildren(...next.childNodes);
      if (within) row.focus({ preventScroll: true });
      if (!row.hasAttribute("aria-expanded") && next.hasAttribute("aria-expanded")) row.setAttribute("aria-expanded", next.getAttribute("aria-expanded"));
      dress(row);
    }
    const group = old.querySelector(":scope > [role=group]");
    const below = fresh.querySelector(":scope > [role=group]");
    if (below && !group) {
      old.append(below);
      for (const item of below.children) item.classList.add("is-new");
      dress(below);
    } else if (below && group.firstElementChild) merge(group, below);
  };
  const dress = (within) => {
    localise(within);
    fold(within);
    // In a tree Tab stops once (tree.js).
    if (!within.closest("[role=tree]")) return;
    const items = within.matches("[role=treeitem]") ? [] : all("[role=treeitem]", within);
    for (const el of [...items, ...all("a, button", within)]) el.tabIndex = -1;
  };
  // What is being read stays where it is on the screen.
  const keepPlace = (change) => {
    const seen = window.scrollY > 0 ? document.elementsFromPoint(window.innerWidth / 2, 80).find((el) => el.closest("[data-live]")) : null;
    const anchor = seen ? seen.closest("li") || seen.closest("section") || seen : null;
    const top = anchor?.getBoundingClientRect().top;
    change();
    if (anchor?.isConnected) window.scrollBy(0, anchor.getBoundingClientRect().top - top);
  };

  // --- The stream -------------------------------------------------------------------------------
  const status = document.querySelector("[data-live-status]");
  const tell = (text) => { if (status) { status.textContent = text; status.hidden = !text; } };
  let source;
  let last;
  let heard = false; // at least once: this server has streams
  let wait = 2000;
  let lost;
  const open = () => {
    clearTimeout(lost);
    source?.close();
    const url = new URL(main.dataset.stream, location.href);
    if (last) url.searchParams.set("since", last);
    source = new EventSource(url);
    const note = (event) => {
      last = event.lastEventId || last;
      heard = true;
      wait = 2000;
      clearTimeout(lost);
      lost = undefined;
      tell("");
      main.dataset.liveState = "on";
    };
    source.addEventListener("ready", note);
    source.addEventListener("beat", note);
    source.addEventListener("reset", (event) => { note(event); soon(); });
    source.addEventListener("ended", () => { source.close(); tell("This page no longer follows what happens. Load it anew."); });
    source.onmessage = (event) => {
      note(event);
      const news = JSON.parse(event.data);
      if (!kinds.has(news.kind)) return;
      if (about && news.frame && news.frame !== about && !news.ids.includes(about)) return;
      soon();
    };
    source.onerror = () => {
      main.dataset.liveState = "off";
      // A moment without a connection is a deploy, and no news to anybody.
      if (heard && !lost) lost = setTimeout(() => tell("The connection is lost; trying again. What is shown may be old."), 4000);
      if (source.readyState !== EventSource.CLOSED) return; // it comes back by itself
      setTimeout(() => { if (!document.hidden) open(); }, heard ? wait : 30 * wait);
      wait = Math.min(wait * 2, 60000);
    };
  };
  const close = () => { source?.close(); source = undefined; };

  // A page nobody looks at needs no connection: a browser has six for a site.
  let away;
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) { away = setTimeout(close, 20000); return; }
    clearTimeout(away);
    if (!source || source.readyState === EventSource.CLOSED) open();
    if (dirty) soon();
  });
  window.addEventListener("pagehide", close);
  window.addEventListener("pageshow", (event) => { if (event.persisted) { open(); soon(); } });
  if (!document.hidden) open();
  // What goes by the clock, as a rate that falls: [data-live-every="SECONDS"].
  const every = Math.min(...regions.map((region) => Number(region.dataset.liveEvery) || Infinity));
  if (every < Infinity) setInterval(soon, every * 1000);
})();
