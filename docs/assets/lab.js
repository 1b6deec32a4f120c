// What the pages do with scripts on; everything can be read without.
"use strict";

// A snippet that goes on from earlier ones is copied with them: the page's imports first, then
// the chain. Outputs are never copied.
function chain(block) {
  const all = [...document.querySelectorAll(".md-content .highlight.language-python, .md-content .language-python.highlight")]
    .filter((each) => !each.classList.contains("output") && !each.closest(".doc"));
  const place = all.indexOf(block);
  if (place < 1) return null;
  const parts = [block];
  for (let i = place; all[i].classList.contains("continues"); i -= 1) parts.unshift(all[i - 1]);
  if (parts[0] !== all[0]) parts.unshift(all[0]);
  return parts.map((each) => each.querySelector("code").textContent.trimEnd()).join("\n\n") + "\n";
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button.md-clipboard, .md-code__button[data-md-type='copy']");
  const block = button && button.closest(".highlight");
  const text = block && chain(block);
  if (text === null || text === undefined || text === "") return;
  button.setAttribute("data-clipboard-text", text);
  button.removeAttribute("data-clipboard-target");
}, true);

// Mathematics: loaded only where a page has some.
const formulas = document.querySelectorAll(".arithmatex");
if (formulas.length) {
  const base = new URL("vendor/katex/", document.currentScript.src);
  const style = Object.assign(document.createElement("link"), { rel: "stylesheet", href: new URL("katex.min.css", base) });
  const script = Object.assign(document.createElement("script"), { src: new URL("katex.min.js", base) });
  script.addEventListener("load", () => {
    for (const element of formulas) {
      const source = element.textContent;
      const display = source.startsWith("\\[");
      window.katex.render(source.slice(2, -2), element, { displayMode: display, throwOnError: false });
    }
  });
  document.head.append(style, script);
}
