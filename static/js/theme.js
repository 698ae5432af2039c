// Runs before the first paint: JavaScript is here, and "like the device" becomes light or dark.
(function () {
  const root = document.documentElement;
  root.classList.add("js");
  if (root.dataset.bsTheme !== "auto") return;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const apply = () => { root.dataset.bsTheme = dark.matches ? "dark" : "light"; };
  apply();
  dark.addEventListener("change", apply);
})();
