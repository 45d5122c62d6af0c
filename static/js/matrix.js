/* Arrow keys in a table of answers: one cell is in the tab order, the others are reached from it. Enter opens what
   stands behind a cell, Escape goes back to it. Without this file every cell is a link of its own. */
(() => {
  "use strict";
  const announcer = document.getElementById("announcer");
  const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  let here = ""; // the cell that was focused last, by what it is about

  const cells = () => [...document.querySelectorAll("[data-matrix] [data-cell]")];

  /* One cell in the tab order: the last one, or the first. */
  function settle() {
    const all = cells();
    const at = all.find((cell) => cell.dataset.cell === here) ?? all[0];
    all.forEach((cell) => { cell.tabIndex = cell === at ? 0 : -1; });
  }

  function move(cell, [down, right], far) {
    const rows = Map.groupBy(cells(), (one) => one.closest("tr"));
    const lines = [...rows.values()];
    const row = lines.findIndex((line) => line.includes(cell));
    const column = lines[row].indexOf(cell);
    const end = (from, step, length) => Math.max(0, Math.min(length - 1, far ? step * length : from + step));
    const line = lines[down ? end(row, down, lines.length) : row];
    line[right ? end(column, right, line.length) : Math.min(column, line.length - 1)]?.focus();
  }

  function open(cell) {
    const said = document.getElementById(cell.hash.slice(1));
    if (!said) return;
    said.closest("details").open = true;
    said.focus();
    announcer.textContent = `Reasons of ${cell.dataset.cell} are open. Escape goes back.`;
  }

  document.addEventListener("focusin", ({ target }) => {
    if (!target.matches("[data-matrix] [data-cell]")) return;
    here = target.dataset.cell;
    settle();
  });

  document.addEventListener("keydown", (event) => {
    const cell = event.target.closest?.("[data-cell]");
    if (event.altKey || event.metaKey || event.shiftKey) return;
    if (cell && event.key in STEPS) {
      event.preventDefault();
      move(cell, STEPS[event.key], event.ctrlKey);
    } else if (cell && (event.key === "Home" || event.key === "End")) {
      event.preventDefault();
      move(cell, event.key === "Home" ? STEPS.ArrowLeft : STEPS.ArrowRight, true);
    } else if (event.key === "Escape" && event.target.closest("[data-matrix] details")) {
      cells().find((one) => one.dataset.cell === here)?.focus();
    }
  });

  document.addEventListener("click", (event) => {
    const cell = event.target.closest("a[data-cell]");
    if (!cell || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    open(cell);
  });

  document.addEventListener("crucible:shown", settle);
  settle();
})();
