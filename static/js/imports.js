// The import pages: an upload says that it is under way, a running import moves.
(() => {
  "use strict";
  const form = document.querySelector("[data-upload]");
  if (!form) return;
  const input = form.querySelector("input[type=file]");
  for (const [name, over] of [["dragover", true], ["dragleave", false], ["drop", false]]) {
    input.addEventListener(name, () => input.classList.toggle("is-over", over));
  }
  form.addEventListener("submit", () => {
    const bytes = [...input.files].reduce((sum, file) => sum + file.size, 0);
    const button = form.querySelector(".button-primary");
    button.setAttribute("aria-disabled", "true");
    button.lastChild.textContent = bytes > 5e6 ? `Uploading ${Math.round(bytes / 1e6)} MB …` : "Uploading …";
  });
  // Writing a name means a new project, choosing one means that one.
  form.addEventListener("input", (event) => {
    const radio = { new_project: "new", existing: "existing" }[event.target.name];
    if (radio) form.querySelector(`input[name=into][value=${radio}]`).checked = true;
  });
})();

// [data-poll="URL"]: fetched anew every second until the answer says X-Over, then the page is reloaded.
(() => {
  "use strict";
  const el = document.querySelector("[data-poll]");
  if (!el) return;
  let wait = 1000;
  const next = () => setTimeout(look, wait);
  const look = async () => {
    if (document.hidden) return next();
    try {
      const response = await fetch(el.dataset.poll, { headers: { "X-Requested-With": "fetch" } });
      if (!response.ok || response.redirected) return location.reload();
      if (response.headers.get("X-Over")) return location.reload();
      const busy = el.contains(document.activeElement);
      const html = await response.text();
      if (!busy) {
        el.innerHTML = html;
        window.StackMemory?.localise(el);
      }
      wait = 1000;
    } catch {
      wait = Math.min(wait * 2, 15000); // the server is away for a moment
    }
    return next();
  };
  next();
})();
