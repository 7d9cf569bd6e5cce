// Keeps an open page up to date: parts of it come as server-sent events and take the place of the old ones.
(() => {
  "use strict";
  const root = document.querySelector("[data-stream]");
  const sign = document.querySelector("[data-link]");
  if (!root || !window.EventSource) return;
  const waiting = new Map();
  let source = null;

  const mark = (on) => {
    if (!sign) return;
    sign.textContent = on ? sign.dataset.on : sign.dataset.off;
    sign.className = on ? "link on" : "link off";
  };

  // What somebody is just using is changed when they have left it.
  const place = (name, html) => {
    const part = document.querySelector(`[data-live="${CSS.escape(name)}"]`);
    if (!part) return;
    if (part.contains(document.activeElement)) {
      waiting.set(name, html);
      return;
    }
    waiting.delete(name);
    part.innerHTML = html;
  };

  document.addEventListener("focusout", () => {
    setTimeout(() => {
      for (const [name, html] of [...waiting]) place(name, html);
    }, 0);
  });

  const open = () => {
    if (source) return;
    source = new EventSource(root.dataset.stream);
    source.addEventListener("open", () => mark(true));
    source.addEventListener("error", () => mark(false));
    source.addEventListener("parts", (event) => {
      mark(true);
      for (const [name, html] of Object.entries(JSON.parse(event.data))) place(name, html);
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

  // A browser has six connections for a desk; pages nobody looks at give theirs back.
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  open();
})();
