// EfficientNet-Lite0 in the page, run by ONNX Runtime Web on one thread. All files are fetched by
// load(), once; after that nothing is asked of the network.

const RUNTIME = new URL("vendor/onnxruntime-web/", import.meta.url);
const DATA = new URL("../generated/photo/data/", import.meta.url);
const WASM = "ort-wasm-simd-threaded.wasm";
const LOADER = "ort.wasm.bundle.min.mjs";

const kept = new Map(); // address -> bytes, so that a second try fetches only what is missing
let running = null;

// Files that were fetched: a sample by its name.
export const file = (name) => new Blob([kept.get(new URL(name, DATA).href)]);

async function fetched(url, progress) {
  if (kept.has(url.href)) return progress(kept.get(url.href).length);
  const name = url.pathname.split("/").at(-1);
  let answer;
  const parts = [];
  try {
    answer = await fetch(url);
    if (answer.ok) {
      const reader = answer.body.getReader();
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        parts.push(part.value);
        progress(part.value.length);
      }
    }
  } catch (error) {
    throw new Error(`${name}: the connection failed`, { cause: error });
  }
  if (!answer.ok) throw new Error(`${name}: the server answered ${answer.status}`);
  kept.set(url.href, new Uint8Array(await new Blob(parts).arrayBuffer()));
  return undefined;
}

// Fetches the network, the runtime and the other files of the page's data, and starts.
// `progress` is told how many bytes are there.
export async function load(others, progress) {
  let there = 0;
  const count = (more) => progress((there += more));
  const names = ["network.json", "efficientnet_lite0.onnx", ...others];
  const urls = [new URL(WASM, RUNTIME), ...names.map((name) => new URL(name, DATA))];
  const results = await Promise.allSettled(urls.map((url) => fetched(url, count)));
  const failed = results.find((result) => result.status === "rejected");
  if (failed) throw failed.reason;
  const loader = new URL(LOADER, RUNTIME).href;
  const runtime = await import(loader).catch((error) => {
    throw new Error(`${LOADER}: the connection failed`, { cause: error });
  });
  const of = (name, base = DATA) => kept.get(new URL(name, base).href);
  const settings = JSON.parse(new TextDecoder().decode(of("network.json")));
  runtime.env.wasm.numThreads = 1;
  runtime.env.wasm.wasmBinary = of(WASM, RUNTIME).buffer;
  const session = await runtime.InferenceSession.create(of("efficientnet_lite0.onnx"), { executionProviders: ["wasm"] });
  running = { settings, session, Tensor: runtime.Tensor };
  return settings;
}

// Pixels, RGB from 0 to 255 and row by row, as the network's input: channel by channel, normalised.
export function prepared(pixels) {
  const { mean, std } = running.settings;
  const count = pixels.length / 3;
  const input = new Float32Array(pixels.length);
  for (let c = 0; c < 3; c += 1) {
    for (let i = 0; i < count; i += 1) input[c * count + i] = (pixels[3 * i + c] - 255 * mean[c]) / (255 * std[c]);
  }
  return input;
}

// The scores of all classes for one input, and each class's map of evidence, row by row.
export async function answer(input) {
  const { session, settings: { size }, Tensor } = running;
  const { scores, maps } = await session.run({ images: new Tensor("float32", input, [1, 3, size, size]) });
  const cells = maps.dims[2];
  return { scores: scores.data, map: (label) => maps.data.subarray(label * cells, (label + 1) * cells) };
}

export function probabilities(scores) {
  const highest = scores.reduce((a, b) => Math.max(a, b));
  const raw = Float64Array.from(scores, (score) => Math.exp(score - highest));
  const sum = raw.reduce((a, b) => a + b);
  return raw.map((value) => value / sum);
}
