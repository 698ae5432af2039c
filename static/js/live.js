// The live parts of a page: tells the server which of them are on this page, and shows how the line is.
(function () {
  "use strict";
  const state = document.getElementById("connection");
  let socket = null;
  let told = "";

  function show(value) {
    if (!state || state.dataset.state === value) return;
    state.dataset.state = value;
    state.querySelector(".connection-text").textContent = state.dataset[value];
  }

  function tell() {
    const parts = [...document.querySelectorAll("[data-live]")].map((element) => element.dataset.live);
    const text = JSON.stringify({ parts: [...new Set(parts)].sort() });
    if (!socket || text === told) return;
    told = text;
    socket.sendImmediately(text);
  }

  // What is on the page already is left alone: an open menu stays open, the focus where it is.
  function plain(element) {
    const copy = element.cloneNode(true);
    copy.removeAttribute("hx-swap-oob");
    for (const tick of copy.querySelectorAll(".tick")) tick.textContent = "";
    for (const token of copy.querySelectorAll("[name=csrf_token]")) token.removeAttribute("value");
    return copy.outerHTML;
  }

  // A part may have left the page while its news was on the way.
  htmx.defineExtension("live", {
    transformResponse(text) {
      const box = document.createElement("template");
      box.innerHTML = text;
      for (const element of [...box.content.children]) {
        if (element.dataset.clock) {
          document.dispatchEvent(new CustomEvent("pbxweb:clock", { detail: Number(element.dataset.clock) }));
          element.remove();
        } else {
          const shown = document.getElementById(element.id);
          if (!shown || plain(shown) === plain(element)) element.remove();
        }
      }
      return box.innerHTML;
    },
  });

  document.addEventListener("htmx:wsOpen", (event) => { socket = event.detail.socketWrapper; told = ""; show("on"); tell(); });
  document.addEventListener("htmx:wsClose", (event) => {
    socket = null;
    show("off");
    // 4401: the visit has ended; 4429: too many pages are open, this one goes on without news.
    if (event.detail.event.code === 4401) window.location.reload();
  });
  document.addEventListener("htmx:afterSettle", tell);
})();
