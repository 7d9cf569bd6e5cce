// The door list without a line: every knock is kept on the telephone at once and sent when there is a line again, as often as it
// takes; each has an id of its own, so that the desk keeps it once. Without this script the page's form does the same, online.
(function () {
  "use strict";
  var form = document.getElementById("doors");
  if (!form || !window.fetch || !window.localStorage) return;
  var WORDS = { open: "未敲门", reached: "已见到", moved: "已转移", absent: "不在家", refused: "不肯走", help: "要支援" };
  var place = location.pathname, busy = false, locked = false, trouble = "";
  var kept = read();
  // What was sent before this page was drawn is on the page; what was sent since is remembered with it.
  if (kept.serial !== form.dataset.serial) { kept.serial = form.dataset.serial; kept.done = {}; }

  function read() {
    try {
      var found = JSON.parse(localStorage.getItem(place)) || {};
      return { queue: found.queue || [], done: found.done || {}, last: found.last || {}, serial: found.serial || "" };
    } catch (error) { return { queue: [], done: {}, last: {}, serial: "" }; }
  }
  function save() { localStorage.setItem(place, JSON.stringify(kept)); }
  function name() {
    var bytes = new Uint8Array(12), out = "";
    crypto.getRandomValues(bytes);
    for (var n = 0; n < bytes.length; n++) out += ("0" + bytes[n].toString(16)).slice(-2);
    return "p-" + out;
  }
  function states() {
    var now = {};
    form.querySelectorAll(".k").forEach(function (row) { now[row.id.slice(1)] = row.dataset.first || (row.dataset.first = row.dataset.s); });
    Object.keys(kept.done).forEach(function (door) { if (door in now) now[door] = kept.done[door]; });
    kept.queue.forEach(function (one) { if (one.door in now) now[one.door] = one.choice === "undo" ? "open" : one.choice; });
    return now;
  }
  function draw() {
    var now = states(), done = 0;
    Object.keys(now).forEach(function (door) {
      var row = document.getElementById("d" + door);
      if (now[door] === "reached" || now[door] === "moved") done++;
      if (row.dataset.s !== now[door]) row.querySelector(".s").textContent = WORDS[now[door]];
      row.dataset.s = now[door];
    });
    document.getElementById("done").textContent = done;
    var waiting = kept.queue.length, said = waiting ? " · " + waiting + " 条待发送" : "";
    if (locked) said += " · 请刷新并重新输入尾号";
    document.getElementById("wait").textContent = said + (trouble ? " · " + trouble : "");
  }
  function knock(value) {
    var cut = value.indexOf("."), door = +value.slice(0, cut), choice = value.slice(cut + 1), one = { client: name(), door: door, choice: choice, at: Date.now() };
    var select = document.getElementById("shelter"), row = document.getElementById("d" + door);
    if (choice === "moved") {
      var to = (select && select.value) || row.dataset.h;
      if (to) one.shelter = +to;
    }
    if (choice === "undo") one.undoes = kept.last[door] || "last";
    else kept.last[door] = one.client;
    if (choice === "undo") delete kept.last[door];
    kept.queue.push(one);
    save();
    draw();
    send();
  }
  function send() {
    if (busy || locked || !kept.queue.length) return;
    busy = true;
    var part = kept.queue.slice(0, 200), now = Date.now();
    var body = part.map(function (one) {
      var out = { client: one.client, door: one.door, choice: one.choice, ago: Math.max(0, now - one.at) };
      if (one.shelter) out.shelter = one.shelter;
      if (one.undoes) out.undoes = one.undoes;
      return out;
    });
    fetch("doors/knocks", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ knocks: body }), credentials: "same-origin" })
      .then(function (answer) {
        if (answer.status === 403) { locked = true; throw new Error("pass"); }
        if (answer.status === 409) { locked = true; trouble = "预警已结束，未记录"; throw new Error("over"); }
        if (!answer.ok) throw new Error(String(answer.status));
        return answer.json();
      })
      .then(function (said) {
        kept.queue = kept.queue.filter(function (one) {
          var outcome = said.outcome[one.client];
          if (outcome === undefined) return true;
          if (outcome === "kept" || outcome === "known") kept.done[one.door] = one.choice === "undo" ? "open" : one.choice;
          else trouble = "有一条未被接受";
          return false;
        });
        save();
      })
      .then(function () { busy = false; draw(); if (kept.queue.length) send(); }, function () { busy = false; draw(); });
  }
  form.addEventListener("click", function (event) {
    var button = event.target.closest ? event.target.closest("button[name=k]") : null;
    if (!button) return;
    event.preventDefault();
    knock(button.value);
  });
  window.addEventListener("online", send);
  document.addEventListener("visibilitychange", function () { if (!document.hidden) send(); });
  setInterval(send, 5000);
  if (navigator.serviceWorker) navigator.serviceWorker.register("../worker.js").catch(function () {});
  draw();
  send();
})();
