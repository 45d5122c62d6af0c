/* What an instance says, read out of the JSON it is still writing: the values people read, without keys and brackets.
   The text may be cut anywhere; of a value that is being written there is what has come. */
(() => {
  "use strict";
  const SENTENCES = ["analysis", "title", "claim", "suggestion", "rationale", "changed_because", "amend_value", "reason",
    "summary", "question", "scope", "coverage"];
  const CODES = ["severity", "stance", "answer", "verdict"]; // one word that says a lot
  const VALUE = new RegExp(`"(${[...SENTENCES, ...CODES].join("|")})"\\s*:\\s*"((?:[^"\\\\]|\\\\.)*)`, "gs");
  const CUT_ESCAPE = /\\u[0-9a-f]{0,3}$/i; // one that lacks its end
  const ESCAPE = /\\(?:u([0-9a-f]{4})|(.))/gis;

  const plain = (value) => value.replace(CUT_ESCAPE, "")
    .replace(ESCAPE, (_, code, letter) => (code ? String.fromCharCode(parseInt(code, 16)) : "nrtbf".includes(letter) ? " " : letter));

  /* `text` is the answer so far, or the end of it. What comes before its JSON is prose; `whole` says that its beginning
     is there, so that text without any JSON is known to be prose. */
  function spoken(text, whole) {
    const values = [...text.matchAll(VALUE)].map(([, key, value]) => (CODES.includes(key) ? value.replaceAll("_", " ") : plain(value)));
    if (values.length) return values.filter((value) => value.trim()).join(" · ");
    return whole ? text.split(/[{[`]/, 1)[0].trim() : "";
  }

  window.Crucible = { ...window.Crucible, spoken };
})();
