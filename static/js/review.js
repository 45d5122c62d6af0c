/* The three panes: choosing a finding, a filter or a file without loading the page anew, decisions, keys.

   The address says what is chosen and the server renders it; every link and form here works without this file too. */
(() => {
  "use strict";
  const room = document.getElementById("room");
  if (!document.getElementById("list")) return; // the timeline
  const FILTER_AFTER = 200;
  const wide = matchMedia("(min-width: 1200px)");
  let asking = null, filterTimer = 0;

  const chosen = () => new URLSearchParams(location.search).get("f") ?? "";
  const swap = (text) => htmx.swap({ text, sourceElement: document.body, target: document.body, swap: "none" });

  // --- choosing

  /* Show what the address `search` says; `list` when that changes the list too. */
  async function go(search, { list = false, push = true } = {}) {
    if (push) history[push === "replace" ? "replaceState" : "pushState"](null, "", search || location.pathname);
    mark();
    asking?.abort();
    asking = new AbortController();
    const query = new URLSearchParams(search);
    query.set("shown", document.getElementById("artifact").dataset.key);
    if (list) query.set("want", "list");
    try {
      const options = { headers: { "HX-Request": "true" }, cache: "no-store", redirect: "manual", signal: asking.signal };
      const reply = await fetch(`${room.dataset.panes}?${query}`, options);
      if (reply.status !== 200) return location.reload();
      await swap(await reply.text());
    } catch (error) {
      if (error.name === "AbortError") return;
      location.assign(search || location.pathname);
    }
    mark();
    if (wide.matches) reveal();
    else if (push === true) scrollTo(0, 0);
  }

  function pick(label) {
    const query = new URLSearchParams(location.search);
    ["file", "start"].forEach((name) => query.delete(name));
    query.set("f", label);
    return go(`?${query}`);
  }

  /* What the address says, shown at once where no words are needed. */
  function mark() {
    const label = chosen();
    room.classList.toggle("has-finding", label !== "");
    room.querySelectorAll("#rows [data-f]").forEach((row) => {
      if (row.dataset.f === label) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
    });
    room.querySelectorAll("#code .at").forEach((row) => row.classList.remove("at"));
    if (label) room.querySelectorAll(`#code [data-in~="${CSS.escape(label)}"]`).forEach((row) => row.classList.add("at"));
  }

  function reveal() {
    room.querySelector("#rows [aria-current]")?.scrollIntoView({ block: "nearest" });
    const code = document.getElementById("code");
    const line = code?.querySelector(".at") ?? (code?.scrollTop === 0 ? first(code) : null);
    if (!line) return;
    centre(code, line);
    code.scrollLeft = 0;
  }

  /* In its pane alone: where the window is low, the heading stays where it is. */
  function centre(code, line) {
    if (!wide.matches) line.scrollIntoView({ block: "center", inline: "nearest" });
    else code.scrollTop += line.getBoundingClientRect().top - code.getBoundingClientRect().top - code.clientHeight / 2;
  }

  /* Where the first finding of the list is: with nothing chosen its lines are worth more than the top of the file. */
  function first(code) {
    const label = new URLSearchParams(location.search).has("start") ? "" : room.querySelector("#rows [data-f]")?.dataset.f;
    return label ? code.querySelector(`[data-in~="${CSS.escape(label)}"]`) : null;
  }

  // What arrives is seen at its line, unless somebody reads elsewhere.
  document.addEventListener("crucible:shown", () => {
    const code = document.getElementById("code");
    if (wide.matches && code?.scrollTop === 0 && !chosen()) {
      const mark = code.querySelector(".mark.arriving");
      if (mark) centre(code, mark);
    }
  });

  addEventListener("popstate", () => go(location.search, { list: true, push: false }));
  room.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-f], a[data-go], a[data-line]");
    if (!link || event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
    if (link.dataset.line !== undefined) {
      if (!room.querySelector("#code .at")) return;
      event.preventDefault();
      jump();
    } else {
      event.preventDefault();
      if (link.dataset.f) pick(link.dataset.f);
      else go(new URL(link.href).search, { list: true });
      link.closest("[popover]")?.hidePopover();
    }
  });

  function jump() {
    room.querySelector("#code .at")?.scrollIntoView({ block: "center" });
    document.getElementById("code")?.focus({ preventScroll: true });
  }

  // --- filters

  function filter(form) {
    const query = new URLSearchParams([...new FormData(form)].filter(([name, value]) => value && name !== "f"));
    if (chosen()) query.set("f", chosen());
    go(`?${query}`, { list: true, push: "replace" });
  }

  room.addEventListener("input", (event) => {
    const form = event.target.closest("#filters");
    if (!form) return;
    clearTimeout(filterTimer);
    filterTimer = setTimeout(() => filter(form), event.target.matches("select") ? 0 : FILTER_AFTER);
  });

  // --- decisions

  room.addEventListener("submit", async (event) => {
    const form = event.target;
    if (form.matches("#filters")) {
      event.preventDefault();
      filter(form);
      document.getElementById("filter-menu").hidePopover();
    } else if (form.matches("[data-change]")) {
      event.preventDefault();
      await change(form, new FormData(form, event.submitter));
    }
  });

  async function change(form, body) {
    const buttons = [...form.querySelectorAll("button")];
    buttons.forEach((button) => { button.disabled = true; });
    try {
      const options = { method: "POST", body, headers: { "HX-Request": "true" }, redirect: "manual" };
      const reply = await fetch(form.action, options);
      const address = reply.headers.get("Content-Location");
      if (!address) return location.reload();
      room.querySelectorAll("#detail [popover]:popover-open").forEach((open) => open.hidePopover());
      if (reply.ok && form.matches(".comment-form")) form.reset();
      history.replaceState(null, "", address);
      // Whoever was second is told on a page that is up to date: later news would wipe the words away.
      if (!reply.ok) await window.Crucible.refresh();
      await swap(await reply.text());
      mark();
      if (document.activeElement === document.body) document.getElementById("detail-body")?.focus({ preventScroll: true });
      if (reply.ok) window.Crucible.refresh();
    } catch {
      window.Crucible.refresh(); // says that the connection is lost; what was typed stays
    } finally {
      buttons.forEach((button) => { button.disabled = false; });
    }
  }

  // --- keys, while nobody types

  function step(by) {
    const rows = [...room.querySelectorAll("#rows [data-f]")];
    const now = rows.findIndex((row) => row.dataset.f === chosen());
    const next = rows[now < 0 ? (by > 0 ? 0 : rows.length - 1) : now + by];
    if (next) pick(next.dataset.f);
  }

  function press(key) {
    room.querySelector(`#detail [data-key="${key}"]:not(:disabled)`)?.click();
  }

  const KEYS = {
    j: () => step(1),
    k: () => step(-1),
    a: () => press("a"),
    x: () => press("x"),
    d: () => { press("d"); document.querySelector("#dismiss-menu:popover-open button")?.focus(); },
    m: () => { press("m"); document.getElementById("merge-into")?.focus(); },
    c: () => room.querySelector(".comment-form textarea")?.focus(),
    o: jump,
    "/": () => room.querySelector("#filters [type=search]")?.focus(),
    "?": () => document.getElementById("keys").togglePopover(),
    Escape: () => { if (chosen()) go(new URL(document.querySelector("#detail .back").href).search); },
  };

  addEventListener("keydown", (event) => {
    const field = event.target.closest?.("input, textarea, select, [contenteditable]");
    const typing = field?.checkVisibility() ? field : null; // not one in a menu that has just closed
    if (typing && event.key === "Escape" && !typing.closest("[popover]")) return typing.blur();
    if (typing || event.metaKey || event.ctrlKey || event.altKey || !(event.key in KEYS)) return;
    if (event.key === "Escape" ? document.querySelector(":popover-open") : event.repeat && !"jk".includes(event.key)) return;
    event.preventDefault();
    KEYS[event.key]();
  });

  mark();
  if (wide.matches) reveal();
})();
