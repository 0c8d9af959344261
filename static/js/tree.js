// The call stack: keys (arrows, j k, Enter), folding, and more frames fetched in place.
(() => {
  "use strict";
  const tree = document.querySelector("[role=tree]");
  if (!tree) return;
  const { all, localise, say } = window.StackMemory;
  const items = () => all("[role=treeitem]", tree).filter((item) => item.getClientRects().length);
  const group = (item) => item.querySelector(":scope > [role=group]");
  const link = (item) => item.querySelector(":scope > .tree-row .f-name") || item.querySelector(":scope > .tree-row .more-link[href]");
  const parent = (item) => item.parentElement.closest("[role=treeitem]");
  let current;

  // One stop for Tab; arrows do the rest. Links stay links for the mouse.
  const adopt = (within) => {
    for (const item of all("[role=treeitem]", within)) item.tabIndex = -1;
    for (const a of all("a, button", within)) a.tabIndex = -1;
  };
  const focus = (item) => {
    if (!item) return;
    if (current) current.tabIndex = -1;
    current = item;
    item.tabIndex = 0;
    item.focus({ preventScroll: true });
    item.firstElementChild.scrollIntoView({ block: "nearest" });
  };

  const fetchRows = async (a) => {
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
      return [...box.children];
    } catch {
      say("The frames could not be fetched. Try again.");
      return null;
    } finally {
      row.classList.remove("is-busy");
    }
  };
  const earlier = async (item) => {
    const rows = await fetchRows(link(item));
    if (!rows) return;
    const focused = item === document.activeElement || item.contains(document.activeElement);
    item.before(...rows);
    item.remove();
    if (focused) focus(rows[0]);
  };
  const open = async (item) => {
    const more = item.querySelector(":scope > .tree-row .twist[data-part]");
    if (more && !item.dataset.loaded) {
      const rows = await fetchRows(more);
      if (!rows) return;
      group(item).replaceChildren(...rows);
      item.dataset.loaded = "1";
      item.querySelector(":scope > .tree-row .more-below")?.remove();
    }
    item.setAttribute("aria-expanded", "true");
    if (group(item)) group(item).hidden = false;
  };
  const close = (item) => item.setAttribute("aria-expanded", "false");
  const isOpen = (item) => item.getAttribute("aria-expanded") === "true";
  const isShut = (item) => item.getAttribute("aria-expanded") === "false";

  tree.addEventListener("click", (event) => {
    const item = event.target.closest("[role=treeitem]");
    const plain = !event.ctrlKey && !event.metaKey && !event.shiftKey;
    if (!item || !plain) return;
    if (event.target.closest(".twist")) {
      if (!isOpen(item) && !isShut(item)) return;
      event.preventDefault();
      focus(item);
      if (isOpen(item)) close(item);
      else open(item);
    } else if (event.target.closest(".more-link[href]")) {
      event.preventDefault();
      earlier(item);
    }
  });

  const keys = {
    ArrowDown: (item, list) => focus(list[list.indexOf(item) + 1]),
    ArrowUp: (item, list) => focus(list[list.indexOf(item) - 1]),
    ArrowRight: (item, list) => { if (isShut(item)) open(item); else if (isOpen(item)) focus(list[list.indexOf(item) + 1]); },
    ArrowLeft: (item) => { if (isOpen(item)) close(item); else focus(parent(item)); },
    Home: (item, list) => focus(list[0]),
    End: (item, list) => focus(list.at(-1)),
    "*": (item) => [...item.parentElement.children].filter(isShut).forEach(open),
    Enter: (item) => { if (item.classList.contains("is-more") && link(item)) earlier(item); else link(item)?.click(); },
    " ": (item) => { if (isOpen(item)) close(item); else if (isShut(item)) open(item); },
  };
  keys.j = keys.l = keys.ArrowDown;
  keys.k = keys.ArrowUp;
  keys.h = keys.ArrowLeft;
  keys.l = keys.ArrowRight;
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
    focus(current || items()[0]);
  });
  tree.addEventListener("focusin", (event) => {
    const item = event.target.closest("[role=treeitem]");
    if (item && item !== current) { if (current) current.tabIndex = -1; current = item; item.tabIndex = 0; }
  });

  document.addEventListener("click", (event) => {
    const fold = event.target.closest("[data-tree-fold]");
    const unfold = event.target.closest("[data-tree-unfold]");
    if (fold) all("[role=treeitem][aria-expanded=true]", tree).forEach(close);
    if (unfold) all("[role=treeitem][aria-expanded=false]", tree).filter((item) => item.dataset.loaded || !item.querySelector(":scope > .tree-row .twist[data-part]")).forEach((item) => item.setAttribute("aria-expanded", "true"));
    if (fold || unfold) { const at = current?.getClientRects().length ? current : items()[0]; if (at) { if (current) current.tabIndex = -1; current = at; at.tabIndex = 0; } }
  });

  adopt(tree);
  current = tree.querySelector(".is-lit") || tree.querySelector("[role=treeitem]");
  if (current) current.tabIndex = 0;
})();
