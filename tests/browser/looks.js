// The rules of docs/style.md that a page can be held to. Returns one sentence for each that is broken.
() => {
  const SIZES = [12, 13, 14, 16, 20, 28], WEIGHTS = ["400", "600"], LONGEST = 0.2;
  const SEVERITIES = ["blocker", "critical", "major", "minor", "info"];
  const INSTANCES = [..."abcdefgh"].map((letter) => `mono-${letter}`);
  const OVERLAY = "dialog, .dialog, .menu, .toast";
  const told = new Set();

  const probe = document.body.appendChild(document.createElement("i"));
  const resolved = (names) => new Set(names.map((name) => {
    probe.className = "";
    const rule = new CSSStyleSheet();
    rule.replaceSync(`.probe-${name} { color: var(--${name}) }`);
    document.adoptedStyleSheets.push(rule);
    probe.className = `probe-${name}`;
    const colour = getComputedStyle(probe).color;
    document.adoptedStyleSheets.pop();
    return colour;
  }));
  const severity = resolved(SEVERITIES), instance = resolved(INSTANCES);
  probe.remove();

  const words = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  const name = (element) => `<${element.localName} class="${element.getAttribute("class") ?? ""}">`;
  const seconds = (list) => Math.max(...list.split(",").map((one) => parseFloat(one) * (one.includes("ms") ? 0.001 : 1)));
  const seen = [...document.body.querySelectorAll("*")].filter((element) => element.checkVisibility({ visibilityProperty: true }));

  for (const element of seen) {
    const style = getComputedStyle(element);
    if (words(element)) {
      const size = Math.round(parseFloat(style.fontSize) * 100) / 100;
      if (!SIZES.includes(size)) told.add(`${name(element)} is ${size} px`);
      if (!WEIGHTS.includes(style.fontWeight)) told.add(`${name(element)} weighs ${style.fontWeight}`);
    }
    if (style.boxShadow !== "none" && !style.boxShadow.split(/,(?![^(]*\))/).every((one) => one.includes("inset")) && !element.closest(OVERLAY)) {
      told.add(`${name(element)} has a shadow`);
    }
    const colours = [style.color, style.fill, style.backgroundColor, style.borderLeftColor];
    if (colours.some((colour) => severity.has(colour)) && !element.closest("[class*=sev-]")) told.add(`${name(element)} has a severity's colour`);
    if (colours.some((colour) => instance.has(colour)) && !element.closest("[class*=mono-], .seat-letter")) told.add(`${name(element)} has an instance's colour`);
    if (seconds(style.transitionDuration) > LONGEST || seconds(style.animationDuration) > LONGEST) told.add(`${name(element)} moves too long`);
    if (matchMedia("(prefers-reduced-motion: reduce)").matches && seconds(style.transitionDuration) + seconds(style.animationDuration)) {
      told.add(`${name(element)} moves although less motion is asked for`);
    }
  }
  if (document.querySelector(".card .card")) told.add("a card in a card");
  const primary = seen.filter((element) => element.matches(".btn-primary"));
  if (primary.length > 1) told.add(`primary buttons: ${primary.map((button) => button.innerText.trim()).join(", ")}`);
  return [...told];
}
