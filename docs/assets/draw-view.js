// What the page "Draw a digit" shows of LeNet-5: every map, the connections of C3, the distances.
// draw.js hands it what lenet5.js has computed.

const KINDS = { input: "ink", C1: "conv", S2: "pool", C3: "conv", S4: "pool", C5: "conv", F6: "dense", code: "output" };

export function make(tag, attributes = {}, ...inside) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...inside);
  return element;
}

// Arrow keys go through a group's buttons, of which one is in the tab order.
export function roving(group) {
  const buttons = [...group.querySelectorAll("button")];
  const enter = (button) => buttons.forEach((each) => { each.tabIndex = each === button ? 0 : -1; });
  enter(buttons[0]);
  group.addEventListener("focusin", (event) => enter(event.target));
  group.addEventListener("keydown", (event) => {
    const at = buttons.indexOf(event.target);
    const to = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    buttons[Math.min(Math.max(to, 0), buttons.length - 1)].focus();
  });
}

export function ink(kind) {
  const context = document.createElement("canvas").getContext("2d");
  context.fillStyle = getComputedStyle(document.body).getPropertyValue(`--ll-${kind}`).trim();
  return context.fillStyle; // as #rrggbb, however the style sheet writes it
}

// A small canvas of levels from `low` (paper, transparent) to `high` (the full colour).
class Picture {
  constructor(width, height, kind, low, high) {
    this.canvas = make("canvas", { width, height, "aria-hidden": "true" });
    this.context = this.canvas.getContext("2d");
    this.image = this.context.createImageData(width, height);
    Object.assign(this, { kind, low, high });
  }

  paint(values, from = 0) {
    this.values = values;
    this.from = from;
    const { data } = this.image;
    const [red, green, blue] = this.colour;
    for (let i = 0, at = 0; at < data.length; i += 1, at += 4) {
      data[at] = red;
      data[at + 1] = green;
      data[at + 2] = blue;
      data[at + 3] = (255 * (values[from + i] - this.low)) / (this.high - this.low); // is clamped
    }
    this.context.putImageData(this.image, 0, 0);
  }
}

const listed = (numbers) =>
  numbers.length < 2 ? `${numbers}` : `${numbers.slice(0, -1).join(", ")} and ${numbers.at(-1)}`;

export class View {
  constructor(root, data, codes, samples) {
    const find = (name) => root.querySelector(`[data-part="${name}"]`);
    this.pictures = [];
    this.facts = data.facts;
    this.greatest = data.greatest;
    this.codes = codes;
    this.answer = find("answer");
    this.hint = find("links");
    this.input = this.picture(32, 32, "input", 0, 255);
    find("input").append(this.input.canvas);
    this.layers = [
      ["C1", this.maps(find("C1"), "C1", 6, 28)],
      ["S2", this.maps(find("S2"), "S2", 6, 14, true)],
      ["C3", this.maps(find("C3"), "C3", 16, 10, true)],
      ["S4", this.maps(find("S4"), "S4", 16, 5)],
    ];
    this.C5 = this.picture(30, 4, "C5", -1.7159, 1.7159);
    find("C5").append(this.C5.canvas);
    this.F6 = ["F6", "code", "code"].map((kind) => {
      const picture = this.picture(7, 12, kind, -1, 1);
      const words = make("figcaption");
      find("F6").append(make("figure", {}, picture.canvas, words));
      return { picture, words };
    });
    this.F6[0].words.textContent = "F6, drawn 7×12";
    this.table(data.table, find("S2"), find("C3"));
    this.bars = this.rows(find("bars"));
    this.samples = data.samples.map(({ label, answer }, at) => {
      const picture = this.picture(28, 28, "input", 0, 255);
      const words = answer === label ? `A ${label}` : `${label} as ${answer}: the network takes this ${label} for a ${answer}`;
      const button = make("button", { type: "button", "aria-label": words, title: words },
        picture.canvas, make("span", {}, answer === label ? `${label}` : `${label} as ${answer}`));
      find("samples").append(button);
      picture.values = samples.subarray(784 * at, 784 * (at + 1));
      return button;
    });
    roving(find("samples"));
    this.recolour();
  }

  picture(width, height, layer, low, high) {
    const made = new Picture(width, height, KINDS[layer], low, high);
    this.pictures.push(made);
    return made;
  }

  // The layer's maps, each with its number; those of S2 and C3 can be pointed at.
  maps(place, layer, count, side, pointed = false) {
    return Array.from({ length: count }, (_, index) => {
      const picture = this.picture(side, side, layer, -1.7159, 1.7159);
      const inside = [picture.canvas, make("span", {}, `${index}`)];
      place.append(make("div", { "data-map": index }, ...(pointed ? [make("button", { type: "button" }, ...inside)] : inside)));
      return picture;
    });
  }

  // Table I under the maps of C3, and what lights up when one of them is pointed at.
  table(table, S2, C3) {
    const lower = [...S2.children];
    const upper = [...C3.children];
    const words = (name, own, verb, other, numbers) =>
      `${name} map ${own} ${verb} ${numbers.length === 1 ? "map" : "maps"} ${listed(numbers)} of ${other}`;
    const readers = lower.map((_, source) => [...table.keys()].filter((map) => table[map].includes(source)));
    const about = new Map();
    upper.forEach((place, map) => {
      const column = make("span", { class: "ll-draw-column", "aria-hidden": "true" });
      lower.forEach((_, source) => column.append(
        make("span", table[map].includes(source) ? { class: "ll-draw-taken" } : {}, table[map].includes(source) ? `${source}` : "·")));
      place.append(column);
      about.set(place, [words("C3", map, "looks at", "S2", table[map]), table[map].map((source) => lower[source])]);
    });
    lower.forEach((place, source) => about.set(place,
      [words("S2", source, "is looked at by", "C3", readers[source]), readers[source].map((map) => upper[map])]));
    const rest = this.hint.textContent;
    const light = (place) => {
      const [told, others] = about.get(place) ?? [rest, []];
      this.hint.textContent = told;
      for (const each of about.keys()) each.classList.toggle("ll-on", each === place || others.includes(each));
      S2.classList.toggle("ll-some", others.length > 0);
      C3.classList.toggle("ll-some", others.length > 0);
    };
    for (const [place, [told]] of about) {
      const button = place.firstElementChild;
      button.setAttribute("aria-label", told);
      place.addEventListener("pointerenter", () => light(place));
      place.addEventListener("pointerleave", () => light(document.activeElement.parentElement));
      place.addEventListener("click", () => light(place)); // a finger leaves at once: it stays lit
      button.addEventListener("focus", () => light(place));
      button.addEventListener("blur", () => light(null));
    }
    roving(S2);
    roving(C3);
  }

  rows(body) {
    return Array.from({ length: 10 }, (_, digit) => {
      const code = this.picture(7, 12, "code", -1, 1);
      code.values = this.codes.subarray(84 * digit, 84 * (digit + 1));
      const [bar, number, mark] = [make("span", { class: "ll-draw-bar" }), make("td", { class: "ll-draw-number" }), make("td")];
      const row = make("tr", {}, make("th", { scope: "row" }, `${digit}`), make("td", {}, code.canvas),
        make("td", {}, bar), number, mark);
      body.append(row);
      return { row, bar, number, mark };
    });
  }

  // The scheme has changed: every picture again, in its colours.
  recolour() {
    const colours = {};
    for (const kind of new Set(Object.values(KINDS))) {
      colours[kind] = ink(kind).match(/[\da-f]{2}/gi).map((pair) => parseInt(pair, 16));
    }
    for (const picture of this.pictures) {
      picture.colour = colours[picture.kind];
      if (picture.values) picture.paint(picture.values, picture.from);
    }
  }

  show(picture, seen, empty) {
    this.input.paint(picture);
    for (const [layer, maps] of this.layers) {
      const size = seen[layer].length / maps.length;
      maps.forEach((map, index) => map.paint(seen[layer], index * size));
    }
    this.C5.paint(seen.C5);
    const order = [...seen.distances.keys()].sort((a, b) => seen.distances[a] - seen.distances[b]);
    const [first, second] = order;
    const told = (digit) => seen.distances[digit].toFixed(1);
    this.F6[0].picture.paint(seen.F6);
    [first, second].forEach((digit, place) => {
      this.F6[place + 1].picture.paint(this.codes, 84 * digit);
      this.F6[place + 1].words.textContent = `${place ? "runner-up" : "nearest"}: the code of ${digit}, at ${told(digit)}`;
    });
    this.bars.forEach(({ row, bar, number, mark }, digit) => {
      row.className = digit === first ? "ll-draw-first" : "";
      bar.style.width = `${Math.min(100, (100 * seen.distances[digit]) / this.greatest)}%`;
      number.textContent = told(digit);
      mark.textContent = digit === first ? "nearest" : digit === second ? "runner-up" : "";
    });
    const near = seen.distances[first] <= this.facts.limit;
    this.answer.firstElementChild.textContent = empty ? "Nothing is drawn." : near ? `This is a ${first}.` : "Far from every code.";
    this.answer.lastElementChild.textContent = `${empty ? "For blank paper the nearest code is" : near ? "Its code is the nearest, at" : "The nearest is"} ${
      near && !empty ? told(first) : `${first}, at ${told(first)}`}; the runner-up is ${second}, at ${told(second)}.`;
  }
}
