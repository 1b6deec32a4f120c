// The end of a page at work: the report takes a snippet along, and ? lists the keys.
"use strict";

(() => {
  // --- Report a mistake: the link works by itself; here the snippet joins it.
  const report = document.querySelector(".ll-report");
  const said = document.querySelector(".ll-reported");
  const BLOCKS = ".highlight, .jp-InputArea-editor";
  const LONGEST = 2000; // characters: an address may not grow without end

  function address(snippet) {
    const url = new URL(report.dataset.plain);
    const text = snippet.trim();
    url.searchParams.set("snippet", text.length > LONGEST ? `${text.slice(0, LONGEST)}\n…` : text);
    return url.href;
  }

  function choose(snippet) {
    if (!snippet.trim()) return;
    report.href = address(snippet);
    const line = snippet.trim().split("\n")[0];
    const short = line.length > 60 ? `${line.slice(0, 60)}…` : line;
    said.replaceChildren(
      "It takes this snippet along: ",
      Object.assign(document.createElement("code"), { textContent: short }),
      " ",
      Object.assign(document.createElement("button"), { type: "button", textContent: "Leave it out" }),
    );
  }

  const inner = (node) => {
    const element = node && (node.nodeType === Node.ELEMENT_NODE ? node : node.parentElement);
    const block = element && element.closest(BLOCKS);
    return block && block.querySelector("pre");
  };
  const text = (pre) => (pre.querySelector("code") || pre).textContent;

  if (report) {
    report.dataset.plain = report.href;
    said.addEventListener("click", (event) => {
      if (event.target.tagName !== "BUTTON") return;
      report.href = report.dataset.plain;
      said.replaceChildren();
      report.focus();
    });
    document.addEventListener("selectionchange", () => {
      const selection = getSelection();
      if (!selection.isCollapsed && inner(selection.anchorNode)) choose(selection.toString());
    });
    document.addEventListener("focusin", (event) => {
      const pre = inner(event.target);
      if (pre) choose(text(pre));
    });
    // A snippet's own link is made when the pointer or the keyboard comes to it: a page has many.
    const offer = (event) => {
      const block = event.target.closest(BLOCKS);
      const pre = block && block.querySelector("pre");
      if (!pre || block.querySelector(".ll-report-snippet")) return;
      if (block.matches(".output") || block.closest(".ll-run, .ll-hero, .doc-signature")) return;
      const link = Object.assign(document.createElement("a"), {
        className: "ll-report-snippet", textContent: "Report", href: address(text(pre)),
      });
      link.setAttribute("aria-label", "Report a mistake in this snippet, on github.com");
      link.title = "Report a mistake in this snippet, on github.com";
      block.append(link);
    };
    document.addEventListener("pointerover", offer);
    document.addEventListener("focusin", offer);
  }

  // --- Keys: ? opens the list, Escape closes it, and the focus goes back by itself.
  const dialog = document.querySelector("#ll-keys");
  const opener = document.querySelector(".ll-keys-open");
  if (!dialog || !opener) return;
  const open = () => dialog.open || dialog.showModal();
  const writes = (element) => element.matches("input, textarea, select, [contenteditable='true']");

  opener.addEventListener("click", (event) => {
    event.preventDefault();
    open();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "?" || event.ctrlKey || event.metaKey || event.altKey || writes(event.target)) return;
    event.preventDefault();
    open();
  });
  dialog.addEventListener("keydown", (event) => event.stopPropagation()); // the page's own keys rest
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
})();
