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

// partials/early.js has told the browser the scheme; the first such element counts, so it follows.
const told = document.querySelector("meta[name='color-scheme']");
new MutationObserver(() => {
  told.content = document.body.dataset.mdColorScheme === "slate" ? "dark" : "light";
}).observe(document.body, { attributeFilter: ["data-md-color-scheme"] });

// The index is fetched while the reader still types: the search's worker then has it at hand.
const search = document.getElementById("__search");
const index = new URL("../search/index.json", document.currentScript.src);
if (search) search.addEventListener("change", () => { fetch(index).catch(() => {}); }, { once: true });

// The menu's label becomes a button, which a keyboard reaches; Escape closes the menu.
const drawer = document.getElementById("__drawer");
const label = document.querySelector(".md-header__button[for='__drawer']");
if (drawer && label) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = `${label.className} ll-menu`;
  button.setAttribute("aria-label", "Menu");
  button.append(...label.childNodes);
  label.replaceWith(button);
  const tell = () => button.setAttribute("aria-expanded", String(drawer.checked));
  tell();
  drawer.addEventListener("change", tell);
  button.addEventListener("click", () => drawer.click());
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && drawer.checked) { drawer.click(); button.focus(); }
  });
}

// What scrolls sideways can be reached and scrolled by keyboard; the theme's wraps and some
// copy buttons come late, and it makes a landmark of each of these and of each result's tags.
const scrolls = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const element = target.matches("table") ? target.closest(".md-typeset__scrollwrap") : target;
    if (!element) continue;
    if (element.scrollWidth <= element.clientWidth) { element.removeAttribute("tabindex"); continue; }
    element.tabIndex = 0;
    if (!element.matches(".md-typeset__scrollwrap")) continue;
    element.setAttribute("role", "group");
    element.setAttribute("aria-label", "Table");
  }
});
// A formula that was below the fold has its true width only now.
document.addEventListener("contentvisibilityautostatechange", ({ target, skipped }) => {
  if (!skipped && target.matches("div.arithmatex")) { scrolls.unobserve(target); scrolls.observe(target); }
});
const content = document.querySelector(".md-content");
const found = document.querySelector(".md-search-result");
let waiting = false;
function late() {
  waiting = false;
  if (found) {
    found.parentElement.tabIndex = found.querySelector("li") ? 0 : -1;
    for (const each of found.querySelectorAll("nav:not([role])")) each.setAttribute("role", "presentation");
  }
  for (const each of content.querySelectorAll("nav.md-code__nav:not([role])")) each.setAttribute("role", "presentation");
  for (const each of content.querySelectorAll(".md-typeset__scrollwrap, .md-typeset__scrollwrap table, .ll-figure, div.arithmatex, .ll-source, pre > code")) scrolls.observe(each);
}
if (content) {
  (window.requestIdleCallback || setTimeout)(late);
  const observer = new MutationObserver(() => {
    if (!waiting) setTimeout(() => (window.requestIdleCallback || setTimeout)(late), 100);
    waiting = true;
  });
  for (const each of [content, found]) if (each) observer.observe(each, { childList: true, subtree: true });
}
