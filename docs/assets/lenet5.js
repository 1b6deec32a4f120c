// LeNet-5 of 1998 in plain arithmetic: the package's network, layer by layer, and the way from a
// drawing to a picture like MNIST's. Nothing here knows of the page. The tests hold every map and
// every distance to lineage_lab.models.lenet.

const squash = (x) => 1.7159 * Math.tanh((x * 2) / 3);

// The weights by name, from one file of 32-bit floats; `arrays` says their names and shapes.
export function unpack(arrays, buffer) {
  const floats = new Float32Array(buffer);
  const weights = {};
  let start = 0;
  for (const { name, shape } of arrays) {
    const size = shape.reduce((a, b) => a * b, 1);
    weights[name] = floats.subarray(start, start + size);
    start += size;
  }
  if (start !== floats.length) throw new Error(`${floats.length} weights, not ${start}`);
  return weights;
}

// Adds to one map (side² values from `to`) what one 5×5 kernel makes of one map below it.
function add(out, to, side, below, from, kernels, kernel) {
  const wide = side + 4;
  for (let y = 0; y < side; y += 1) {
    for (let x = 0; x < side; x += 1) {
      let sum = 0;
      for (let i = 0; i < 5; i += 1) {
        const row = from + (y + i) * wide + x;
        for (let j = 0; j < 5; j += 1) sum += below[row + j] * kernels[kernel + 5 * i + j];
      }
      out[to + y * side + x] += sum;
    }
  }
}

// A convolution; `pairs` lists [map, map below it] in the order of the kernels.
function convolve(below, pairs, kernels, biases, side) {
  const size = side * side;
  const out = new Float64Array(biases.length * size);
  biases.forEach((bias, map) => out.fill(bias, map * size, (map + 1) * size));
  pairs.forEach(([map, source], k) =>
    add(out, map * size, side, below, source * (side + 4) ** 2, kernels, 25 * k));
  return out.map(squash);
}

// Sums of 2×2 squares, times the map's coefficient, plus its bias.
function subsample(below, coefficients, biases, side) {
  const wide = 2 * side;
  return new Float64Array(biases.length * side * side).map((_, at) => {
    const map = Math.floor(at / (side * side));
    const row = Math.floor((at % (side * side)) / side);
    const corner = map * wide * wide + 2 * row * wide + 2 * (at % side);
    const sum = below[corner] + below[corner + 1] + below[corner + wide] + below[corner + wide + 1];
    return squash(sum * coefficients[map] + biases[map]);
  });
}

const every = (maps, sources) =>
  Array.from({ length: maps * sources }, (_, k) => [Math.floor(k / sources), k % sources]);
const FROM_INPUT = every(6, 1);
const FROM_S4 = every(120, 16);

// All layers for one picture of 32×32 bytes, 0 for paper and 255 for ink. `table` says for each
// map of C3 which maps of S2 it looks at.
export function forward(weights, table, picture) {
  const fromS2 = table.flatMap((row, map) => row.map((source) => [map, source]));
  const conv = (name, below, pairs, side) =>
    convolve(below, pairs, weights[`${name}.weight`], weights[`${name}.bias`], side);
  const half = (name, below, side) =>
    subsample(below, weights[`${name}.coefficient`], weights[`${name}.bias`], side);
  const input = Float64Array.from(picture, (ink) => (ink * 1.275) / 255 - 0.1);
  const C1 = conv("C1", input, FROM_INPUT, 28);
  const S2 = half("S2", C1, 14);
  const C3 = conv("C3", S2, fromS2, 10);
  const S4 = half("S4", C3, 5);
  const C5 = conv("C5", S4, FROM_S4, 1);
  const F6 = Float64Array.from(weights["F6.bias"], (bias, unit) => {
    let sum = bias;
    for (let i = 0; i < 120; i += 1) sum += C5[i] * weights["F6.weight"][unit * 120 + i];
    return squash(sum);
  });
  const distances = Float64Array.from({ length: 10 }, (_, digit) => {
    let sum = 0;
    for (let i = 0; i < 84; i += 1) sum += (F6[i] - weights["output.codes"][digit * 84 + i]) ** 2;
    return sum;
  });
  return { input, C1, S2, C3, S4, C5, F6, distances };
}

// The smallest rectangle that holds all ink of a square of bytes, or null for an empty one.
function box(grey, side) {
  let [left, top, right, bottom] = [side, side, 0, 0];
  for (let y = 0; y < side; y += 1) {
    for (let x = 0; x < side; x += 1) {
      if (grey[y * side + x] === 0) continue;
      left = Math.min(left, x);
      right = Math.max(right, x + 1);
      top = Math.min(top, y);
      bottom = y + 1;
    }
  }
  return right ? { left, top, width: right - left, height: bottom - top } : null;
}

// Which pixels, and how much of each, one cell of `cells` takes of a line of `length` pixels.
function shares(length, cells) {
  const step = length / cells;
  return Array.from({ length: cells }, (_, cell) => {
    const found = [];
    for (let i = Math.floor(cell * step); i < Math.min((cell + 1) * step, length); i += 1) {
      const share = Math.min(i + 1, (cell + 1) * step) - Math.max(i, cell * step);
      if (share > 1e-9) found.push([i, share / step]);
    }
    return found;
  });
}

// A drawing (a square of bytes, 0 for paper) as MNIST was made: its ink fitted into 20×20 pixels,
// each the mean of what it covers, and laid into 28×28 with its centre of mass in the middle.
export function likeMnist(grey, side) {
  const out = new Uint8Array(28 * 28);
  const ink = box(grey, side);
  if (!ink) return out;
  const scale = 20 / Math.max(ink.width, ink.height);
  const width = Math.max(1, Math.round(ink.width * scale));
  const height = Math.max(1, Math.round(ink.height * scale));
  const columns = shares(ink.width, width);
  const rows = shares(ink.height, height);
  const small = [];
  let [mass, across, down] = [0, 0, 0];
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      let value = 0;
      for (const [j, a] of rows[y]) {
        const line = (ink.top + j) * side + ink.left;
        for (const [i, b] of columns[x]) value += a * b * grey[line + i];
      }
      value = Math.round(value);
      small.push(value);
      mass += value;
      across += value * (x + 0.5);
      down += value * (y + 0.5);
    }
  }
  if (!mass) return out;
  // By whole pixels, so that the pixel after the middle (the 15th) holds the centre of mass, as in
  // all digits of MNIST that we have; and never over the edge.
  const place = (size, centre) => Math.min(Math.max(Math.ceil(14 - centre), 0), 28 - size);
  const left = place(width, across / mass);
  const top = place(height, down / mass);
  small.forEach((value, k) => {
    out[(top + Math.floor(k / width)) * 28 + left + (k % width)] = value;
  });
  return out;
}

// 28×28 bytes in the middle of 32×32, moved by whole pixels; what leaves the frame is lost.
export function frame(picture, right = 0, down = 0) {
  const out = new Uint8Array(32 * 32);
  picture.forEach((ink, k) => {
    const x = 2 + (k % 28) + right;
    const y = 2 + Math.floor(k / 28) + down;
    if (x >= 0 && x < 32 && y >= 0 && y < 32) out[32 * y + x] = ink;
  });
  return out;
}
