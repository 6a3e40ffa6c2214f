/**
 * A file of boxes: what it says that it is, and where an AVIF's picture lies, as
 * subpixel.media.formats.boxes has it. Sources: ISO/IEC 14496-12, ISO/IEC 23008-12 (HEIF).
 */

import { hasText, latin, viewOf } from "./bytes.js";

const HEVC_BRANDS = ["heic", "heix", "heim", "heis", "hevc", "hevx", "hevm", "hevs"];
/** Of a stream: far more than its headers take up to the quantiser. */
const HEADER_BYTES = 4096;

/** "avif", "heic", or null for a file of other boxes, or of none. */
export function nameBoxes(bytes) {
  const [major, ...others] = brandsOf(bytes);
  if (["avif", "avis"].includes(major)) return "avif";
  if (HEVC_BRANDS.includes(major)) return "heic";
  if (!["mif1", "msf1"].includes(major)) return null;
  return others.some((brand) => HEVC_BRANDS.includes(brand)) ? "heic" : "avif";
}

/** The brands in a file's first bytes, the major one first. */
function brandsOf(bytes) {
  if (!hasText(bytes, "ftyp", 4)) return [];
  const head = bytes.subarray(0, viewOf(bytes).getUint32(0));
  const brands = [latin(head.subarray(8, 12))];
  for (let at = 16; at + 4 <= head.length; at += 4) brands.push(latin(head.subarray(at, at + 4)));
  return brands;
}

/** Whether an AVIF may be transparent: it has a picture beside its own, or is a film. */
export function mayBeTransparent(bytes) {
  const meta = find(walkBoxes(bytes, 0, bytes.length), "meta");
  if (!meta || hasText(bytes, "avis", 8)) return true;
  const references = find(walkBoxes(bytes, meta.start + 4, meta.stop), "iref");
  return references !== undefined && find(walkBoxes(bytes, references.start + 4, references.stop), "auxl") !== undefined;
}

/**
 * The first bytes of the primary picture's AV1 stream, or of its first tile's; null where there is
 * none, and where the boxes can't be followed.
 */
export function readAv1Head(bytes) {
  try {
    return findAv1Head(bytes);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return null;
  }
}

function findAv1Head(bytes) {
  const meta = find(walkBoxes(bytes, 0, bytes.length), "meta");
  if (!meta) return null;
  const inner = [...walkBoxes(bytes, meta.start + 4, meta.stop)];
  const places = readPlaces(bytes, find(inner, "iloc"));
  const kinds = readKinds(bytes, find(inner, "iinf"));
  const parts = readParts(bytes, find(inner, "iref"));
  const numbers = withSources(readPrimary(bytes, find(inner, "pitm")), parts);
  const number = numbers.find((one) => kinds.get(one) === "av01" && places.get(one));
  if (number === undefined) return null;
  const [start, size] = places.get(number);
  return bytes.subarray(start, start + Math.min(size, HEADER_BYTES));
}

const find = (boxes, name) => [...boxes].find((box) => box.name === name);

/** The boxes one after the other; where bytes are no box, or one that is cut off, it ends. */
function* walkBoxes(bytes, from, stop) {
  const view = viewOf(bytes);
  for (let start = from; start + 8 <= stop; ) {
    let [size, header] = [view.getUint32(start), 8];
    if (size === 1 && start + 16 <= stop) {
      [size, header] = [view.getUint32(start + 8) * 2 ** 32 + view.getUint32(start + 12), 16];
    }
    const end = size ? start + size : stop;
    if (end < start + header || end > stop) return;
    yield { name: latin(bytes.subarray(start + 4, start + 8)), start: start + header, stop: end };
    start = end;
  }
}

/** Whole numbers one after the other, the highest byte first; a RangeError where the box ends. */
class Numbers {
  constructor(bytes, at, stop) {
    Object.assign(this, { bytes, at, stop });
  }

  take(size) {
    if (this.at + size > this.stop) throw new RangeError("a box ends within a number");
    let number = 0;
    for (let i = 0; i < size; i++) number = number * 256 + this.bytes[this.at++];
    return number;
  }
}

function readPrimary(bytes, box) {
  return box ? new Numbers(bytes, box.start + 4, box.stop).take(bytes[box.start] ? 4 : 2) : 0;
}

/** Of each item whose data lies in the file itself: where its first piece begins, and its size. */
function readPlaces(bytes, box) {
  const places = new Map();
  if (!box) return places;
  const version = bytes[box.start];
  const reader = new Numbers(bytes, box.start + 4, box.stop);
  const [sizes, sizes2] = [reader.take(1), reader.take(1)];
  const [offsetSize, lengthSize, baseSize] = [sizes >> 4, sizes & 15, sizes2 >> 4];
  const [indexSize, wide] = [version ? sizes2 & 15 : 0, version > 1 ? 4 : 2];
  if (!lengthSize) return places; // extents that take no room in the box, hence without end
  for (let count = reader.take(wide); count > 0; count--) {
    const number = reader.take(wide);
    const method = version ? reader.take(2) & 15 : 0;
    reader.take(2);
    const base = reader.take(baseSize);
    const extents = [];
    for (let more = reader.take(2); more > 0; more--) {
      reader.take(indexSize);
      extents.push([base + reader.take(offsetSize), reader.take(lengthSize)]);
    }
    if (method === 0 && extents.length) places.set(number, extents[0]);
    else places.delete(number);
  }
  return places;
}

/** The kind of each item, of four letters. */
function readKinds(bytes, box) {
  const kinds = new Map();
  if (!box) return kinds;
  for (const entry of walkBoxes(bytes, box.start + (bytes[box.start] ? 8 : 6), box.stop)) {
    const version = bytes[entry.start];
    if (entry.name !== "infe" || version < 2) continue;
    const wide = version > 2 ? 4 : 2;
    const number = new Numbers(bytes, entry.start + 4, entry.stop).take(wide);
    kinds.set(number, latin(bytes.subarray(entry.start + 6 + wide, entry.start + 10 + wide)));
  }
  return kinds;
}

/** What each item is derived from, as a grid is from its tiles. */
function readParts(bytes, box) {
  const parts = new Map();
  if (!box) return parts;
  const wide = bytes[box.start] ? 4 : 2;
  for (const inner of walkBoxes(bytes, box.start + 4, box.stop)) {
    const reader = new Numbers(bytes, inner.start, inner.stop);
    const source = reader.take(wide);
    const targets = Array.from({ length: reader.take(2) }, () => reader.take(wide));
    if (inner.name === "dimg") parts.set(source, targets);
  }
  return parts;
}

/** The item, and all that it is derived from, by number. */
function withSources(root, parts) {
  const numbers = new Set();
  for (const queue = [root]; queue.length; ) {
    const current = queue.pop();
    if (numbers.has(current)) continue;
    numbers.add(current);
    queue.push(...(parts.get(current) ?? []));
  }
  return [...numbers].sort((one, other) => one - other);
}
