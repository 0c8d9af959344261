// Small behaviours every page shares. Pages work without them: this only makes them quicker.
(() => {
  "use strict";
  const root = document.documentElement;
  root.classList.add("js");
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const remember = (name, value) => {
    const secure = location.protocol === "https:" ? "; Secure" : "";
    const age = value ? 31536000 : 0;
    document.cookie = `${name}=${value}; Path=/; Max-Age=${age}; SameSite=Lax${secure}`;
  };

  // The reader's zone, for the server: days of charts and times without this script.
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "";
  if (/^[\w+\-/]{1,64}$/.test(zone) && !document.cookie.includes(`tz=${zone}`)) remember("tz", zone);

  // Times: the server wrote them for the zone it knew; here they become the reader's, and stay fresh.
  const pad = (n) => String(n).padStart(2, "0");
  const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  const day = (t, now) => `${t.getDate()} ${months[t.getMonth()]}${t.getFullYear() === now.getFullYear() ? "" : ` ${t.getFullYear()}`}`;
  const relative = (t, now) => {
    const seconds = (now - t) / 1000;
    const size = Math.abs(seconds);
    let amount;
    if (size < 45) return "just now";
    if (size < 3570) amount = `${Math.max(1, Math.round(size / 60))} min`;
    else if (size < 79200) amount = `${Math.max(1, Math.round(size / 3600))} h`;
    else if (size < 2592000) amount = `${Math.max(1, Math.round(size / 86400))} d`;
    else return day(t, now);
    return seconds > 0 ? `${amount} ago` : `in ${amount}`;
  };
  const clock = (t) => `${pad(t.getHours())}:${pad(t.getMinutes())}:${pad(t.getSeconds())}`;
  const styles = {
    relative,
    day,
    clock,
    exact: (t) => `${t.getDate()} ${months[t.getMonth()]} ${t.getFullYear()}, ${pad(t.getHours())}:${pad(t.getMinutes())}`,
  };
  const longForm = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
  const localise = (within = document) => {
    const now = new Date();
    for (const el of all("time[data-when]", within)) {
      const t = new Date(el.dateTime);
      if (Number.isNaN(t.getTime()) || t.getFullYear() < 1) continue;
      const text = (styles[el.dataset.when] || relative)(t, now);
      if (el.textContent !== text) el.textContent = text;
      if (!el.dataset.told) {
        el.title = longForm.format(t);
        el.dataset.told = "1";
      }
    }
  };
  localise();
  setInterval(localise, 30000);

  // Theme
  const theme = () => root.dataset.theme || "";
  const markTheme = () => all("[data-theme-set]").forEach((b) => b.setAttribute("aria-pressed", String(b.dataset.themeSet === theme())));
  markTheme();

  // Saying something for a moment, also to a screen reader
  let toast;
  const say = (text) => {
    toast?.remove();
    toast = Object.assign(document.createElement("div"), { className: "toast", textContent: text });
    toast.setAttribute("role", "status");
    document.body.append(toast);
    setTimeout((t) => t.remove(), 2200, toast);
  };
  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
      say("Copied");
    } catch {
      say("The browser did not allow copying");
    }
  };

  document.addEventListener("click", (event) => {
    const on = (selector) => event.target.closest(selector);
    let el;
    if ((el = on("[data-copy]"))) copy(el.dataset.copy);
    else if ((el = on("[data-copy-from]"))) copy(document.getElementById(el.dataset.copyFrom)?.textContent || "");
    else if ((el = on("[data-theme-set]"))) {
      const value = el.dataset.themeSet;
      if (value) root.dataset.theme = value;
      else delete root.dataset.theme;
      remember("theme", value);
      markTheme();
    } else if (on("[data-keys-open]")) document.getElementById("keys")?.showModal();
    else if ((el = on("[data-open-all]"))) {
      const details = all("details", document.getElementById(el.dataset.openAll) || document);
      const open = details.some((d) => !d.open);
      details.forEach((d) => { d.open = open; });
    }
    // A menu closes when the click was elsewhere.
    for (const menu of all("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
    if (event.target.id === "keys") event.target.close();
  });

  // Long text: .tall[data-tall] gets a button only where something is hidden.
  const fold = (within = document) => {
    for (const el of all("[data-tall]:not([data-tall=done])", within)) {
      el.dataset.tall = "done";
      if (el.scrollHeight <= el.clientHeight + 24) { el.classList.add("is-open"); continue; }
      const button = Object.assign(document.createElement("button"), { type: "button", className: "button button-quiet button-s", textContent: "Show all" });
      button.setAttribute("aria-expanded", "false");
      button.addEventListener("click", () => {
        const open = el.classList.toggle("is-open");
        button.textContent = open ? "Show less" : "Show all";
        button.setAttribute("aria-expanded", String(open));
      });
      el.after(button);
    }
  };
  fold();

  // Filters apply as they are chosen; text waits for Enter.
  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-auto]");
    if (form && event.target.matches("select, input[type=checkbox], input[type=radio]")) form.requestSubmit();
  });
  document.addEventListener("submit", (event) => {
    const form = event.target;
    const question = event.submitter?.dataset.confirm || form.dataset?.confirm;
    if (question && !window.confirm(question)) return event.preventDefault();
    // Empty filters do not clutter the address.
    if (form.matches("form[data-auto]")) for (const el of form.elements) if (el.name && el.value === "") el.disabled = true;
  });
  window.addEventListener("pageshow", () => all("form[data-auto] :disabled").forEach((el) => { el.disabled = false; }));

  window.StackMemory = { all, localise, fold, say };
})();
