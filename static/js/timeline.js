// The timeline: older and newer events fetched in place, whole events on demand, copying of JSON.
(() => {
  "use strict";
  const { all, localise, fold, say } = window.StackMemory;

  const part = async (url) => {
    const answer = await fetch(url, { credentials: "same-origin" });
    if (!answer.ok || answer.redirected) throw new Error(answer.status);
    const box = document.createElement("div");
    box.innerHTML = await answer.text(); // our own page's HTML, escaped by the server
    return box;
  };
  const dress = (within) => { localise(within); fold(within); };

  const extend = async (a) => {
    const box = a.closest("[data-timeline]");
    const older = a.hasAttribute("data-older");
    const list = box.querySelector("ol.timeline");
    const button = a.parentElement;
    a.classList.add("is-busy");
    try {
      const more = await part(`${box.dataset.part}?${a.dataset.cursor}`);
      const rows = [...more.querySelector("ol.timeline").children];
      const next = more.querySelector(older ? "[data-older]" : "[data-newer]");
      // What is being read stays where it is on the screen.
      const anchor = older ? list.firstElementChild : null;
      const before = anchor?.getBoundingClientRect().top;
      if (older) list.prepend(...rows);
      else list.append(...rows);
      if (next) button.replaceChildren(next);
      else button.remove();
      dress(list);
      if (anchor) window.scrollBy(0, anchor.getBoundingClientRect().top - before);
      rows.find((row) => row.matches(".tl"))?.querySelector("a, summary")?.focus({ preventScroll: true });
    } catch {
      a.classList.remove("is-busy");
      say("The events could not be fetched. Try again.");
    }
  };

  const whole = async (a) => {
    const url = new URL(a.href);
    url.searchParams.set("part", "1");
    a.classList.add("is-busy");
    try {
      const row = (await part(url)).querySelector(".tl");
      a.closest(".tl").replaceWith(row);
      dress(row.parentElement);
      all(".tall", row).forEach((el) => el.classList.add("is-open"));
      row.querySelector("a, summary")?.focus({ preventScroll: true });
    } catch {
      a.classList.remove("is-busy");
      say("The event could not be fetched. Try again.");
    }
  };

  document.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    const on = (selector) => event.target.closest(selector);
    let el;
    if ((el = on("[data-timeline] [data-older], [data-timeline] [data-newer]"))) { event.preventDefault(); extend(el); }
    else if ((el = on("[data-show-all]"))) { event.preventDefault(); whole(el); }
    else if ((el = on("[data-copy-near]"))) {
      navigator.clipboard?.writeText(el.parentElement.querySelector("pre").textContent).then(() => say("Copied"), () => say("The browser did not allow copying"));
    }
  });
  // A folded text cannot be measured until it is shown.
  document.addEventListener("toggle", (event) => { if (event.target.open) fold(event.target); }, true);
})();
