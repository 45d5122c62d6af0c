/* Files of a folder keep their places. A form sends only the last part of a name, so every path goes beside its file, as
   `<field>_path`. Directories that nobody wants reviewed stay here and are named as `<field>_skipped`: the server says
   why. Two inputs of one name, one for files and one for a folder, count as one. */
(() => {
  "use strict";
  const SKIPPED = new Set(["node_modules", ".git", ".venv", "venv", "__pycache__", "bower_components", "site-packages"]);

  const skippedDirectory = (path) => {
    const parts = path.split("/").slice(0, -1);
    const index = parts.findIndex((part) => SKIPPED.has(part));
    return index < 0 ? "" : parts.slice(0, index + 1).join("/");
  };

  globalThis.skippedDirectory = skippedDirectory; // drop.js walks a dropped folder by the same rule

  const replace = (data, name, files) => {
    const skipped = new Set();
    data.delete(name);
    for (const file of files) {
      const path = file.webkitRelativePath || file.name;
      const directory = skippedDirectory(path);
      if (directory) {
        skipped.add(directory);
      } else {
        data.append(name, file);
        data.append(`${name}_path`, path);
      }
    }
    for (const directory of skipped) data.append(`${name}_skipped`, directory);
  };

  document.addEventListener("formdata", (event) => {
    const inputs = [...event.target.querySelectorAll("input[type=file]")];
    for (const name of new Set(inputs.filter((input) => input.webkitdirectory).map((input) => input.name))) {
      const files = inputs.filter((input) => input.name === name).flatMap((input) => [...input.files]);
      if (files.length) replace(event.formData, name, files);
    }
  });
})();
