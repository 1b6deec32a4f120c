// A file to the network's pixels, as lineage_lab.decode does it: the first frame, turned as its
// EXIF data say, what is transparent laid on white, colour profiles not applied, the middle square
// scaled by Pillow's antialiased bilinear filter. The tests hold the two to the same bytes, those
// of a tall image to within 1: there Pillow takes the other direction first, and rounds between.

export const LIMIT = 50e6; // pixels: 200 MB while a photograph is read

const PRECISION = 22; // bits after the point of a weight, as in Pillow's Resample.c

// A file that is no photograph, or none that can be read; the message is for the reader.
export class Refused extends Error {}

const bytes = async (blob, from, length) => new Uint8Array(await blob.slice(from, from + length).arrayBuffer());
const text = (array, from, to) => String.fromCharCode(...array.subarray(from, to));

// Where the size stands in a file's head. Read before anything is decoded, so that a small file
// that would fill the memory is refused.
export async function measure(blob) {
  const head = await bytes(blob, 0, 64);
  if (head.length < 26) return null;
  const view = new DataView(head.buffer);
  const short = (at) => view.getUint16(at, true);
  const three = (at) => short(at) | (head[at + 2] << 16);
  if (text(head, 1, 4) === "PNG") return [view.getUint32(16), view.getUint32(20)];
  if (text(head, 0, 4) === "GIF8") return [short(6), short(8)];
  if (text(head, 0, 2) === "BM") return [view.getInt32(18, true), Math.abs(view.getInt32(22, true))];
  if (text(head, 0, 4) === "RIFF" && text(head, 8, 12) === "WEBP" && head.length >= 30) {
    const kind = text(head, 12, 16);
    if (kind === "VP8X") return [three(24) + 1, three(27) + 1];
    if (kind === "VP8 ") return [short(26) & 0x3fff, short(28) & 0x3fff];
    const packed = view.getUint32(21, true);
    return kind === "VP8L" ? [(packed & 0x3fff) + 1, ((packed >> 14) & 0x3fff) + 1] : null;
  }
  return view.getUint16(0) === 0xffd8 ? ofJpeg(blob) : null;
}

// From segment to segment, to the one that starts a frame. A real file has some dozens.
async function ofJpeg(blob) {
  for (let at = 2, left = 1000; left; left -= 1) {
    const part = await bytes(blob, at, 9);
    if (part.length < 9 || part[0] !== 0xff) return null;
    const [marker, length] = [part[1], (part[2] << 8) | part[3]];
    const frame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (frame) return [(part[7] << 8) | part[8], (part[5] << 8) | part[6]];
    at += marker === 0xff ? 1 : 2 + length;
  }
  return null;
}

// The photograph, decoded by the browser; close() it.
export async function decoded(blob, name) {
  if (!blob.size) throw new Refused(`${name} is empty.`);
  const size = await measure(blob);
  if (!size) {
    throw new Refused(`${name} is none of PNG, JPEG, WebP, GIF and BMP. Choose a photograph that is one. `
      + "(A HEIC photograph of a phone must be saved as JPEG first.)");
  }
  const [width, height] = size;
  if (width * height > LIMIT) {
    throw new Refused(`${name} has ${width.toLocaleString("en")} × ${height.toLocaleString("en")} pixels. More than `
      + `${LIMIT / 1e6} million are not read here, since they could fill a phone’s memory. Save it smaller.`);
  }
  const options = { imageOrientation: "from-image", colorSpaceConversion: "none" };
  const bitmap = await createImageBitmap(blob, options).catch(() => null);
  if (!bitmap) {
    throw new Refused(`${name} is cut short or damaged, or larger than this browser can read.`);
  }
  return bitmap;
}

// Pillow's weights for one axis: of each output pixel, where its inputs start, and their weights.
function axis(size, from, to, out) {
  const scale = (to - from) / out;
  const support = Math.max(scale, 1);
  return Array.from({ length: out }, (_, place) => {
    const centre = from + (place + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - support + 0.5));
    const last = Math.min(size, Math.trunc(centre + support + 0.5));
    const raw = Array.from({ length: last - first }, (_, k) =>
      Math.max(0, 1 - Math.abs((k + first - centre + 0.5) / support)));
    const sum = raw.reduce((a, b) => a + b, 0);
    return { first, weights: Int32Array.from(raw, (w) => Math.trunc((w / sum) * 2 ** PRECISION + 0.5)) };
  });
}

const HALF = 2 ** (PRECISION - 1);

// The middle square of a bitmap, scaled: RGB, side × side, row by row. The bitmap is read in
// bands, so that its pixels are in memory once.
export function square(bitmap, side) {
  const least = Math.min(bitmap.width, bitmap.height);
  const [left, top] = [(bitmap.width - least) / 2, (bitmap.height - least) / 2];
  const across = axis(bitmap.width, left, left + least, side);
  const down = axis(bitmap.height, top, top + least, side);
  const end = (list) => list.at(-1).first + list.at(-1).weights.length;
  const [x0, y0, x1, y1] = [across[0].first, down[0].first, end(across), end(down)];
  const rows = Math.max(1, Math.min(y1 - y0, Math.floor(2 ** 20 / (x1 - x0))));
  const canvas = Object.assign(document.createElement("canvas"), { width: x1 - x0, height: rows });
  const paper = canvas.getContext("2d", { willReadFrequently: true });
  paper.fillStyle = "#fff";

  const narrow = new Uint8Array((y1 - y0) * side * 3);
  for (let y = y0; y < y1; y += rows) {
    paper.fillRect(0, 0, canvas.width, rows);
    paper.drawImage(bitmap, -x0, -y);
    const band = paper.getImageData(0, 0, canvas.width, rows).data;
    for (let row = 0; row < Math.min(rows, y1 - y); row += 1) {
      for (let x = 0; x < side; x += 1) {
        const { first, weights } = across[x];
        let [r, g, b] = [HALF, HALF, HALF];
        for (let k = 0, at = 4 * (row * canvas.width + first - x0); k < weights.length; k += 1, at += 4) {
          r += band[at] * weights[k];
          g += band[at + 1] * weights[k];
          b += band[at + 2] * weights[k];
        }
        narrow.set([r >> PRECISION, g >> PRECISION, b >> PRECISION], 3 * ((y - y0 + row) * side + x));
      }
    }
  }
  const pixels = new Uint8Array(side * side * 3);
  for (let y = 0; y < side; y += 1) {
    const { first, weights } = down[y];
    for (let x = 0; x < 3 * side; x += 1) {
      let sum = HALF;
      for (let k = 0; k < weights.length; k += 1) sum += narrow[3 * side * (first - y0 + k) + x] * weights[k];
      pixels[3 * side * y + x] = sum >> PRECISION;
    }
  }
  return pixels;
}
