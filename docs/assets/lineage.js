// The page "The lineage at a glance": tables to sort, a chart to filter, rows that light up
// what they are about. Everything can be read without.
"use strict";

(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  // --- Sorting: each head of a column becomes a button.
  function value(row, column) {
    const text = row.cells[column].dataset.value;
    const number = Number(text);
    return text === "" ? null : Number.isNaN(number) ? text : number;
  }

  // What is not known stays last, whichever way the rest is sorted.
  function compare(a, b, sign) {
    if (a === null || b === null) return (a === null) - (b === null);
    if (typeof a === "number" && typeof b === "number") return sign * (a - b);
    return sign * String(a).localeCompare(String(b), "en", { numeric: true });
  }

  function sort(table, column) {
    const head = table.tHead.rows[0].cells[column];
    const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    for (const cell of table.tHead.rows[0].cells) cell.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", sign === 1 ? "ascending" : "descending");
    const body = table.tBodies[0];
    body.append(...[...body.rows].sort((a, b) => compare(value(a, column), value(b, column), sign)));
  }

  for (const table of all(".ll-data table")) {
    [...table.tHead.rows[0].cells].forEach((cell, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...cell.childNodes);
      button.addEventListener("click", () => sort(table, column));
      cell.append(button);
    });
  }

  // --- Lighting up: a row and what it is about, in both directions.
  const readout = document.querySelector("#ll-readout");
  const hint = "Point at a disc or a row, and its numbers stand here.";

  // The numbers of what is lit, as the disc's tip has them: a finger brings up no tip.
  function tell(row) {
    const tip = row && document.querySelector(`.ll-disc[data-row="${CSS.escape(row)}"] title`);
    if (readout) readout.textContent = tip ? tip.textContent : hint;
  }

  // The table of a disc scrolls to its row; the page stays where it is.
  function bring(row) {
    const frame = row && row.closest(".ll-data");
    if (!frame) return;
    const [inner, outer] = [row.getBoundingClientRect(), frame.getBoundingClientRect()];
    const head = row.closest("table").tHead.offsetHeight;
    if (inner.top < outer.top + head || inner.bottom > outer.bottom) {
      frame.scrollTop += inner.top - outer.top - (outer.height + head - inner.height) / 2;
    }
  }

  function light(mine) {
    for (const element of all(".ll-on")) element.classList.remove("ll-on");
    for (const svg of all("svg.ll-some")) svg.classList.remove("ll-some");
    const { row, key } = mine ? mine.dataset : {};
    tell(row);
    if (!mine) return;
    const lit = row
      ? all(`[data-row="${CSS.escape(row)}"]`)
      : all(`[data-key="${key}"], [data-from="${key}"], [data-to="${key}"]`);
    for (const element of lit) {
      element.classList.add("ll-on");
      const svg = element.closest("svg");
      if (svg) svg.classList.add("ll-some");
    }
    if (mine.closest("svg")) bring(lit.find((element) => element.matches("tr")));
  }

  const subjects = all("tr[data-row], tr[data-key], .ll-disc, .ll-node");
  for (const subject of subjects) {
    subject.addEventListener("pointerenter", () => light(subject));
    subject.addEventListener("pointerleave", () => light(null));
    subject.addEventListener("focusin", () => light(subject));
    subject.addEventListener("click", () => light(subject)); // a finger leaves at once: it stays lit
    subject.addEventListener("focusout", () => light(null));
  }

  // --- Keyboard: one row of a table is in the tab order; arrows go to the others.
  const shown = (body) => [...body.rows].filter((row) => !row.hidden);

  function enter(row) {
    for (const other of row.parentNode.rows) other.tabIndex = -1;
    row.tabIndex = 0;
  }

  for (const body of all(".ll-data tbody")) {
    for (const row of body.rows) row.tabIndex = -1;
    body.rows[0].tabIndex = 0;
    body.addEventListener("keydown", (event) => {
      if (event.target.tagName !== "TR") return;
      const rows = shown(body);
      const place = rows.indexOf(event.target);
      const next = { ArrowDown: place + 1, ArrowUp: place - 1, Home: 0, End: rows.length - 1 }[event.key];
      if (next === undefined) return;
      event.preventDefault();
      const row = rows[Math.min(Math.max(next, 0), rows.length - 1)];
      enter(row);
      row.focus();
    });
    body.addEventListener("focusin", (event) => {
      if (event.target.tagName === "TR") enter(event.target);
    });
  }

  // --- The chart: which axis, and what of it is shown.
  const form = document.querySelector("#ll-chart-controls");
  const charts = document.querySelector("#ll-charts");
  if (!form || !charts) return;
  for (const details of all("details", charts)) details.replaceWith(details.querySelector("figure"));
  form.hidden = false;
  readout.hidden = false;
  tell();

  const rows = all("#ll-points tbody tr");
  const units = { macs: "G MACs", parameters: "M parameters", size: "MiB", year: "" };

  function update() {
    const axis = form.elements.axis.value;
    const most = form.elements.most.value === "" ? Infinity : Number(form.elements.most.value);
    const family = form.elements.family.value;
    const since = Number(form.elements.since.value);
    const until = Number(form.elements.until.value);
    for (const figure of all("figure", charts)) figure.hidden = figure.dataset.axis !== axis;
    form.querySelector("[data-unit]").textContent = units[axis];
    form.querySelector("[data-limit]").hidden = axis === "year"; // which has "from" and "to"
    const out = new Set();
    for (const row of rows) {
      const year = Number(row.dataset.year);
      const hidden = (family !== "" && row.dataset.family !== family) || year < since || year > until
        || Number(row.dataset[axis]) > most;
      row.hidden = hidden;
      if (hidden) out.add(row.dataset.row);
    }
    for (const mark of all(".ll-disc, .ll-label", charts)) {
      mark.classList.toggle("ll-out", out.has(mark.dataset.row));
    }
    for (const line of all(".ll-line", charts)) {
      line.classList.toggle("ll-out", out.has(line.dataset.fromRow) || out.has(line.dataset.toRow));
    }
    const left = rows.filter((row) => !row.hidden);
    if (left.length && !left.some((row) => row.tabIndex === 0)) enter(left[0]);
    form.querySelector("output").textContent =
      `${left.length} of ${rows.length} shown. Point at a row or a disc, or go through the rows with the arrow keys.`;
  }

  form.addEventListener("input", (event) => {
    if (event.target.name === "axis") form.elements.most.value = ""; // it was of another unit
    update();
  });
  form.addEventListener("reset", () => setTimeout(update));
  form.addEventListener("submit", (event) => event.preventDefault());
  update();
})();
