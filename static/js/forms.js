/* Small help for forms: one submission at a time, roster rows without a reload, copying, file sizes. */
(() => {
  "use strict";
  const MOST_BYTES = 20_000_000;

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

  document.addEventListener("click", (event) => {
    const remove = event.target.closest("[data-remove-seat]");
    const copy = event.target.closest("[data-copy]");
    if (remove) {
      event.preventDefault();
      const row = remove.closest("li");
      const next = row.nextElementSibling ?? row.previousElementSibling;
      row.remove();
      next?.querySelector("input")?.focus();
      countSeats();
    } else if (event.target.closest("#add-seat")) {
      event.preventDefault();
      const rows = document.getElementById("seat-rows");
      rows.append(document.getElementById("seat-row").content.cloneNode(true));
      rows.lastElementChild.querySelector("input").focus();
      countSeats();
    } else if (copy) {
      navigator.clipboard.writeText(document.getElementById(copy.dataset.copy).textContent);
      copy.textContent = "Copied";
    }
  });

  function countSeats() {
    const add = document.getElementById("add-seat");
    add.disabled = document.getElementById("seat-rows").children.length >= Number(add.dataset.most);
  }

  document.addEventListener("change", (event) => {
    if (event.target.type !== "file") return;
    const files = [...event.target.form.querySelectorAll("input[type=file]")].flatMap((input) => [...input.files]);
    const size = files.reduce((sum, file) => sum + file.size, 0);
    event.target.setCustomValidity(size > MOST_BYTES ? "Together these files have more than 20 MB. Bring those that matter." : "");
    event.target.reportValidity();
  });
})();
