// The page "A block, line by line": steps through what ran at each expression of a block's source.
// All numbers were measured when the page was built; here they are only laid out.
"use strict";

(() => {
  const root = document.querySelector("#ll-anatomy");
  if (!root) return;
  const source = new URL("../generated/anatomy/data/blocks.json", document.currentScript.src);
  const form = root.querySelector("form");
  const { block: blocks, back, next } = form.elements;
  const code = root.querySelector("#ll-code");
  const parts = root.querySelector("#ll-parts tbody");
  const shares = root.querySelector("#ll-shares");
  const say = root.querySelector("output");
  const quantities = { parameters: "parameters", macs: "MACs", activations: "activations" };
  const grouped = (number) => number.toLocaleString("en-US");
  const shaped = (shape) => shape.join(" × ");

  let data = [];
  const state = { block: 0, step: 0 };
  const block = () => data[state.block];
  const step = () => block().steps[state.step];
  const sum = (of, quantity) => of.parts.reduce((total, part) => total + part[quantity], 0);

  function element(tag, text, name) {
    const made = document.createElement(tag);
    if (text) made.textContent = text;
    if (name) made.className = name;
    return made;
  }

  // --- The source: words with the site's colours, and a mark around the expression.
  function words(line, from, to) {
    const made = [];
    const mark = element("mark");
    let at = 0;
    for (const [kind, text] of line) {
      for (const [first, last, home] of [[0, from, made], [from, to, mark], [to, Infinity, made]]) {
        const piece = text.slice(Math.max(first - at, 0), Math.max(last - at, 0));
        if (!piece) continue;
        if (home === mark && !made.includes(mark)) made.push(mark);
        (home === mark ? mark : { append: (word) => made.push(word) }).append(element("span", piece, kind));
      }
      at += text.length;
    }
    return made;
  }

  function drawCode() {
    const { steps, lines } = block();
    const { line: here, columns } = step();
    code.replaceChildren(...lines.map((line, index) => {
      const row = element("span", "", "ll-line");
      row.dataset.line = index;
      if (steps.some((s) => s.line === index)) row.classList.add("ll-runs");
      if (index === here) row.classList.add("ll-now");
      row.append(...(index === here ? words(line, ...columns) : words(line, 0, 0)), "\n");
      return row;
    }));
  }

  // --- What the step gave and what it cost.
  function drawStep() {
    const { steps, total } = block();
    const now = step();
    parts.replaceChildren(...now.parts.map((part) => {
      const row = element("tr");
      row.append(element("td", part.kind), element("td", shaped(part.shape)));
      for (const quantity of Object.keys(quantities)) {
        const cell = element("td", part[quantity] ? grouped(part[quantity]) : "–");
        cell.dataset.number = "";
        row.append(cell);
      }
      return row;
    }));
    for (const quantity of Object.keys(quantities)) {
      const cost = sum(now, quantity);
      const share = (100 * cost) / total[quantity];
      root.querySelector(`[data-fact=${quantity}]`).textContent = grouped(cost);
      root.querySelector(`[data-fact=${quantity}-share]`).textContent = `${share.toFixed(1)} %`;
    }
    root.querySelector("[data-fact=shape]").textContent = shaped(now.shape);
    const running = block().lines[now.line].map(([, text]) => text).join("").slice(...now.columns);
    say.textContent = `Step ${state.step + 1} of ${steps.length}: ${running}`
      + (now.module && !running.includes(now.module) ? `, here ${now.module}` : "")
      + `. It gives ${shaped(now.shape)}.`;
    back.disabled = state.step === 0;
    next.disabled = state.step === steps.length - 1;
  }

  // --- Three bars: the whole block, a piece for each part, those of the step filled.
  function drawShares() {
    const { steps, total } = block();
    shares.replaceChildren(...Object.entries(quantities).map(([quantity, name]) => {
      const row = element("div", "", "ll-share");
      const bar = element("div", "", "ll-bar");
      steps.forEach((each, index) => {
        for (const part of each.parts) {
          if (!part[quantity]) continue;
          const piece = element("span", "", `ll-piece ll-kind-${part.colour}`);
          piece.classList.toggle("ll-now", index === state.step);
          piece.classList.toggle("ll-done", index < state.step);
          piece.style.flexGrow = part[quantity];
          piece.dataset.step = index;
          piece.title = `${part.kind}: ${grouped(part[quantity])} ${name}`;
          bar.append(piece);
        }
      });
      const label = element("span", `${grouped(total[quantity])} ${name}`, "ll-sum");
      label.dataset.total = quantity;
      row.append(label, bar);
      return row;
    }));
  }

  function refresh() {
    drawCode();
    drawStep();
    drawShares();
  }

  function toStep(index) {
    state.step = Math.min(Math.max(index, 0), block().steps.length - 1);
    refresh();
  }

  function toBlock(index) {
    state.block = index;
    blocks.value = index;
    const { network, path, file, line, inputs, function: name } = block();
    root.querySelector("[data-fact=where]").textContent = `${name}, lineage_lab/${file}, line ${line}. `
      + `Taken from ${network}${path ? `, ${path}` : ""}. It is given ${shaped(inputs)}.`;
    root.querySelector("[data-fact=built]").hidden = !block().built;
    toStep(0);
  }

  blocks.addEventListener("change", () => toBlock(Number(blocks.value)));
  back.addEventListener("click", () => toStep(state.step - 1));
  next.addEventListener("click", () => toStep(state.step + 1));
  form.addEventListener("submit", (event) => event.preventDefault());

  code.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const last = block().steps.length - 1;
    const turns = { ArrowDown: state.step + 1, ArrowRight: state.step + 1, ArrowUp: state.step - 1,
      ArrowLeft: state.step - 1, Home: 0, End: last };
    if (!(event.key in turns)) return;
    event.preventDefault();
    toStep(turns[event.key]);
  });

  // A line's first step; a second click on the same line goes on to its next.
  code.addEventListener("click", (event) => {
    const row = event.target.closest(".ll-runs");
    if (!row) return;
    const line = Number(row.dataset.line);
    const own = [...block().steps.keys()].filter((index) => block().steps[index].line === line);
    const after = own.indexOf(state.step) + 1; // 0 where another line is shown
    toStep(own[after % own.length]);
  });
  shares.addEventListener("click", (event) => {
    const piece = event.target.closest("[data-step]");
    if (piece) toStep(Number(piece.dataset.step));
  });

  async function begin() {
    const answer = await fetch(source);
    if (!answer.ok) return;
    data = await answer.json();
    blocks.replaceChildren(...data.map((b, value) => Object.assign(element("option", b.title), { value })));
    root.hidden = false;
    const wanted = data.findIndex((b) => b.network === "resnet50");
    toBlock(wanted);
    for (const button of document.querySelectorAll(".ll-show")) {
      button.hidden = false;
      button.addEventListener("click", () => {
        toBlock(data.findIndex((b) => `${b.network}/${b.path}` === button.dataset.block));
        root.scrollIntoView({ block: "start" });
        code.focus({ preventScroll: true });
      });
    }
  }

  begin().catch(() => {}).finally(() => root.classList.toggle("ll-failed", root.hidden)); // the tables stay
})();
