/* Bringing something by drop, choice or paste. The form is sent at once: the next page says what will happen to it.
   folders.js keeps the paths of a chosen folder; what is dropped is read and named here. */
(() => {
  "use strict";
  const zone = () => document.querySelector("[data-drop]");
  const dropped = new Map(); // name of the file in its folder -> File
  const skipped = new Set();
  let depth = 0;

  const tell = (words) => { zone().querySelector(".drop-hint").textContent = words; };

  function send() {
    const here = zone();
    here.setAttribute("aria-busy", "true");
    const button = here.querySelector(".drop-go");
    button.form.requestSubmit(button);
  }

  function fits(files) {
    const { mostBytes, mostFiles } = zone().dataset;
    const size = files.reduce((sum, file) => sum + file.size, 0);
    if (!files.length) {
      tell("There is no file in that.");
    } else if (files.length > Number(mostFiles)) {
      tell(`That is ${files.length.toLocaleString("en")} files; at most ${mostFiles} can be sent at once. Bring a part of it.`);
    } else if (size > Number(mostBytes)) {
      tell(`Together these files have more than ${Math.floor(mostBytes / 1e6)} MB. Bring those that matter.`);
    } else {
      tell(files.length === 1 ? `Reading ${files[0].name} …` : `Reading ${files.length} files …`);
      return true;
    }
    zone().classList.add("has-problem");
    return false;
  }

  // --- chosen

  document.addEventListener("change", (event) => {
    const input = event.target;
    if (input.type !== "file" || !input.closest("[data-drop]") || !input.files.length) return;
    const wanted = [...input.files].filter((file) => !skippedDirectory(file.webkitRelativePath || file.name));
    if (fits(wanted)) send(); else input.value = "";
  });

  // --- dropped, anywhere on the page

  async function walk(entry, path) {
    if (entry.isFile) {
      const file = await new Promise((done, failed) => { entry.file(done, failed); });
      dropped.set(path + entry.name, file);
      return;
    }
    if (skippedDirectory(`${path}${entry.name}/`)) {
      skipped.add(path + entry.name);
      return;
    }
    const reader = entry.createReader();
    for (let some = [0]; some.length; ) {
      some = await new Promise((done, failed) => { reader.readEntries(done, failed); });
      for (const one of some) await walk(one, `${path}${entry.name}/`);
    }
  }

  const holdsFiles = (event) => zone() && [...event.dataTransfer.types].includes("Files");
  const show = (over) => zone()?.querySelector(".drop").classList.toggle("is-over", over);

  document.addEventListener("dragenter", (event) => { if (holdsFiles(event)) { depth += 1; show(true); } });
  document.addEventListener("dragleave", (event) => { if (holdsFiles(event) && --depth <= 0) { depth = 0; show(false); } });
  document.addEventListener("dragover", (event) => { if (holdsFiles(event)) event.preventDefault(); });
  document.addEventListener("drop", async (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    depth = 0;
    show(false);
    dropped.clear();
    skipped.clear();
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    if (!entries.length) for (const file of event.dataTransfer.files) dropped.set(file.name, file);
    tell("Reading …");
    try {
      for (const entry of entries) await walk(entry, "");
    } catch {
      tell("The browser could not read that. Choose it instead of dropping it.");
      return;
    }
    if (fits([...dropped.values()])) send();
  });

  // --- pasted, outside of fields

  document.addEventListener("paste", (event) => {
    if (!zone() || event.target.closest("input, textarea, select, [contenteditable]")) return;
    const files = [...event.clipboardData.files];
    const text = event.clipboardData.getData("text/plain");
    if (files.length) {
      dropped.clear();
      files.forEach((file) => dropped.set(file.name, file));
      if (fits(files)) send();
    } else if (text.trim()) {
      zone().querySelector("[name=text]").value = text;
      tell(`Reading ${text.split("\n").length.toLocaleString("en")} pasted lines …`);
      send();
    } else return;
    event.preventDefault();
  });

  document.addEventListener("formdata", (event) => {
    if (!event.target.querySelector("[data-drop]")) return;
    for (const [path, file] of dropped) {
      event.formData.append("files", file, file.name);
      event.formData.append("files_path", path);
    }
    for (const directory of skipped) event.formData.append("files_skipped", directory);
    dropped.clear();
    skipped.clear();
  });
  addEventListener("pageshow", () => zone()?.removeAttribute("aria-busy"));
})();
