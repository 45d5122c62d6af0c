/* Keeps a page live: that of one session, of its gate, or what needs a person. The server renders every word; this file carries news, never the truth.

   A socket tells which event the session has reached and streams tokens. On news the page asks for what changed after
   the last event it shows and morphs it in. Without a socket it asks every five seconds. */
(() => {
  "use strict";
  const room = document.getElementById("room");
  const label = document.getElementById("link-state");
  const announcer = document.getElementById("announcer");
  const REFRESH_AFTER = 150, POLL_EVERY = 5_000, PING_EVERY = 25_000, PONG_WITHIN = 5_000;
  const ACK_EVERY = 32 * 1024, KEPT = 16_000, TAIL = 400, SLEPT = 10_000, CHARACTERS_PER_TOKEN = 3.5, HIGHLIGHT = 1_600;
  const skew = Date.parse(room.dataset.now) - Date.now();

  let shown = Number(room.dataset.seq); // the last event this page shows
  let known = 0; // the last event the socket told of
  let socket = null, tries = 0, retryAt = 0, retryTimer = 0;
  let pongTimer = 0, unacked = 0;
  let refreshTimer = 0, refreshing = false, again = false;
  let offline = false, freshAt = new Date();
  let left = ""; // id of what had the focus when an update took it away
  const typed = new Map(); // field id -> what stood in it last
  const streams = new Map(); // letter -> {characters, text, whole}: whole when it was seen from its first token on

  // --- what the person sees of the connection

  function showLink() {
    const open = socket?.readyState === WebSocket.OPEN;
    const wait = Math.max(Math.ceil((retryAt - Date.now()) / 1000), 0);
    const [words, tone] = offline ? [`Offline, showing ${freshAt.toLocaleTimeString()}`, "tone-bad"]
      : open ? ["Live", "tone-good"]
      : tries > 2 ? ["Polling", "tone-warn"]
      : tries ? [wait ? `Reconnecting in ${wait} s (try ${tries})` : `Reconnecting (try ${tries})`, "tone-warn"]
      : ["Connecting", "tone-quiet"];
    label.hidden = false;
    label.className = `link-state ${tone}`;
    if (label.textContent !== words) label.textContent = words;
  }

  function setOffline(now) {
    if (now !== offline) announcer.textContent = now ? "Connection lost." : "Connected again.";
    offline = now;
    room.querySelectorAll("[data-changes]").forEach((button) => { button.disabled = now; });
    document.getElementById("why-offline").hidden = !now;
    showLink();
  }

  // --- what changed, from the server

  function soon() {
    refreshTimer ||= setTimeout(() => { refreshTimer = 0; refresh(); }, REFRESH_AFTER);
  }

  async function refresh() {
    if (refreshing) { again = true; return; }
    refreshing = true;
    again = false;
    const search = location.search; // what is chosen, so that the fragments show the same
    try {
      const reply = await fetch(`${room.dataset.live}${search || "?"}&after=${shown}`, {
        headers: { "HX-Request": "true", "If-None-Match": `"${shown}"` }, cache: "no-store", redirect: "manual",
      });
      if (reply.type === "opaqueredirect" || reply.status === 403 || reply.status === 404) return location.reload();
      if (location.search !== search) again = true;
      else if (reply.status === 200) await show(await reply.text(), reply.headers.get("ETag"));
      if (reply.status < 500) freshAt = new Date();
      setOffline(false);
    } catch {
      setOffline(true);
    } finally {
      refreshing = false;
    }
    if (!offline && (again || known > shown)) soon();
  }

  async function show(text, etag) {
    const arriving = document.getElementById("arriving");
    const focused = document.activeElement;
    keepTyped();
    await htmx.swap({ text, sourceElement: document.body, target: document.body, swap: "none" });
    giveBack();
    followFocus(focused);
    shown = Number(etag.replace(/\D/g, ""));
    tick();
    paint();
    if (arriving && !document.getElementById("arriving")) regroup();
    document.dispatchEvent(new Event("crucible:shown"));
  }

  // What somebody typed outlives its field: an update may take the form away, and a later one bring it back.
  function keepTyped() {
    room.querySelectorAll("[data-keep]").forEach((field) => { typed.set(field.id, field.value); });
  }

  function giveBack() {
    typed.forEach((value, id) => {
      const field = document.getElementById(id);
      if (!field || field.value === value) return;
      field.value = value;
      field.closest("details")?.setAttribute("open", "");
    });
  }

  // Whoever had the focus in what is gone finds it at the page's home, and back where it was when that comes back.
  function followFocus(focused) {
    const home = document.getElementById(room.dataset.home);
    if (!focused.isConnected) {
      left = focused.id;
      home?.focus();
    } else if (left && document.activeElement === home) {
      document.getElementById(left)?.focus();
    }
  }

  // Reports have become findings: said once, by a highlight that stays for a moment.
  function regroup() {
    const list = document.getElementById("list");
    list?.classList.add("regrouped");
    setTimeout(() => list?.classList.remove("regrouped"), HIGHLIGHT);
  }

  // --- the socket

  function connect() {
    clearTimeout(retryTimer);
    drop();
    socket = new WebSocket(`${location.protocol.replace("http", "ws")}//${location.host}${room.dataset.socket}`);
    socket.onopen = () => {
      send({ type: "hello", after: Math.max(known, shown) });
      refresh();
    };
    socket.onmessage = (message) => receive(message.data);
    socket.onclose = reconnect;
    showLink();
  }

  function drop() {
    clearTimeout(pongTimer);
    pongTimer = unacked = 0;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
    socket = null;
  }

  function reconnect() {
    drop();
    tries += 1;
    const wait = Math.min(1_000 * 2 ** (tries - 1), 30_000) * (0.5 + Math.random() / 2);
    retryAt = Date.now() + wait;
    clearTimeout(retryTimer);
    retryTimer = setTimeout(connect, wait);
    refresh(); // tells a server that is away from a socket that is refused
    showLink();
  }

  function send(frame) {
    if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(frame));
  }

  // A half-open socket says OPEN for minutes: only an answer proves that it lives.
  function ping() {
    if (socket?.readyState !== WebSocket.OPEN || pongTimer) return;
    send({ type: "ping" });
    pongTimer = setTimeout(reconnect, PONG_WITHIN);
  }

  function receive(text) {
    tries = 0;
    clearTimeout(pongTimer);
    pongTimer = 0;
    unacked += text.length;
    if (unacked >= ACK_EVERY) {
      send({ type: "ack", bytes: unacked });
      unacked = 0;
    }
    const frame = JSON.parse(text);
    if (frame.type === "events") {
      known = Math.max(known, frame.next);
      frame.events.filter((event) => event.kind === "call.started").forEach(({ data }) => {
        streams.set(data.letter, { characters: 0, text: "", whole: true });
      });
      soon();
    } else if (frame.type === "deltas") {
      frame.deltas.forEach(stream);
      if (!document.hidden) requestAnimationFrame(paint);
    } else if (frame.type === "behind") {
      streams.forEach((seen) => { seen.whole = false; });
      soon();
    } else if (frame.type === "bye") {
      location.reload();
    }
    showLink();
  }

  // --- tokens as they come: a hint, replaced by what the log says

  function stream({ p, t }) {
    const seen = streams.get(p) ?? { characters: 0, text: "", whole: false };
    seen.characters += t.length;
    seen.text = (seen.text + t).slice(-KEPT);
    streams.set(p, seen);
  }

  function paint() {
    streams.forEach((seen, letter) => {
      const count = document.getElementById(`tokens-${letter}`);
      const tail = document.getElementById(`tail-${letter}`);
      if (!count || !tail) return;
      const tokens = Math.ceil(seen.characters / CHARACTERS_PER_TOKEN);
      count.textContent = tokens ? `${seen.whole ? "about" : "more than"} ${tokens} tokens` : "";
      tail.textContent = Crucible.spoken(seen.text, seen.whole && seen.characters === seen.text.length).slice(-TAIL);
    });
  }

  // --- time

  const words = (seconds) => (seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} m ${seconds % 60} s`);

  function tick() {
    room.querySelectorAll("[data-since]").forEach((element) => {
      const seconds = Math.max(Math.round((Date.now() + skew - Date.parse(element.dataset.since)) / 1000), 0);
      element.textContent = words(seconds);
    });
    room.querySelectorAll("[data-until]").forEach((element) => {
      const seconds = Math.round((Date.parse(element.dataset.until) - Date.now() - skew) / 1000);
      element.textContent = seconds > 0 ? `next try in ${words(seconds)}` : "next try now";
    });
  }

  let ticked = Date.now();
  setInterval(() => {
    if (Date.now() - ticked > SLEPT) { ping(); refresh(); }
    ticked = Date.now();
    tick();
    showLink();
  }, 1_000);
  setInterval(ping, PING_EVERY);
  setInterval(() => { if (socket?.readyState !== WebSocket.OPEN) refresh(); }, POLL_EVERY);

  addEventListener("online", () => { tries = 0; connect(); });
  addEventListener("offline", reconnect);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) { ping(); refresh(); paint(); } });

  window.Crucible = { ...window.Crucible, refresh };
  tick();
  connect();
})();
