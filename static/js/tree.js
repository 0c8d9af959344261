// The call stack: keys (arrows, j k, Enter), folding, and more frames fetched in place.
(() => {
  "use strict";
  const tree = document.querySelector("[role=tree]");
  if (!tree) return;
  const { all, localise, say } = window.StackMemory;
  // An item is a row; its <li> holds the row and the group of what is below.
  const items = (within = tree) => all("[role=treeitem]", within).filter((item) => item.getClientRects().length);
  const group = (item) => item.parentElement.querySelector(":scope > [role=group]");
  const parent = (item) => item.parentElement.parentElement.closest("li")?.querySelector(":scope > [role=treeitem]");
  const link = (item) => item.querySelector(".f-name, .more-link[href]");
  const unloaded = (item) => !group(item)?.firstElementChild && item.querySelector(".twist[data-part]");
  const isOpen = (item) => item.getAttribute("aria-expanded") === "true";
  const isShut = (item) => item.getAttribute("aria-expanded") === "false";
  let current;

  // One stop for Tab; arrows do the rest. Links stay links for the mouse.
  const adopt = (within) => {
    for (const item of all("[role=treeitem]", within)) item.tabIndex = -1;
    for (const a of all("a, button", within)) a.tabIndex = -1;
  };
  const mark = (item) => {
    if (current) current.tabIndex = -1;
    current = item;
    item.tabIndex = 0;
  };
  const focus = (item) => {
    if (!item) return;
    mark(item);
    item.focus({ preventScroll: true });
    item.scrollIntoView({ block: "nearest" });
  };

  const fetchRows = async (a, level) => {
    const url = new URL(a.href);
    url.searchParams.set("part", "1");
    const row = a.closest("[role=treeitem]");
    row.classList.add("is-busy");
    try {
      const answer = await fetch(url, { credentials: "same-origin" });
      if (!answer.ok || answer.redirected) throw new Error(answer.status);
      const box = document.createElement("ul");
      box.innerHTML = await answer.text(); // our own page's HTML, escaped by the server
      adopt(box);
      localise(box);
      for (const item of all("[role=treeitem]", box)) item.setAttribute("aria-level", level);
      return [...box.children];
    } catch {
      say("The frames could not be fetched. Try again.");
      return null;
    } finally {
      row.classList.remove("is-busy");
    }
  };
  const levelOf = (item) => Number(item.getAttribute("aria-level"));
  const earlier = async (item) => {
    const rows = await fetchRows(link(item), levelOf(item));
    if (!rows) return;
    const focused = item.contains(document.activeElement);
    item.parentElement.before(...rows);
    item.parentElement.remove();
    if (focused) focus(rows[0].querySelector("[role=treeitem]"));
  };
  const open = async (item) => {
    const more = unloaded(item);
    if (more) {
      const rows = await fetchRows(more, levelOf(item) + 1);
      if (!rows) return;
      group(item).replaceChildren(...rows);
      item.querySelector(".more-below")?.remove();
    }
    item.setAttribute("aria-expanded", "true");
  };
  const close = (item) => item.setAttribute("aria-expanded", "false");

  tree.addEventListener("click", (event) => {
    const item = event.target.closest("[role=treeitem]");
    if (!item || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (event.target.closest(".twist") && (isOpen(item) || isShut(item))) {
      event.preventDefault();
      focus(item);
      if (isOpen(item)) close(item);
      else open(item);
    } else if (event.target.closest(".more-link[href]")) {
      event.preventDefault();
      earlier(item);
    }
  });

  const next = (item, list, step) => focus(list[list.indexOf(item) + step]);
  const keys = {
    ArrowDown: (item, list) => next(item, list, 1),
    ArrowUp: (item, list) => next(item, list, -1),
    ArrowRight: (item, list) => { if (isShut(item)) open(item); else if (isOpen(item)) next(item, list, 1); },
    ArrowLeft: (item) => { if (isOpen(item)) close(item); else focus(parent(item)); },
    Home: (item, list) => focus(list[0]),
    End: (item, list) => focus(list.at(-1)),
    "*": (item) => all(":scope > li > [aria-expanded=false]", item.parentElement.parentElement).forEach(open),
    Enter: (item) => { if (item.querySelector(".more-link[href]")) earlier(item); else link(item)?.click(); },
    " ": (item) => { if (isOpen(item)) close(item); else if (isShut(item)) open(item); },
  };
  Object.assign(keys, { j: keys.ArrowDown, k: keys.ArrowUp, h: keys.ArrowLeft, l: keys.ArrowRight });
  tree.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const item = event.target.closest("[role=treeitem]");
    if (!item || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key](item, items());
  });
  // j and k from anywhere on the page go into the tree.
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !["j", "k"].includes(event.key)) return;
    if (event.target.closest?.("input, textarea, select, [contenteditable], dialog[open], [role=tree]")) return;
    focus(current?.getClientRects().length ? current : items()[0]);
  });
  tree.addEventListener("focusin", (event) => {
    const item = event.target.closest("[role=treeitem]");
    if (item && item !== current) mark(item);
  });

  document.addEventListener("click", (event) => {
    const fold = event.target.closest("[data-tree-fold]");
    if (!fold && !event.target.closest("[data-tree-unfold]")) return;
    for (const item of all("[aria-expanded]", tree)) if (!unloaded(item)) item.setAttribute("aria-expanded", String(!fold));
    if (!current?.getClientRects().length) mark(items()[0]);
  });

  adopt(tree);
  const first = tree.querySelector("[aria-current]") || tree.querySelector("[role=treeitem]");
  if (first) mark(first);
})();
