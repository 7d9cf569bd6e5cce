// Keeps the door list that was opened last, so that the page opens again where there is no line. The desk is always asked first;
// a list that the desk no longer shows (the pass is over) is forgotten.
"use strict";
var STORE = "doors-1";
function ours(request) {
  var path = new URL(request.url).pathname;
  return request.method === "GET" && (/\/a\/[A-Za-z0-9_-]+\/doors$/.test(path) || /\/a\/doors\.js$/.test(path));
}
self.addEventListener("install", function () { self.skipWaiting(); });
self.addEventListener("activate", function (event) { event.waitUntil(self.clients.claim()); });
self.addEventListener("fetch", function (event) {
  if (!ours(event.request)) return;
  event.respondWith(
    fetch(event.request).then(function (answer) {
      return caches.open(STORE).then(function (kept) {
        var list = answer.headers.get("x-doors") === "open" || /javascript/.test(answer.headers.get("content-type") || "");
        var done = answer.ok && list ? kept.put(event.request, answer.clone()) : kept.delete(event.request);
        return done.then(function () { return answer; });
      });
    }, function (error) {
      return caches.match(event.request).then(function (found) { if (found) return found; throw error; });
    })
  );
});
