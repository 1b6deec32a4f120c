// What the pages do with scripts on; everything can be read without.
"use strict";

// What a reader can run of a block: what was typed, without prompts and without what was answered.
function typed(text) {
  const lines = text.trimEnd().split("\n");
  if (/^>>> /.test(text)) {
    return lines.filter((line) => /^(>>>|\.\.\.)( |$)/.test(line)).map((line) => line.slice(4)).join("\n");
  }
  if (!/^\$ /.test(text)) return text.trimEnd();
  let open = false; // the line before ends in a backslash
  return lines.filter((line) => {
    const kept = open || /^(\$|>) /.test(line);
    open = kept && line.endsWith("\\");
    return kept;
  }).map((line) => line.replace(/^(\$|>) /, "")).join("\n");
}

// A snippet that goes on from earlier ones is copied with them: the page's imports first, then
// the chain. A part of the package that a page shows is copied as it stands.
function runnable(block) {
  const source = (each) => /^lineage_lab\//.test(each.querySelector(".filename")?.textContent ?? "");
  const all = [...document.querySelectorAll(".md-content .language-python.highlight")]
    .filter((each) => !each.closest(".doc") && !source(each));
  const place = all.indexOf(block);
  const parts = [block];
  if (place > 0) {
    for (let i = place; i > 0 && all[i].classList.contains("continues"); i -= 1) parts.unshift(all[i - 1]);
    if (parts[0] !== all[0]) parts.unshift(all[0]);
  }
  return parts.map((each) => typed(each.querySelector("code").textContent)).join("\n\n") + "\n";
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button.md-clipboard, .md-code__button[data-md-type='copy']");
  const block = button && button.closest(".highlight");
  if (!block) return;
  button.setAttribute("data-clipboard-text", runnable(block));
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
