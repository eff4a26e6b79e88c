// The smallest thing a shop can do: say what happens with fetch, and what happens on leaving with sendBeacon.
"use strict";
const query = new URLSearchParams(location.search);
const stored = (name, make) => {
  if (!sessionStorage.getItem(name)) sessionStorage.setItem(name, make());
  return sessionStorage.getItem(name);
};
const collector = stored("collector", () => query.get("collector"));
const visitor = stored("visitor", () => query.get("visitor"));
const endpoint = `${collector}/v1/events?writeKey=wk_local`;

function event(kind, type, props) {
  const count = Number(sessionStorage.getItem("count") || 0);
  sessionStorage.setItem("count", String(count + 1));
  return {
    event_id: `${visitor}-${count}`, kind, type, ts: new Date().toISOString(), url: location.href,
    visitor_id: visitor, session_id: `s-${visitor}`, props: props || {},
  };
}

// A simple request, as a page without a preflight sends it: text/plain, the key in the query.
const track = (kind, type, props) =>
  fetch(endpoint, { method: "POST", headers: { "Content-Type": "text/plain" }, body: JSON.stringify(event(kind, type, props)) })
    .then((answer) => answer.json())
    .then((verdicts) => { document.body.dataset.accepted = String(Number(document.body.dataset.accepted || 0) + verdicts.accepted); });

// A request with a preflight: JSON, the key in a header.
const trackAsJson = (kind, type, props) =>
  fetch(`${collector}/v1/events`, {
    method: "POST", headers: { "Content-Type": "application/json", "X-Write-Key": "wk_local" },
    body: JSON.stringify({ batch: [event(kind, type, props)] }),
  }).then((answer) => answer.json())
    .then((verdicts) => { document.body.dataset.accepted = String(Number(document.body.dataset.accepted || 0) + verdicts.accepted); });

addEventListener("pagehide", () => navigator.sendBeacon(endpoint, JSON.stringify(event("clickstream", "page_leave"))));
