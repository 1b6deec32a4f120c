// The page "Your run": accuracy against training time, drawn as lineage_lab.figures.results does:
// the same scales, the same places.
"use strict";

(() => {
  const { mean, stdev, fixed, general } = window.lineageLab.numbers;
  const SVG = "http://www.w3.org/2000/svg";
  const WIDTH = 720;
  const HEIGHT = 420;
  const BOX = [64, 34, WIDTH - 16, 360];
  const LETTER = 6.6;
  const LONGEST = 32;
  const MOST_TICKS = 12;
  const COLOURS = ["conv", "output", "dense", "pool", "act", "norm"];
  const colour = (name) => `var(--ll-${name})`;
  const power = (exponent) => Number(`1e${exponent}`);
  const round = (value) => Number(value.toPrecision(5));
  const range = (from, to) => Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);

  function add(svg, name, attributes, text) {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    svg.append(made);
    return made;
  }

  function line(svg, x1, y1, x2, y2, stroke, dash) {
    add(svg, "line", { x1: round(x1), y1: round(y1), x2: round(x2), y2: round(y2), stroke: colour(stroke),
      "stroke-width": 1.2, ...(dash ? { "stroke-dasharray": dash } : {}) });
  }

  function text(svg, x, y, words, anchor, weight) {
    add(svg, "text", { x: round(x), y: round(y), "font-size": 12, "text-anchor": anchor,
      ...(weight ? { "font-weight": weight } : {}), fill: colour(weight ? "ink" : "muted") }, words);
  }

  // A bit below the lowest, never below 0, to a bit above the highest.
  function room(values, top) {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const pad = Math.max(0.08 * (high - low), 0.02 * high, 0.01);
    const least = Math.max(0, low - pad);
    return [least, Math.max(Math.min(top, high + pad), low + 0.01)];
  }

  function steps([low, high]) {
    const rough = (high - low) / 5;
    const unit = power(Math.floor(Math.log10(rough)));
    const step = [1, 2, 5, 10].map((s) => s * unit).find((s) => s >= rough);
    return range(Math.ceil(low / step), Math.floor(high / step) + 1).map((i) => Number((i * step).toFixed(10)));
  }

  function decades([low, high]) {
    const powers = range(Math.floor(Math.log10(low)), Math.ceil(Math.log10(high)) + 1);
    const within = (value) => low <= value && value <= high;
    let found = [];
    for (const some of [[1, 2, 5], [1, 1.5, 2, 3, 4, 5, 7]]) {
      found = powers.flatMap((p) => some.map((s) => s * power(p))).filter(within);
      if (found.length > 2) break;
    }
    if (found.length > MOST_TICKS) {
      const tens = powers.map(power).filter(within);
      const each = Math.ceil(tens.length / MOST_TICKS);
      found = tens.filter((_, i) => i % each === 0);
    }
    return found;
  }

  // A name goes to the first free place beside its point, or else to its right.
  function place(x, y, width, taken) {
    const places = [[x + 11, y + 4], [x - 11 - width, y + 4]];
    for (const dy of [-12, 20, -26, 34, -40, 48]) {
      for (const left of [x + 8, x - 8 - width, x - width / 2]) places.push([left, y + dy]);
    }
    for (const [left, base] of places) {
      const box = [left, base - 11, left + width, base + 3];
      const inside = box[0] >= BOX[0] && box[2] <= BOX[2] && BOX[1] - 8 <= box[1] && box[3] <= BOX[3];
      const free = taken.every((t) => box[2] < t[0] || t[2] < box[0] || box[3] < t[1] || t[3] < box[1]);
      if (inside && free) {
        taken.push(box);
        return [left, base];
      }
    }
    return places[0];
  }

  function scatter(result, id) {
    const middle = (values) => [mean(values), values.length > 1 ? stdev(values) : 0];
    const points = result.rows.map((row) => [
      ...middle(row.runs.map((run) => run.seconds)), ...middle(row.runs.map((run) => 100 * run.accuracy)),
    ]);
    const several = result.rows[0].runs.length > 1;
    const svg = document.createElementNS(SVG, "svg");
    for (const [key, value] of [["class", "ll-svg"], ["viewBox", `0 0 ${WIDTH} ${HEIGHT}`], ["role", "img"],
      ["aria-labelledby", `${id}-title ${id}-desc`]]) svg.setAttribute(key, value);
    svg.style.setProperty("--ll-natural-width", `${WIDTH}px`);
    add(svg, "title", { id: `${id}-title` }, `Accuracy against training time on ${result.data.name}`);
    add(svg, "desc", { id: `${id}-desc` },
      `A point for each network${several ? ", with a standard deviation each way" : ""}: ${result.rows.map((row, i) =>
        `${row.name}, ${fixed(points[i][2], 1)} percent in ${fixed(points[i][0], 1)} seconds`).join("; ")}.`);
    add(svg, "rect", { x: 0, y: 0, width: WIDTH, height: HEIGHT, fill: colour("paper") });

    const lowest = Math.min(...points.map(([x, s]) => Math.max(x - s, x / 3)));
    const xs = [lowest / 1.5, Math.max(...points.map(([x, s]) => x + s)) * 1.5];
    const ys = room(points.flatMap(([, , y, s]) => [y - s, y + s]), 100);
    const [start, end] = xs.map(Math.log10);
    const [left, top, right, bottom] = BOX;
    const atX = (value) => left + ((Math.log10(value) - start) / (end - start)) * (right - left);
    const atY = (value) => bottom - ((value - ys[0]) / (ys[1] - ys[0])) * (bottom - top);
    for (const value of steps(ys)) {
      line(svg, left, atY(value), right, atY(value), "line", "2 4");
      text(svg, left - 8, atY(value) + 4, general(value, true), "end");
    }
    line(svg, left, bottom, right, bottom, "muted");
    for (const value of decades(xs)) {
      line(svg, atX(value), bottom, atX(value), bottom + 5, "muted");
      text(svg, atX(value), bottom + 20, general(value, true), "middle");
    }
    text(svg, right, bottom + 40, "training time in seconds, logarithmic", "end");
    text(svg, left - 44, top - 12, "accuracy in percent", "start");

    const spots = points.map(([x, , y]) => [atX(x), atY(y)]);
    const taken = spots.map(([x, y]) => [x - 7, y - 7, x + 7, y + 7]);
    points.forEach(([x, sx, y, sy], i) => {
      const [px, py] = spots[i];
      taken.push([atX(Math.max(x - sx, lowest)), py - 1, atX(x + sx), py + 1], [px - 1, atY(y + sy), px + 1, atY(y - sy)]);
    });
    points.forEach(([x, sx, y, sy], i) => {
      const [px, py] = spots[i];
      const own = COLOURS[i % COLOURS.length];
      if (several) {
        line(svg, atX(Math.max(x - sx, lowest)), py, atX(x + sx), py, own);
        line(svg, px, atY(Math.max(y - sy, 0)), px, atY(Math.min(y + sy, 100)), own);
      }
      add(svg, "circle", { cx: round(px), cy: round(py), r: 6, fill: colour(own), stroke: colour("paper"), "stroke-width": 1.5 });
      const letters = [...result.rows[i].name];
      const name = letters.length <= LONGEST ? letters.join("") : `${letters.slice(0, LONGEST - 1).join("")}…`;
      text(svg, ...place(px, py, [...name].length * LETTER, taken), name, "start", 600);
    });
    return svg;
  }

  Object.assign(window.lineageLab, { chart: { scatter } });
})();
