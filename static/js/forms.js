/* Small help on every page: one submission at a time, toasts, copying, file sizes, tabs, folded parts, Ctrl+Enter. */
(() => {
  "use strict";
  const MOST_BYTES = 20_000_000;
  const HEARD_AFTER = 200, READ_AT_LEAST = 4_000, READ_PER_CHARACTER = 60; // milliseconds

  // The first press counts; coming back by the back button gives the buttons free again.
  document.addEventListener("submit", (event) => {
    if (event.defaultPrevented) return;
    setTimeout(() => event.target.querySelectorAll("button[type=submit]").forEach((button) => {
      button.dataset.sent = button.disabled ? "" : "yes";
      button.disabled = true;
    }));
  });
  addEventListener("pageshow", () => document.querySelectorAll("[data-sent=yes]").forEach((button) => {
    button.disabled = false;
    delete button.dataset.sent;
  }));

  // What the server answers to an action comes with the page. A live region speaks only what is put into it later.
  const toasts = document.getElementById("toasts");
  setTimeout(() => { if (toasts && !toasts.matches(":focus-within")) toasts.append(...toasts.children); }, HEARD_AFTER);
  function close(toast) {
    if (toast.contains(document.activeElement)) document.getElementById("content").focus();
    toast.remove();
  }
  function closeOnceRead(toast) {
    setTimeout(() => {
      if (document.hidden || toast.matches(":hover, :focus-within")) closeOnceRead(toast); else close(toast);
    }, READ_AT_LEAST + READ_PER_CHARACTER * toast.textContent.length);
  }
  document.querySelectorAll(".toast[data-brief]").forEach(closeOnceRead);
  document.addEventListener("keydown", (event) => {
    const last = toasts?.lastElementChild;
    if (event.key === "Escape" && last && !document.querySelector(":popover-open, dialog[open]")) close(last);
  });

  // On a phone the tab of this page may lie beyond the edge.
  const tab = document.querySelector(".tabs [aria-current]");
  if (tab) tab.parentElement.scrollLeft = tab.offsetLeft - tab.parentElement.clientWidth / 2;

  document.addEventListener("click", (event) => {
    const toast = event.target.closest("[data-close]")?.parentElement;
    if (toast) close(toast);
    const copy = event.target.closest("[data-copy]");
    if (copy) {
      navigator.clipboard.writeText(document.getElementById(copy.dataset.copy).textContent);
      copy.textContent = "Copied";
    }
  });

  // Where a reload finds the form as it is now. The library itself is kept off the history.
  document.addEventListener("htmx:after:request", ({ detail }) => {
    const address = detail.ctx.response.headers.get("HX-Replace-Url");
    if (address) history.replaceState(null, "", address);
  });

  // A folded part of a form is open again when the form comes back, and opens when something in it is wrong.
  document.addEventListener("htmx:after:swap", () => document.querySelectorAll("[data-open-of]").forEach((told) => {
    if (told.value) document.getElementById(told.dataset.openOf).open = true;
  }));
  document.addEventListener("toggle", (event) => {
    const told = document.querySelector(`[data-open-of="${event.target.id}"]`);
    if (told && event.target.id) told.value = event.target.open ? "1" : "";
  }, true);

  // Ctrl+K searches, wherever one is.
  document.addEventListener("keydown", (event) => {
    const search = document.querySelector("[role=search] input");
    if (!search || event.key !== "k" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    search.focus();
    search.select();
  });

  // Ctrl+Enter starts, wherever one is in the form.
  document.addEventListener("keydown", (event) => {
    const start = document.querySelector("#start button[value=start]");
    if (start && event.key === "Enter" && (event.ctrlKey || event.metaKey)) start.form.requestSubmit(start);
  });

  document.addEventListener("change", (event) => {
    if (event.target.type !== "file") return;
    const files = [...event.target.form.querySelectorAll("input[type=file]")].flatMap((input) => [...input.files])
      .filter((file) => !globalThis.skippedDirectory?.(file.webkitRelativePath || file.name)); // these stay here
    const size = files.reduce((sum, file) => sum + file.size, 0);
    event.target.setCustomValidity(size > MOST_BYTES ? "Together these files have more than 20 MB. Bring those that matter." : "");
    event.target.reportValidity();
  });
})();
