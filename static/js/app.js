// Small helps for every page. Nothing here is needed to use a page: without it the same things take one click more.
(function () {
  "use strict";
  const $ = (selector, from = document) => from.querySelector(selector);

  function duration(seconds) {
    const s = Math.max(0, Math.floor(seconds));
    const two = (n) => String(n).padStart(2, "0");
    const hours = Math.floor(s / 3600);
    const minutes = Math.floor(s / 60) % 60;
    return hours ? `${hours}:${two(minutes)}:${two(s % 60)}` : `${minutes}:${two(s % 60)}`;
  }

  // The server's clock decides; the browser's may be wrong by minutes.
  let offset = 0;
  function tick() {
    const now = Date.now() + offset;
    for (const element of document.getElementsByClassName("tick")) {
      const text = duration((now - Number(element.dataset.since)) / 1000);
      if (element.textContent !== text) element.textContent = text;
    }
  }
  document.addEventListener("pbxweb:clock", (event) => { offset = event.detail - Date.now(); tick(); });
  setInterval(tick, 1000);

  function ask(form) {
    const dialog = $("#confirm");
    const value = (name) => form.elements[`confirm_${name}`].value;
    $("#confirm-text").textContent = value("message");
    $("#confirm-yes").textContent = value("label");
    dialog.returnValue = "no";
    dialog.addEventListener("close", () => {
      if (dialog.returnValue !== "yes") return;
      form.action = form.dataset.confirm;
      form.dataset.asked = "yes";
      form.requestSubmit();
    }, { once: true });
    dialog.showModal();
  }

  function busy(button) {
    if (!button || !button.dataset.busy) return;
    button.dataset.label = button.textContent;
    const spinner = document.createElement("span");
    spinner.className = "spinner-border spinner-border-sm me-2";
    spinner.setAttribute("aria-hidden", "true");
    button.replaceChildren(spinner, button.dataset.busy);
    button.setAttribute("aria-disabled", "true");
  }

  function ready() {
    for (const button of document.querySelectorAll("button[data-label]")) {
      button.textContent = button.dataset.label;
      button.removeAttribute("aria-disabled");
      delete button.dataset.label;
    }
    for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  }

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.confirm && form.dataset.asked !== "yes") {
      event.preventDefault();
      ask(form);
      return;
    }
    if (form.method !== "post") return;
    // A live part is written for everybody who may see it: this page's own token goes in here.
    const token = form.elements.csrf_token;
    if (token && !token.value) token.value = $("meta[name=csrf-token]").content;
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "yes";
    busy(event.submitter);
  }, true);
  // Coming back with the browser's button shows the page as it was left: its buttons must work again.
  window.addEventListener("pageshow", (event) => { if (event.persisted) ready(); });
  document.addEventListener("htmx:afterRequest", ready);

  async function copy(button) {
    const text = button.dataset.copy;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = document.createElement("textarea");
      area.value = text;
      area.className = "visually-hidden";
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    button.classList.add("copied");
    setTimeout(() => button.classList.remove("copied"), 1500);
  }

  function reveal(button) {
    const input = document.getElementById(button.dataset.reveal);
    const shown = input.type === "password";
    input.type = shown ? "text" : "password";
    button.setAttribute("aria-pressed", String(shown));
  }

  function menu(open) {
    document.documentElement.classList.toggle("menu-open", open);
    $(open ? ".side-close" : ".side-open").focus();
  }

  document.addEventListener("click", (event) => {
    const hit = (selector) => event.target.closest(selector);
    let found;
    if ((found = hit("[data-copy]"))) copy(found);
    else if ((found = hit("[data-reveal]"))) reveal(found);
    else if ((found = hit("[data-dismiss]"))) found.parentElement.remove();
    else if (hit("[data-print]")) window.print();
    else if (hit(".side-open, .side-close")) {
      event.preventDefault();
      menu(Boolean(hit(".side-open")));
    }
    for (const open of document.querySelectorAll("details.more[open]")) {
      if (!open.contains(event.target)) open.open = false;
    }
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const open of document.querySelectorAll("details.more[open]")) {
      open.open = false;
      $("summary", open).focus();
    }
    if (document.documentElement.classList.contains("menu-open")) menu(false);
  });

  document.addEventListener("change", (event) => {
    if (event.target.closest("form[data-auto]")) event.target.form.requestSubmit();
  });

  function toast(id) {
    $("#toasts").append($(id).content.cloneNode(true));
  }
  document.addEventListener("htmx:sendError", () => toast("#toast-offline"));
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr } = event.detail;
    if (xhr.status >= 400 && xhr.status !== 422 && !xhr.getResponseHeader("HX-Reswap")) {
      event.detail.shouldSwap = false;
      toast("#toast-offline");
    }
  });

  function settle(root) {
    const wrong = $("[data-focus]", root);
    if (wrong) wrong.focus();
    for (const notice of root.querySelectorAll(".notice[data-fade]")) setTimeout(() => notice.remove(), 6000);
  }
  document.addEventListener("htmx:afterSettle", (event) => settle(event.target));
  settle(document);
})();
