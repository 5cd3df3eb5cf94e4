// Light or dark: as the system has it, or as chosen here. Loaded before the page is drawn.
"use strict";
(() => {
  const words = { "": "as the system", light: "light", dark: "dark" };
  const signs = { "": "◐", light: "☀", dark: "☾" };
  let chosen = "";
  try { chosen = localStorage.getItem("theme") || ""; } catch { /* a browser that keeps nothing */ }
  const apply = () => {
    if (chosen) document.documentElement.dataset.theme = chosen;
    else delete document.documentElement.dataset.theme;
  };
  apply();
  addEventListener("DOMContentLoaded", () => {
    // On a phone the row of pages is wider than the screen.
    document.querySelector(".top [aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" });
    const button = document.getElementById("theme");
    if (!button) return;
    const label = () => {
      button.textContent = signs[chosen];
      button.setAttribute("aria-label", `Colours: ${words[chosen]}`);
      button.title = `Colours: ${words[chosen]}`;
    };
    label();
    button.hidden = false;
    button.addEventListener("click", () => {
      const all = Object.keys(words);
      chosen = all[(all.indexOf(chosen) + 1) % all.length];
      try { localStorage.setItem("theme", chosen); } catch { /* kept for this page only */ }
      apply();
      label();
    });
  });
})();
