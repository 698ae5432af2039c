// Judges a new password while it is typed, by about the same rules as the server, which has the last word.
(function () {
  "use strict";
  const runs = ["abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertzuiop", "qwertyuiop", "asdfghjkl", "yxcvbnm"];
  const common = ["password", "passwort", "kennwort", "geheim", "hallo", "welcome", "willkommen", "admin", "qwert", "sommer",
    "winter", "asterisk", "pbxweb", "telefon", "secret", "schatz", "iloveyou", "letmein"];

  function shortened(text) {
    let left = text.toLowerCase();
    for (const word of common) left = left.replaceAll(word, word[0]);
    for (const run of [...runs, ...runs.map((r) => [...r].reverse().join(""))]) {
      for (let size = run.length; size > 2; size--) {
        for (let at = 0; at + size <= run.length; at++) left = left.replaceAll(run.slice(at, at + size), run[at]);
      }
    }
    return left.replace(/(.)\1{2,}/g, "$1").replace(/(.{2,}?)\1+/g, "$1");
  }

  function score(password, known) {
    if (password.length < 10) return 0;
    let rest = password;
    for (const part of known.split(/[^\p{L}\p{N}]+/u)) {
      if (part.length > 2) rest = rest.toLowerCase().replaceAll(part.toLowerCase(), "");
    }
    const kinds = [[/[a-z]/, 26], [/[A-Z]/, 26], [/[0-9]/, 10], [/[^a-zA-Z0-9]/, 30]];
    const pool = kinds.reduce((sum, [pattern, size]) => sum + (pattern.test(password) ? size : 0), 0);
    const bits = shortened(rest).length * Math.log2(pool);
    return [28, 40, 60, 80].filter((limit) => bits >= limit).length;
  }

  for (const bar of document.querySelectorAll("[data-strength]")) {
    const input = document.getElementById(bar.dataset.strength);
    const words = bar.dataset.words.split("|");
    bar.hidden = true;
    input.addEventListener("input", () => {
      const value = score(input.value, bar.dataset.known);
      bar.hidden = !input.value;
      bar.querySelector("meter").value = value;
      bar.querySelector(".strength-word").textContent = words[value];
    });
  }
})();
