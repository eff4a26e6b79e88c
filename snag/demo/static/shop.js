// All that this shop runs in the browser beside Snag's own script: no framework, nothing inline.
"use strict";

window.snag = window.snag || [];

// The calls that the server has written into the page.
for (const call of JSON.parse(document.getElementById("calls").textContent)) window.snag.push(call);

// The session, for the server's own events about this visitor.
window.snag.push(() => {
  const { session_id } = window.snag.ids();
  if (session_id) document.cookie = `snag_session=${session_id}; path=/; samesite=lax`;
});

// `snag demo break js-error`: a handler that reads what is not there.
for (const button of document.querySelectorAll("[data-throws]")) {
  button.addEventListener("click", (event) => {
    event.preventDefault();
    const cart = undefined;
    cart.lines.forEach(() => {});
  });
}
