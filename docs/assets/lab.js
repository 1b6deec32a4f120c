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
  button.className = label.className;
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

// What scrolls sideways can be reached and scrolled by keyboard; the theme's wraps and copy buttons
// come late, and it makes a landmark of each copy button and of each result's tags.
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
