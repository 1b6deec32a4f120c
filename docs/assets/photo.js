// The page "Classify a photo": from a file to the five likeliest classes and their maps. What is
// done with the pixels is in photo-pixels.js, the network in photo-network.js. The photograph
// stays here: after load() this page sends and asks nothing.
import { answer, file, load, prepared, probabilities } from "./photo-network.js";
import { Refused, decoded, square } from "./photo-pixels.js";

const root = document.querySelector("#ll-photo");
const part = (name) => root.querySelector(`.ll-photo-${name}`);
const start = part("load").querySelector("button");
const bar = part("load").querySelector("progress");
const canvas = root.querySelector("canvas");
const side = canvas.width;
const DARK = 0.16; // how light a place without evidence stays

let shown = null; // the photograph as it is drawn, the answer, and its labels
let turn = 0; // of the photographs asked for: a later one wins
let settings = null;

const say = (words) => { part("status").textContent = words; };
const percent = (value) => `${(100 * value).toFixed(1)} %`;
const element = (tag, text, attributes = {}) => Object.assign(document.createElement(tag), { textContent: text }, attributes);

// --- Loading.
async function begin() {
  if (typeof WebAssembly !== "object") {
    say("This browser has no WebAssembly, or it is switched off. The network needs it. What it says of the samples stands below.");
    return;
  }
  const { files, bytes } = JSON.parse(root.querySelector("script").textContent);
  start.disabled = true;
  bar.hidden = false;
  let told = -1;
  say("Loading.");
  try {
    settings = await load(files, (there) => {
      bar.value = there / bytes;
      const quarter = Math.floor((4 * there) / bytes);
      if (quarter > told) say(quarter < 4 ? `Loading: ${25 * quarter} %.` : "Starting the network.");
      told = Math.max(told, quarter);
    });
  } catch (error) {
    start.disabled = false;
    bar.hidden = true;
    start.textContent = "Try again";
    say(`The network could not be loaded (${error.message}). What has arrived is kept: try again. If it goes on, reload the page.`);
    return;
  }
  const focused = document.activeElement === start || document.activeElement === document.body;
  part("load").hidden = true;
  part("choose").hidden = false;
  say("Ready. From here on, the page asks the internet for nothing: you can go offline.");
  if (focused) root.querySelector("[name=file]").focus({ preventScroll: true });
}

// --- A photograph.
async function look(blob, name) {
  if (!settings || !blob) return;
  turn += 1;
  const mine = turn;
  say(`Looking at ${name} …`);
  await new Promise((done) => { setTimeout(done, 30); }); // until the words are painted
  try {
    const bitmap = await decoded(blob, name);
    const paper = document.createElement("canvas").getContext("2d");
    let pixels;
    try {
      pixels = square(bitmap, settings.size);
      Object.assign(paper.canvas, { width: side, height: side });
      const least = Math.min(bitmap.width, bitmap.height);
      paper.fillStyle = "#fff";
      paper.fillRect(0, 0, side, side);
      paper.imageSmoothingQuality = "high";
      paper.drawImage(bitmap, (bitmap.width - least) / 2, (bitmap.height - least) / 2, least, least, 0, 0, side, side);
    } finally {
      bitmap.close();
    }
    const began = performance.now();
    const found = await answer(prepared(pixels));
    const time = performance.now() - began;
    if (mine !== turn) return;
    shown = { ...found, image: paper.getImageData(0, 0, side, side) };
    tell(name, time);
  } catch (error) {
    if (mine !== turn) return;
    part("result").hidden = true;
    say(error instanceof Refused ? error.message : `${name} could not be looked at: ${error.message}. Try another photograph.`);
  }
}

function tell(name, time) {
  const chances = probabilities(shown.scores);
  const top = [...chances.keys()].sort((a, b) => chances[b] - chances[a]).slice(0, 5);
  const field = part("top");
  field.replaceChildren(field.querySelector("legend"), ...top.map((label) => choice(label, chances[label])), choice(-1, 0));
  part("result").hidden = false;
  say(`${name}: ${settings.classes[top[0]]}, ${percent(chances[top[0]])}. Answered in ${time.toFixed(0)} ms.`);
  field.querySelector("input").checked = true;
  light(top[0]);
}

function choice(label, chance) {
  const line = element("label", "");
  line.append(element("input", "", { type: "radio", name: "shown", value: label }));
  if (label < 0) {
    line.append(element("span", "no map"));
    return line;
  }
  line.append(element("span", settings.classes[label]), element("b", percent(chance)));
  const measure = element("i", "");
  measure.style.setProperty("--share", chance);
  line.append(measure);
  return line;
}

// --- The map over the photograph.
function light(label) {
  const { image, scores } = shown;
  const map = label < 0 ? null : shown.map(label);
  const paper = canvas.getContext("2d");
  const lit = map ? spread(map) : null;
  const drawn = new ImageData(new Uint8ClampedArray(image.data), side, side);
  if (lit) for (let i = 0; i < drawn.data.length; i += 1) if (i % 4 < 3) drawn.data[i] *= DARK + (1 - DARK) * lit[i >> 2];
  paper.putImageData(drawn, 0, 0);
  root.querySelector("details").hidden = !map;
  if (!map) {
    canvas.ariaLabel = "The middle square of the photograph: what the network sees, larger";
    part("evidence").textContent = "The middle square of the photograph. The network sees it smaller.";
    return;
  }
  const n = Math.sqrt(map.length);
  const best = map.indexOf(Math.max(...map));
  const name = settings.classes[label];
  const place = `row ${Math.floor(best / n) + 1}, column ${(best % n) + 1} of ${n}`;
  const mean = map.reduce((a, b) => a + b) / map.length;
  canvas.ariaLabel = `The photograph, lit where the evidence for ${name} is: most in ${place}`;
  part("evidence").textContent = `Evidence for ${name}: from ${Math.min(...map).toFixed(1)} to ${map[best].toFixed(1)}, most in `
    + `${place}. Its mean ${mean.toFixed(2)} and the class’s bias ${(scores[label] - mean).toFixed(2)} make the score ${scores[label].toFixed(2)}.`;
  part("numbers").replaceChildren(numbers(map, n, best));
}

// From n × n to the canvas, between the middles of the places; 1 at the most, 0 and less dark.
export function spread(map, out = side) {
  const n = Math.sqrt(map.length);
  const highest = Math.max(...map);
  const at = Array.from({ length: out }, (_, i) => {
    const x = Math.max(0, ((i + 0.5) * n) / out - 0.5);
    const low = Math.min(Math.floor(x), n - 1);
    return [low, Math.min(low + 1, n - 1), x - low];
  });
  const value = (row, column) => Math.max(0, map[row * n + column]) / (highest > 0 ? highest : 1);
  const result = new Float32Array(out * out);
  for (let y = 0; y < out; y += 1) {
    const [r0, r1, v] = at[y];
    for (let x = 0; x < out; x += 1) {
      const [c0, c1, u] = at[x];
      result[y * out + x] = (1 - v) * ((1 - u) * value(r0, c0) + u * value(r0, c1))
        + v * ((1 - u) * value(r1, c0) + u * value(r1, c1));
    }
  }
  return result;
}

function numbers(map, n, best) {
  const body = element("tbody", "");
  for (let row = 0; row < n; row += 1) {
    const line = element("tr", "");
    for (let column = 0; column < n; column += 1) {
      const cell = element("td", map[row * n + column].toFixed(1));
      if (row * n + column === best) cell.className = "ll-most";
      line.append(cell);
    }
    body.append(line);
  }
  const table = element("table", "");
  table.append(body);
  return table;
}

// --- Ways in.
start.addEventListener("click", begin);
for (const input of root.querySelectorAll("[type=file]")) {
  input.addEventListener("change", () => {
    const [chosen] = input.files;
    look(chosen, chosen?.name);
    input.value = ""; // the same file can be chosen again
  });
}
for (const button of part("samples").querySelectorAll("button")) {
  button.addEventListener("click", () => look(file(button.dataset.file), button.textContent.trim()));
}
part("top").addEventListener("change", (event) => light(Number(event.target.value)));
const carries = (transfer) => settings && [...transfer.types].includes("Files");
document.addEventListener("dragover", (event) => {
  if (!carries(event.dataTransfer)) return;
  event.preventDefault();
  root.classList.add("ll-over");
});
document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) root.classList.remove("ll-over"); });
document.addEventListener("drop", (event) => {
  if (!carries(event.dataTransfer)) return;
  event.preventDefault();
  root.classList.remove("ll-over");
  const [dropped] = event.dataTransfer.files;
  look(dropped, dropped?.name);
});
document.addEventListener("paste", (event) => {
  const pasted = event.clipboardData?.files[0];
  if (pasted) look(pasted, pasted.name);
});
