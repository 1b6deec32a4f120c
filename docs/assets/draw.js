// The page "Draw a digit": a drawing by mouse, finger, pen or keyboard, and LeNet-5's answer to it
// while it is drawn. The arithmetic is in lenet5.js, what is shown in draw-view.js. Without this
// script the page shows one digit's way as a picture.

import { View, ink } from "./draw-view.js";
import { forward, frame, likeMnist, unpack } from "./lenet5.js";

const SIDE = 280; // of the drawing; ten for each of MNIST's 28 pixels
const PEN = 22;
const STEP = 10; // of the keyboard's pen
const FARTHEST = 8; // pixels that the picture can be moved
const DATA = new URL("../generated/digit/data/", import.meta.url);

const root = document.querySelector("#ll-draw");
const still = document.querySelector("#ll-draw-still");
const part = (name) => root.querySelector(`[data-part="${name}"]`);
const canvas = part("canvas");
const context = canvas.getContext("2d", { willReadFrequently: true });
const cursor = part("cursor");

let network = null; // once it is loaded: weights, table, samples, view
// What is drawn: a sample or none, strokes over it; and how far the picture is moved.
let drawing = { sample: null, strokes: [] };
let past = [];
let moved = [0, 0];
let stroke = null; // the one that is being drawn
let pen = { x: SIDE / 2, y: SIDE / 2, down: false }; // of the keyboard

// --- Ink. A piece at a time, so that going on and drawing all again give the same pixels.
function piece(from, to) {
  context.beginPath();
  context.moveTo(from.x, from.y);
  context.lineTo(to.x + (from === to ? 0.01 : 0), to.y); // a line of no length would leave no dot
  context.stroke();
}

function extend(point) {
  piece(stroke.at(-1) ?? point, point);
  stroke.push(point);
}

function redraw() {
  const colour = ink("ink");
  context.clearRect(0, 0, SIDE, SIDE);
  Object.assign(context, { lineWidth: PEN, lineCap: "round", strokeStyle: colour, imageSmoothingEnabled: false });
  if (drawing.sample !== null) {
    context.drawImage(network.view.samples[drawing.sample].firstElementChild, 0, 0, SIDE, SIDE);
  }
  for (const points of drawing.strokes) points.forEach((point, at) => piece(points[at - 1] ?? point, point));
}

// --- The answer.
function picture() {
  if (drawing.sample !== null && !drawing.strokes.length) {
    return network.samples.subarray(784 * drawing.sample, 784 * (drawing.sample + 1));
  }
  const { data } = context.getImageData(0, 0, SIDE, SIDE);
  const grey = new Uint8Array(SIDE * SIDE);
  for (let i = 0; i < grey.length; i += 1) grey[i] = data[4 * i + 3];
  return likeMnist(grey, SIDE);
}

function update() {
  part("undo").disabled = !past.length;
  const empty = drawing.sample === null && !drawing.strokes.length;
  part("clear").disabled = empty;
  const [x, y] = moved;
  part("moved").textContent = [x && `${Math.abs(x)} ${x > 0 ? "right" : "left"}`, y && `${Math.abs(y)} ${y > 0 ? "down" : "up"}`]
    .filter(Boolean).join(", ") || "not moved";
  if (!network) return;
  network.view.samples.forEach((button, at) => button.setAttribute("aria-pressed", String(at === drawing.sample)));
  const input = frame(picture(), x, y);
  part("answer").setAttribute("aria-busy", String(stroke !== null)); // read aloud when the pen is lifted
  network.view.show(input, forward(network.weights, network.table, input), empty);
}

function change(next) {
  past.push(drawing);
  drawing = next;
}

function begin(point) {
  stroke = [];
  change({ ...drawing, strokes: [...drawing.strokes, stroke] });
  extend(point);
  update();
}

function end() {
  if (!stroke) return;
  stroke = null;
  pen.down = false;
  cursor.classList.remove("ll-draw-down");
  update();
}

function set(next) {
  end();
  change(next);
  moved = [0, 0];
  redraw();
  update();
}

function undo() {
  end();
  if (!past.length) return;
  drawing = past.pop();
  redraw();
  update();
}

// --- Mouse, finger, pen.
function point(event) {
  const box = canvas.getBoundingClientRect();
  const scale = SIDE / (box.width - 2 * canvas.clientLeft);
  return { x: (event.clientX - box.left - canvas.clientLeft) * scale, y: (event.clientY - box.top - canvas.clientTop) * scale };
}

canvas.addEventListener("pointerdown", (event) => {
  if (!event.isPrimary || event.button !== 0) return;
  end();
  cursor.hidden = true;
  canvas.setPointerCapture(event.pointerId);
  begin(point(event));
});
canvas.addEventListener("pointermove", (event) => {
  if (!stroke || pen.down || !event.isPrimary) return;
  const all = event.getCoalescedEvents?.() ?? [];
  for (const each of all.length ? all : [event]) extend(point(each));
  update();
});
for (const name of ["pointerup", "pointercancel"]) {
  canvas.addEventListener(name, (event) => { if (event.isPrimary && !pen.down) end(); });
}

// --- Keyboard: arrows move the pen, the space bar puts it down and lifts it.
function showCursor() {
  cursor.hidden = false;
  cursor.classList.toggle("ll-draw-down", pen.down);
  cursor.style.left = `${(100 * pen.x) / SIDE}%`;
  cursor.style.top = `${(100 * pen.y) / SIDE}%`;
}

canvas.addEventListener("keydown", (event) => {
  const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (event.altKey || event.metaKey || event.ctrlKey || !(way || event.key === " " || event.key === "Escape")) return;
  if (stroke && !pen.down) return; // a pointer is drawing
  event.preventDefault();
  if (way) {
    const far = STEP * (event.shiftKey ? 3 : 1);
    pen.x = Math.min(Math.max(pen.x + way[0] * far, 0), SIDE);
    pen.y = Math.min(Math.max(pen.y + way[1] * far, 0), SIDE);
    if (pen.down) {
      extend({ x: pen.x, y: pen.y });
      update();
    }
  } else if (pen.down || event.key === "Escape") {
    end();
  } else {
    pen.down = true;
    begin({ x: pen.x, y: pen.y });
  }
  showCursor();
});
canvas.addEventListener("focus", () => { if (canvas.matches(":focus-visible")) showCursor(); });
canvas.addEventListener("blur", () => { end(); cursor.hidden = true; });
root.addEventListener("keydown", (event) => {
  if (event.key !== "z" || !(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey) return;
  event.preventDefault();
  undo();
});

// --- Buttons.
part("undo").addEventListener("click", undo);
part("clear").addEventListener("click", () => set({ sample: null, strokes: [] }));
for (const button of root.querySelectorAll("[data-move]")) {
  button.addEventListener("click", () => {
    const by = button.dataset.move.split(" ").map(Number);
    moved = moved.map((far, axis) => Math.min(Math.max(far + by[axis], -FARTHEST), FARTHEST));
    update();
  });
}

// --- The network is loaded when the drawing comes into view.
async function load() {
  const file = async (name) => {
    const answer = await fetch(new URL(name, DATA));
    if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
    return answer;
  };
  const [data, numbers, samples] = await Promise.all([
    file("lenet5.json").then((answer) => answer.json()),
    file("lenet5.bin").then((answer) => answer.arrayBuffer()),
    file("samples.bin").then((answer) => answer.arrayBuffer()),
  ]);
  const weights = unpack(data.arrays, numbers);
  const view = new View(root, data, weights["output.codes"], new Uint8Array(samples));
  view.samples.forEach((button, sample) => button.addEventListener("click", () => set({ sample, strokes: [] })));
  network = { weights, table: data.table, samples: new Uint8Array(samples), view };
  new MutationObserver(() => {
    view.recolour();
    redraw();
  }).observe(document.body, { attributeFilter: ["data-md-color-scheme"] });
  root.dataset.ready = "";
  update();
}

new IntersectionObserver(([entry], observer) => {
  if (!entry.isIntersecting) return;
  observer.disconnect();
  load().catch(() => {
    still.classList.add("ll-shown");
    part("answer").firstElementChild.textContent = "The network could not be loaded.";
    part("answer").lastElementChild.textContent = "Load the page again to try once more. The picture below shows what it does.";
  });
}, { rootMargin: "200px" }).observe(root);

redraw();
update();
