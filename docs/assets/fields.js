// The page "What one unit sees": a unit is moved over a photograph, a layer is picked. All numbers
// are lineage_lab.describe's, read from a file that the build writes; here they are only laid out.
"use strict";

(() => {
  const root = document.querySelector("#ll-fields");
  if (!root) return;
  const folder = new URL("../generated/fields/data/", document.currentScript.src);
  const form = root.querySelector("form");
  const { network: networks, layer: layers, depth } = form.elements;
  const stage = root.querySelector("#ll-stage");
  const seen = root.querySelector("#ll-seen");
  const growth = root.querySelector("#ll-growth");
  const say = root.querySelector("output");
  const minus = (number) => String(number).replace("-", "−");

  function svg(tag, attributes, parent) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    if (parent) parent.append(made);
    return made;
  }

  function set(element, attributes) {
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  }

  const square = (x, y, side) => ({ x, y, width: side, height: side });

  // --- What is drawn once: the photograph, what lies beyond it, and the squares over it.
  function hatching(id, parent) {
    const pattern = svg("pattern", { id, patternUnits: "userSpaceOnUse" }, svg("defs", {}, parent));
    const ground = svg("rect", { class: "ll-pad-ground" }, pattern);
    return { pattern, ground, line: svg("path", { class: "ll-pad-line" }, pattern) };
  }

  function scaled({ pattern, ground, line }, size) {
    set(pattern, { width: size, height: size });
    set(ground, { width: size, height: size });
    set(line, { d: `M0 ${size}L${size} 0`, "stroke-width": size / 7 });
  }

  const parts = {
    stagePad: hatching("ll-pad-stage", stage),
    seenWords: svg("desc", {}, seen),
    seenPad: hatching("ll-pad-seen", seen),
    beyond: svg("rect", { fill: "url(#ll-pad-stage)" }, stage),
    photo: svg("image", { class: "ll-photo" }, stage),
    frame: svg("rect", { class: "ll-frame" }, stage),
    dotsUnder: svg("path", { class: "ll-dots ll-under" }, stage),
    dots: svg("path", { class: "ll-dots" }, stage),
    nextUnder: svg("rect", { class: "ll-next ll-under" }, stage),
    next: svg("rect", { class: "ll-next" }, stage),
    ownUnder: svg("rect", { class: "ll-own ll-under" }, stage),
    own: svg("rect", { class: "ll-own" }, stage),
    hereUnder: svg("path", { class: "ll-here ll-under" }, stage),
    here: svg("path", { class: "ll-here" }, stage),
    seenBeyond: svg("rect", { fill: "url(#ll-pad-seen)" }, seen),
    seenPhoto: svg("image", { class: "ll-photo" }, seen),
    seenFrame: svg("rect", { class: "ll-frame" }, seen),
  };

  let data = [];
  const state = { network: 0, layer: 0, column: 0, row: 0 };
  const network = () => data[state.network];
  const layer = () => network().layers[state.layer];

  // Where a unit stands: the middle of its field, or of its patch if it sees the whole picture.
  const local = (l) => l.size ?? l.patch;
  const start = (l, unit) => l.left + unit * l.stride;
  const middle = (l, unit) => start(l, unit) + local(l) / 2;

  // --- The picture on the left: all fields of the layer fit in.
  function drawStage() {
    const l = layer();
    const { side } = network();
    const low = Math.min(0, l.left);
    const high = Math.max(side, start(l, l.units - 1) + local(l));
    const margin = (high - low) * 0.012;
    const view = high - low + 2 * margin;
    set(stage, { viewBox: `${low - margin} ${low - margin} ${view} ${view}` });
    scaled(parts.stagePad, view / 60);
    set(parts.photo, { ...square(0, 0, side), href: new URL(network().picture, folder) });
    set(parts.frame, square(0, 0, side));
    const places = [...Array(l.units).keys()].map((unit) => middle(l, unit));
    const wide = l.stride / view > 0.011; // else the dots would run into one another
    const dots = wide ? places.flatMap((y) => places.map((x) => `M${x} ${y}h0`)).join("") : "";
    for (const path of [parts.dots, parts.dotsUnder]) set(path, { d: dots });
  }

  function drawUnit() {
    const l = layer();
    const { side } = network();
    const [x, y, size] = l.size === null ? [0, 0, side]
      : [start(l, state.column), start(l, state.row), l.size];
    set(parts.beyond, square(x, y, size));
    for (const rect of [parts.own, parts.ownUnder]) set(rect, square(x, y, size));
    // The neighbour on the right, or on the left of the last one: a step away.
    const beside = state.column + (state.column + 1 < l.units ? 1 : -1);
    for (const rect of [parts.next, parts.nextUnder]) {
      rect.style.display = l.units > 1 && l.size !== null ? "" : "none";
      set(rect, square(start(l, beside), y, size));
    }
    const here = `M${middle(l, state.column)} ${middle(l, state.row)}h0`;
    for (const path of [parts.here, parts.hereUnder]) set(path, { d: here });

    // The picture on the right: what the unit sees, and nothing else.
    parts.seenWords.textContent = `${size} by ${size} pixels of the picture, from ${x}, ${y}.`;
    set(seen, { viewBox: `${x} ${y} ${size} ${size}` });
    scaled(parts.seenPad, size / 32);
    set(parts.seenBeyond, square(x, y, size));
    set(parts.seenPhoto, { ...square(0, 0, side), href: new URL(network().picture, folder) });
    set(parts.seenFrame, square(0, 0, side));

    const inside = (from) => Math.max(0, Math.min(side, from + size) - Math.max(0, from));
    const share = (100 * inside(x) * inside(y)) / (size * size);
    const span = (from) => `${minus(from)} to ${minus(from + size - 1)}`;
    const facts = {
      size: l.size === null ? "the whole picture" : `${size} × ${size} px`,
      stride: `${l.stride} px`,
      units: `${l.units} × ${l.units}`,
      left: `${minus(l.left)} px`,
      inside: `${share.toFixed(share < 99.95 && share > 0 ? 1 : 0)} %`,
    };
    for (const [name, words] of Object.entries(facts)) {
      root.querySelector(`[data-fact="${name}"]`).textContent = words;
    }
    say.textContent = `${l.name}, ${l.what}. The unit in column ${state.column + 1}, row ${state.row + 1} sees ${facts.size}`
      + (l.size === null ? `, its own patch is ${l.patch} px wide.` : `: columns ${span(x)}, rows ${span(y)}.`)
      + (l.whole && l.size !== null ? " Through its gates it depends on the whole picture too." : "")
      + (l.size > side ? ` That is more than the picture, which is ${side} px wide: the hatched part is padding.` : "");
    stage.setAttribute("aria-label", `A unit of ${l.name} over the picture. Arrow keys move it by one unit, `
      + "Home and End to the corners, Page Up and Page Down change the layer.");
  }

  // --- The strip: how the field grows from layer to layer.
  function drawGrowth() {
    const { layers: rows, side } = network();
    const top = Math.max(side, ...rows.map((l) => l.size ?? side)) * 1.04;
    set(growth, { viewBox: `0 0 ${rows.length} 100` });
    growth.replaceChildren(...rows.map((l, index) => {
      const high = (100 * (l.size ?? side)) / top;
      const kind = l.size === null ? "ll-all" : "";
      return svg("rect", { x: index + 0.08, y: 100 - high, width: 0.84, height: high, class: kind });
    }));
    const line = 100 - (100 * side) / top;
    svg("line", { x1: 0, x2: rows.length, y1: line, y2: line }, growth);
    root.querySelector("[data-fact=side]").textContent = side;
  }

  function fill(select, words) {
    select.replaceChildren(...words.map((text, value) => Object.assign(document.createElement("option"), { value, textContent: text })));
  }

  // --- Changes. A unit stays where it is on the picture when the layer changes.
  function toLayer(index) {
    const before = layer();
    const at = [state.column, state.row].map((unit) => middle(before, unit));
    state.layer = Math.min(Math.max(index, 0), network().layers.length - 1);
    [state.column, state.row] = at.map((place) => nearest(place));
    refresh();
  }

  function toNetwork(index, name) {
    const before = layer();
    const share = (state.layer + 1) / network().layers.length;
    const at = [state.column, state.row].map((unit) => middle(before, unit) / network().side);
    state.network = index;
    const rows = network().layers;
    fill(layers, rows.map((l) => `${l.name}: ${l.what}`));
    depth.max = rows.length - 1;
    const same = rows.findIndex((l) => l.name === (name ?? before.name));
    state.layer = same >= 0 ? same : Math.max(0, Math.round(share * rows.length) - 1);
    [state.column, state.row] = at.map((place) => nearest(place * network().side));
    drawGrowth();
    refresh();
  }

  function nearest(place) {
    const l = layer();
    const unit = Math.round((place - middle(l, 0)) / l.stride);
    return Math.min(Math.max(unit, 0), l.units - 1);
  }

  function refresh() {
    networks.value = state.network;
    layers.value = state.layer;
    depth.value = state.layer;
    depth.setAttribute("aria-valuetext", `layer ${state.layer + 1} of ${network().layers.length}: ${layer().name}`);
    form.elements.earlier.disabled = state.layer === 0;
    form.elements.later.disabled = state.layer === network().layers.length - 1;
    growth.querySelectorAll("rect").forEach((bar, index) => bar.classList.toggle("ll-on", index === state.layer));
    drawStage();
    drawUnit();
  }

  networks.addEventListener("change", () => toNetwork(Number(networks.value)));
  layers.addEventListener("change", () => toLayer(Number(layers.value)));
  depth.addEventListener("input", () => toLayer(Number(depth.value)));
  form.elements.earlier.addEventListener("click", () => toLayer(state.layer - 1));
  form.elements.later.addEventListener("click", () => toLayer(state.layer + 1));
  form.addEventListener("submit", (event) => event.preventDefault());

  function moveTo(column, row) {
    const last = layer().units - 1;
    state.column = Math.min(Math.max(column, 0), last);
    state.row = Math.min(Math.max(row, 0), last);
    drawUnit();
  }

  stage.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const { column, row } = state;
    const last = layer().units - 1;
    const places = { ArrowLeft: [column - 1, row], ArrowRight: [column + 1, row], ArrowUp: [column, row - 1],
      ArrowDown: [column, row + 1], Home: [0, 0], End: [last, last] };
    const turns = { PageUp: -1, PageDown: 1 };
    if (event.key in places) moveTo(...places[event.key]);
    else if (event.key in turns) toLayer(state.layer + turns[event.key]);
    else return;
    event.preventDefault();
  });

  // A mouse, a finger or a pen: the unit goes to the one nearest to it, and follows.
  function follow(event) {
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(stage.getScreenCTM().inverse());
    moveTo(nearest(point.x), nearest(point.y));
  }

  stage.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    stage.setPointerCapture(event.pointerId);
    follow(event);
  });
  stage.addEventListener("pointermove", (event) => {
    if (stage.hasPointerCapture(event.pointerId)) follow(event);
  });
  growth.addEventListener("click", (event) => {
    const box = growth.getBoundingClientRect();
    toLayer(Math.floor(((event.clientX - box.left) / box.width) * network().layers.length));
  });

  function show(button) {
    toNetwork(data.findIndex((n) => n.name === button.dataset.network), button.dataset.layer);
    const centre = network().side / 2;
    moveTo(nearest(centre), nearest(centre));
    root.scrollIntoView({ block: "start" });
    stage.focus({ preventScroll: true });
  }

  async function begin() {
    const answer = await fetch(new URL("fields.json", folder));
    if (!answer.ok) return; // the plain picture stays
    data = await answer.json();
    fill(networks, data.map((n) => n.title));
    root.hidden = false;
    document.querySelector("#ll-fields-still").hidden = true;
    toNetwork(data.findIndex((n) => n.name === "vgg16"), "stages.3.6");
    const centre = network().side / 2;
    moveTo(nearest(centre), nearest(centre));
    for (const button of document.querySelectorAll(".ll-show")) {
      button.hidden = false;
      button.addEventListener("click", () => show(button));
    }
  }

  begin();
})();
