/* Plays the log of a finished session: the server shows how it stood after an event, this moves the slider on. Without
   this file the slider has a button beside it, and links lead from step to step. */
(() => {
  "use strict";
  const WHOLE = 60_000, SHORTEST = 120, LONGEST = 900; // milliseconds: of the log, and of one step
  const CALM = 1_500; // of one step, for who wants less motion
  const slider = document.getElementById("at");
  const play = document.getElementById("play");
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  let timer = 0;

  const shown = () => document.getElementById("then").dataset;
  const isPlaying = () => play.getAttribute("aria-pressed") === "true";
  const pause = () => (calm.matches ? CALM : Math.min(LONGEST, Math.max(SHORTEST, WHOLE / slider.max)));

  function set(playing) {
    clearTimeout(timer);
    play.setAttribute("aria-pressed", String(playing));
    play.setAttribute("aria-label", playing ? "Pause" : "Play");
    if (playing) show(shown().next || slider.min); // at its end it begins again
  }

  function show(seq) {
    slider.value = seq;
    slider.dispatchEvent(new Event("input", { bubbles: true }));
  }

  function step() {
    const { next } = shown();
    if (next) show(next);
    else set(false);
  }

  play.addEventListener("click", () => set(!isPlaying()));
  slider.addEventListener("input", ({ isTrusted }) => {
    if (isTrusted && isPlaying()) set(false); // somebody took the slider
    document.getElementById("event-number").textContent = slider.value;
  });
  document.addEventListener("htmx:after:swap", () => {
    slider.setAttribute("aria-valuetext", shown().said);
    if (isPlaying()) timer = setTimeout(step, pause());
    else document.getElementById("announcer").textContent = shown().said;
  });
  document.addEventListener("htmx:response:error", () => set(false));
  document.addEventListener("htmx:error", () => set(false));
  play.hidden = false;
})();
