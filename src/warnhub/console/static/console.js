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

  // ------------------------------------------------------------ an area drawn on the map, by pointer or by keyboard alone
  for (const place of document.querySelectorAll("[data-draw]")) {
    const svg = place.querySelector("svg");
    const field = document.querySelector("textarea[name=drawn]");
    if (!svg || !field) continue;
    const [west, north, across, down, edge] = place.dataset.draw.split(" ").map(Number);
    const { width, height } = svg.viewBox.baseVal;
    const told = place.querySelector("[data-told]");
    const knob = (name) => place.querySelector(`[data-do=${name}]`);
    const make = (name, given, parent) => {
      const made = document.createElementNS("http://www.w3.org/2000/svg", name);
      for (const [key, value] of Object.entries(given)) made.setAttribute(key, value);
      return parent.appendChild(made);
    };
    const toMap = ([lon, lat]) => [(lon - west) * across + edge, (north - lat) * down + edge];
    const toEarth = ([x, y]) => [west + (x - edge) / across, north - (y - edge) / down];
    const layer = make("g", { class: "drawing" }, svg);
    let open = [];
    let cross = [width / 2, height / 2];
    let drawing = false;
    const say = (key, given = {}) => {
      told.textContent = Object.entries(given).reduce((text, [name, value]) => text.replace(`{${name}}`, value), place.dataset[key] || "");
    };
    const lines = () => field.value.split("\n").filter((line) => line.trim());
    const read = (line) => line.trim().split(/\s+/).map((pair) => pair.split(",").map(Number)).filter((pair) => pair.length === 2 && pair.every(Number.isFinite));
    const path = (points) => "M" + points.map((point) => point.map((n) => n.toFixed(1)).join(" ")).join("L");
    const show = () => {
      for (const old of svg.querySelectorAll("[data-drawn]")) old.remove();
      layer.replaceChildren();
      for (const line of lines()) {
        const points = read(line).map(toMap);
        if (points.length > 2) make("path", { class: "drawn-shape", "data-drawn": "", d: path(points) + "z" }, layer);
      }
      if (open.length) make("path", { class: "drawn-line", d: path(open) }, layer);
      open.forEach(([cx, cy], n) => make("circle", { class: n ? "drawn-point" : "drawn-point first", cx, cy, r: n ? 5 : 8 }, layer));
      if (drawing) make("path", { class: "drawn-cross", d: `M${cross[0] - 14} ${cross[1]}h28M${cross[0]} ${cross[1] - 14}v28` }, layer);
      knob("back").disabled = !open.length;
      knob("close").disabled = open.length < 3;
      svg.classList.toggle("is-drawing", drawing);
    };
    const close = () => {
      if (open.length < 3) return say("sayFew");
      field.value = [...lines(), open.map((point) => toEarth(point).map((n) => n.toFixed(6)).join(",")).join(" ")].join("\n");
      say("sayClosed", { n: open.length });
      open = [];
      field.closest("details")?.setAttribute("open", "");
      field.dispatchEvent(new Event("change", { bubbles: true }));
      show();
    };
    const put = (point) => {
      const [first] = open;
      if (open.length > 2 && Math.hypot(first[0] - point[0], first[1] - point[1]) < 12) return close();
      open.push(point);
      const [lon, lat] = toEarth(point);
      say("sayPoint", { n: open.length, lon: lon.toFixed(4), lat: lat.toFixed(4) });
      show();
    };
    const turn = (on) => {
      drawing = on;
      knob("toggle").setAttribute("aria-pressed", String(on));
      say(on ? "sayOn" : "sayOff");
      if (on) {
        svg.setAttribute("tabindex", "0");
        svg.setAttribute("role", "application");
        svg.focus();
      } else {
        svg.removeAttribute("tabindex");
        svg.setAttribute("role", "group");
      }
      show();
    };
    const acts = {
      toggle: () => turn(!drawing),
      back: () => {
        open.pop();
        show();
      },
      close,
      clear: () => {
        open = [];
        field.value = "";
        say("sayRemoved");
        show();
      },
    };
    place.addEventListener("click", (event) => {
      const name = event.target.closest("[data-do]")?.dataset.do;
      if (name) acts[name]();
    });
    // Before the places hear of it: a point inside a township is not a tick at it.
    svg.addEventListener("click", (event) => {
      if (!drawing) return;
      event.stopPropagation();
      event.preventDefault();
      const { x, y } = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
      cross = [Math.min(width, Math.max(0, x)), Math.min(height, Math.max(0, y))];
      put(cross);
    }, true);
    const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    svg.addEventListener("keydown", (event) => {
      if (!drawing || event.ctrlKey || event.metaKey || event.altKey) return;
      const move = MOVES[event.key];
      if (move) {
        const far = event.shiftKey ? 50 : 5;
        cross = [Math.min(width, Math.max(0, cross[0] + move[0] * far)), Math.min(height, Math.max(0, cross[1] + move[1] * far))];
        show();
      } else if (event.key === "Enter" || event.key === " ") put([...cross]);
      else if (event.key === "Backspace") acts.back();
      else if (event.key === "Escape") {
        turn(false);
        knob("toggle").focus();
      } else return;
      event.preventDefault();
      event.stopPropagation();
    });
    field.addEventListener("input", show);
    for (const tool of place.querySelectorAll("[data-tools]")) tool.hidden = false;
    show();
  }

  // A browser has six connections for a desk; pages nobody looks at give theirs back.
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  // Whoever is on the way to another page is not called back to load this one again; where it was a download, the page goes on.
  addEventListener("beforeunload", () => {
    close();
    setTimeout(() => document.hidden || open(), 5000);
  });
  setInterval(() => {
    mark();
    tellTimes();
  }, 1000);
  tellTimes();
  open();
})();
