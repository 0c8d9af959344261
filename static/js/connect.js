// Connect: the key goes into the snippets, and the lamp turns green by itself.
(() => {
  "use strict";
  const pasted = document.querySelector("[data-fill]");
  const texts = [...document.querySelectorAll("[data-snippet]")].map((el) => [el, el.textContent]);
  pasted?.addEventListener("input", () => {
    const key = pasted.value.trim();
    for (const [el, text] of texts) el.textContent = key ? text.replaceAll(pasted.dataset.fill, key) : text;
    const blank = document.querySelector("[data-blank]");
    if (blank) blank.hidden = Boolean(key);
  });

  const arrival = document.querySelector("[data-arrival]");
  if (!arrival) return;
  const words = arrival.querySelector("[data-words]");
  const open = arrival.querySelector("[data-open]");
  let wait = 2000;
  const next = () => setTimeout(look, wait);
  const look = async () => {
    if (document.hidden) return next();
    try {
      const response = await fetch(arrival.dataset.arrival, { headers: { Accept: "application/json" } });
      if (!response.ok || response.redirected) throw new Error(String(response.status));
      const found = await response.json();
      // Said anew only when it is new, or a screen reader would say it every two seconds.
      if (words.textContent !== found.text) words.textContent = found.text;
      arrival.dataset.state = found.state;
      if (found.url) {
        open.href = found.url;
        open.hidden = false;
        return undefined;
      }
      wait = 2000;
    } catch {
      wait = Math.min(wait * 2, 30000); // the server is away, or the person has been logged out
    }
    return next();
  };
  if (arrival.dataset.state !== "green" || open.hidden) next();
})();
