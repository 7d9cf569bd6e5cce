// The desk's one script: keeps an open page up to date, says how old it is, and lets everything be reached by keyboard.
(() => {
  "use strict";
  const html = document.documentElement;
  const sign = document.querySelector("[data-link]");
  const root = document.querySelector("[data-stream]");
  const words = sign ? sign.dataset : {};
  // The server's clock, since a desk's own may be wrong.
  const ahead = Number(html.dataset.now || Date.now()) - Date.now();
  const now = () => Date.now() + ahead;

  // ------------------------------------------------------------ times: absolute from the server, "4 minutes ago" from here
  const relative = window.Intl && Intl.RelativeTimeFormat ? new Intl.RelativeTimeFormat(html.lang, { numeric: "auto", style: "short" }) : null;
  const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
  const ago = (at) => {
    const seconds = Math.round((at - now()) / 1000);
    const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) || UNITS[3];
    return relative.format(Math.trunc(seconds / size), unit);
  };
  const tellTimes = () => {
    if (!relative) return;
    for (const time of document.querySelectorAll("time[data-ago]")) {
      const text = ago(Date.parse(time.dateTime));
      if (time.dataset.ago !== text) time.dataset.ago = text;
    }
    for (const clock of document.querySelectorAll("[data-clock]")) {
      clock.textContent = new Date(now()).toLocaleTimeString("zh-CN", { hour12: false, timeZone: clock.dataset.clock });
    }
  };

  // ------------------------------------------------------------ live parts
  const waiting = new Map();
  let source = null;
  let heard = Date.now();
  let linked = true;

  const mark = () => {
    if (!sign || !root) return;
    const age = Math.round((Date.now() - heard) / 1000);
    const state = !linked ? "off" : age > 8 ? "stale" : "on";
    sign.className = `link ${state}`;
    sign.textContent = state === "on" ? words.on : (state === "off" ? words.off + " · " : "") + words.age.replace("{n}", age);
    html.classList.toggle("is-stale", state !== "on" && age > 8);
  };

  // What somebody is just using is changed when they have left it.
  const place = (name, body) => {
    const part = document.querySelector(`[data-live="${CSS.escape(name)}"]`);
    if (!part) return;
    if (part.contains(document.activeElement)) {
      waiting.set(name, body);
      return;
    }
    waiting.delete(name);
    const open = [...part.querySelectorAll("details[open][id]")].map((one) => one.id);
    part.innerHTML = body;
    for (const id of open) part.querySelector(`#${CSS.escape(id)}`)?.setAttribute("open", "");
  };

  document.addEventListener("focusout", () => {
    setTimeout(() => {
      for (const [name, body] of [...waiting]) place(name, body);
      tellTimes();
    }, 0);
  });

  const hear = () => {
    heard = Date.now();
    linked = true;
    mark();
  };

  const open = () => {
    if (!root || !window.EventSource || source) return;
    source = new EventSource(root.dataset.stream);
    source.addEventListener("open", hear);
    source.addEventListener("beat", hear);
    source.addEventListener("error", () => {
      linked = false;
      mark();
    });
    source.addEventListener("parts", (event) => {
      for (const [name, body] of Object.entries(JSON.parse(event.data))) place(name, body);
      tellTimes();
      hear();
    });
    source.addEventListener("reload", () => {
      close();
      location.reload();
    });
  };

  const close = () => {
    if (source) source.close();
    source = null;
  };

  // ------------------------------------------------------------ keyboard
  const help = document.getElementById("keys");
  const steps = () => [...document.querySelectorAll("[data-step]")].filter((one) => one.offsetParent);
  const step = (by) => {
    const all = steps();
    const at = all.indexOf(document.activeElement);
    all[at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + by))]?.focus();
  };
  let going = 0;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const typing = event.target.closest("input, textarea, select");
    if (event.key === "Escape" && typing) return event.target.blur();
    if (typing) return;
    const led = Date.now() - going < 1500;
    going = 0;
    const target = led && document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
    if (target) target.click();
    else if (event.key === "g") going = Date.now();
    else if (event.key === "/") document.querySelector("[data-search]")?.focus();
    else if (event.key === "?" && help) help.open ? help.close() : help.showModal();
    else if (event.key === "j" || event.key === "k") step(event.key === "j" ? 1 : -1);
    else return;
    event.preventDefault();
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-show], [data-print], [data-all]");
    if (!button) return;
    if (button.dataset.show) document.getElementById(button.dataset.show)?.showModal();
    if ("print" in button.dataset) print();
    if (button.dataset.all) for (const box of document.getElementsByName(button.dataset.all)) box.checked = true;
  });

  // A map's places tick the boxes of the form they belong to; without script the boxes stand beside it.
  for (const shape of document.querySelectorAll("[data-tick]")) {
    const box = document.getElementById(shape.dataset.tick);
    if (!box) continue;
    const show = () => shape.classList.toggle("chosen", box.checked);
    shape.addEventListener("click", (event) => {
      event.preventDefault();
      box.checked = !box.checked;
      box.dispatchEvent(new Event("change", { bubbles: true }));
    });
    box.addEventListener("change", show);
    show();
  }

  // A browser has six connections for a desk; pages nobody looks at give theirs back.
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  setInterval(() => {
    mark();
    tellTimes();
  }, 1000);
  tellTimes();
  open();
})();
