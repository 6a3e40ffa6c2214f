/** PNG, read by rows and to the last bit: a browser's own decoder gives what a canvas makes of it. */

import { PictureError, concat, hasText, latin, viewOf } from "./bytes.js";

const SIGNATURE = "\x89PNG\r\n\x1a\n";
const CHANNELS = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
const DEPTHS = { 0: [1, 2, 4, 8, 16], 2: [8, 16], 3: [1, 2, 4, 8], 4: [8, 16], 6: [8, 16] };
/** Chunks that hold for the larger picture as they are. */
const CARRIED = new Set(["iCCP", "sRGB", "gAMA", "cHRM", "cICP", "eXIf", "pHYs", "tEXt", "zTXt", "iTXt"]);
const STRUCTURE = new Set(["IHDR", "PLTE", "tRNS", "IDAT", "IEND"]);
const ANIMATION = new Set(["acTL", "fcTL", "fdAT"]);
const PASSES = [[0, 0, 8, 8], [4, 0, 8, 8], [0, 4, 4, 8], [2, 0, 4, 4], [0, 2, 2, 4], [1, 0, 2, 2], [0, 1, 1, 2]];

export const isPng = (bytes) => hasText(bytes, SIGNATURE);

/**
 * { width, height, channels, depth, rows(), chunks, losses } of a PNG file's bytes.
 *
 * Samples are 8 bits as uint8 or 16 bits as uint16; a palette is resolved. `chunks` are those that
 * hold for the larger picture, as [type, data]; `losses` says what is not carried over.
 */
export function readPng(bytes) {
  const { chunks, losses } = readChunks(bytes);
  const header = readHeader(chunks);
  const palette = chunks.find(([type]) => type === "PLTE")?.[1];
  const clear = chunks.find(([type]) => type === "tRNS")?.[1];
  const data = chunks.filter(([type]) => type === "IDAT").map(([, part]) => part);
  if (header.type === 3 && !palette) throw new PictureError("This PNG has no palette; it is damaged.");
  const convert = sampleConverter(header, palette, clear);
  return {
    width: header.width,
    height: header.height,
    channels: convert.channels,
    depth: header.depth === 16 ? 16 : 8,
    rows: () => (header.interlaced ? interlacedRows : plainRows)(data, header, convert),
    chunks: chunks.filter(([type]) => CARRIED.has(type)),
    losses,
  };
}

function readChunks(bytes) {
  const view = viewOf(bytes);
  const chunks = [];
  const unknown = new Set();
  let animated = false;
  let at = 8;
  while (at + 12 <= bytes.length) {
    const length = view.getUint32(at);
    const type = latin(bytes.subarray(at + 4, at + 8));
    if (at + 12 + length > bytes.length) break;
    if (CARRIED.has(type) || STRUCTURE.has(type)) {
      chunks.push([type, bytes.subarray(at + 8, at + 8 + length)]);
    } else if (ANIMATION.has(type)) animated = true;
    else unknown.add(type);
    at += 12 + length;
    if (type === "IEND") break;
  }
  const losses = [];
  if (animated) losses.push("Only the first picture of the animation was enlarged.");
  if (unknown.size) losses.push(`Left out of the PNG: ${[...unknown].join(", ")}.`);
  return { chunks, losses };
}

function readHeader(chunks) {
  const [name, data] = chunks[0] ?? [];
  if (name !== "IHDR" || data.length < 13) throw new PictureError("This PNG has no header; it is damaged.");
  const view = viewOf(data);
  const header = {
    width: view.getUint32(0),
    height: view.getUint32(4),
    depth: data[8],
    type: data[9],
    interlaced: data[12] === 1,
  };
  if (!DEPTHS[header.type]?.includes(header.depth)) {
    throw new PictureError("This PNG is of a kind that doesn't exist; it is damaged.");
  }
  if (header.width === 0 || header.height === 0) throw new PictureError("This PNG has no pixels.");
  return header;
}

const bitsPerPixel = (header) => CHANNELS[header.type] * header.depth;
const rowBytes = (header, width) => Math.ceil((width * bitsPerPixel(header)) / 8);

async function* plainRows(data, header, convert) {
  const band = Math.max(1, Math.floor((1 << 18) / header.width));
  for await (const rows of unfilter(data, [[header.width, header.height]], header, band)) {
    yield convert(rows.bytes, rows.count, header.width);
  }
}

/** Adam7: the whole picture is put together before its first row is known. */
async function* interlacedRows(data, header, convert) {
  const { width, height } = header;
  const sizes = PASSES.map(([x, y, dx, dy]) => [Math.ceil((width - x) / dx), Math.ceil((height - y) / dy)]);
  const there = PASSES.filter((_, i) => sizes[i][0] > 0 && sizes[i][1] > 0);
  const passes = sizes.filter(([wide, high]) => wide > 0 && high > 0);
  let picture = null;
  let [number, line] = [0, 0];
  for await (const rows of unfilter(data, passes, header, 1)) {
    const samples = convert(rows.bytes, 1, passes[number][0]);
    picture ??= new samples.constructor(width * height * convert.channels);
    const [x, y, dx, dy] = there[number];
    for (let i = 0; i < passes[number][0]; i++) {
      const to = ((y + line * dy) * width + x + i * dx) * convert.channels;
      for (let c = 0; c < convert.channels; c++) picture[to + c] = samples[i * convert.channels + c];
    }
    if (++line === passes[number][1]) [number, line] = [number + 1, 0];
  }
  yield picture;
}

/** Rows without their filters, up to so many at a time, of one pass after another. */
async function* unfilter(data, passes, header, most) {
  const reach = Math.max(1, bitsPerPixel(header) / 8);
  const source = new ByteQueue(inflate(data));
  for (const [width, height] of passes) {
    const length = rowBytes(header, width);
    let above = new Uint8Array(length);
    for (let top = 0; top < height; top += most) {
      const count = Math.min(most, height - top);
      const bytes = new Uint8Array(count * length);
      const lines = await source.take(count * (length + 1));
      for (let row = 0; row < count; row++) {
        const line = bytes.subarray(row * length, (row + 1) * length);
        line.set(lines.subarray(row * (length + 1) + 1, (row + 1) * (length + 1)));
        undoFilter(lines[row * (length + 1)], line, above, reach);
        above = line;
      }
      yield { bytes, count };
    }
  }
}

function undoFilter(filter, line, above, reach) {
  if (filter > 4) throw new PictureError("This PNG has a filter that doesn't exist; it is damaged.");
  for (let i = 0; filter && i < line.length; i++) {
    const left = i < reach ? 0 : line[i - reach];
    const up = above[i];
    if (filter === 1) line[i] += left;
    else if (filter === 2) line[i] += up;
    else if (filter === 3) line[i] += (left + up) >> 1;
    else line[i] += paeth(left, up, i < reach ? 0 : above[i - reach]);
  }
}

/** Which of the three neighbours is nearest to left + up - corner. */
export function paeth(left, up, corner) {
  const toLeft = Math.abs(up - corner);
  const toUp = Math.abs(left - corner);
  const toCorner = Math.abs(left + up - 2 * corner);
  if (toLeft <= toUp && toLeft <= toCorner) return left;
  return toUp <= toCorner ? up : corner;
}

async function* inflate(parts) {
  const stream = new Blob(parts).stream().pipeThrough(new DecompressionStream("deflate"));
  const reader = stream.getReader();
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      yield value;
    }
  } catch {
    throw new PictureError("This PNG's pixels can't be unpacked; the file is damaged or cut off.");
  } finally {
    reader.cancel().catch(() => {});
  }
}

class ByteQueue {
  constructor(chunks) {
    this.chunks = chunks;
    this.held = new Uint8Array(0);
  }

  async take(length) {
    const parts = [this.held];
    let there = this.held.length;
    while (there < length) {
      const { value, done } = await this.chunks.next();
      if (done) throw new PictureError("This PNG ended before its last row; the file is cut off.");
      parts.push(value);
      there += value.length;
    }
    const all = parts.length === 1 ? this.held : concat(...parts);
    this.held = all.subarray(length);
    return all.subarray(0, length);
  }
}

/** A function from packed rows to samples; its `channels` are those of the samples. */
function sampleConverter(header, palette, clear) {
  const stored = CHANNELS[header.type];
  if (header.type === 3) return paletteConverter(header, palette, clear);
  const key = clear && header.type !== 4 && header.type !== 6 ? keyOf(clear, stored) : null;
  const factor = header.depth < 8 ? 255 / (2 ** header.depth - 1) : 1;
  const convert = (bytes, count, width) => {
    const plain = unpack(bytes, count, width * stored, header.depth);
    if (key) return withKey(plain, stored, key, factor, header.depth === 16 ? 65535 : 255);
    return factor === 1 ? plain : plain.map((value) => value * factor);
  };
  convert.channels = stored + (key ? 1 : 0);
  return convert;
}

function keyOf(clear, channels) {
  if (clear.length < 2 * channels) throw new PictureError("This PNG's transparent colour is cut off.");
  return Array.from({ length: channels }, (_, i) => viewOf(clear).getUint16(2 * i));
}

function withKey(samples, channels, key, factor, full) {
  const result = new samples.constructor((samples.length / channels) * (channels + 1));
  for (let i = 0, at = 0; i < samples.length; i += channels) {
    let same = true;
    for (let c = 0; c < channels; c++) {
      same &&= samples[i + c] === key[c];
      result[at++] = samples[i + c] * factor;
    }
    result[at++] = same ? 0 : full;
  }
  return result;
}

function paletteConverter(header, palette, clear) {
  const channels = clear ? 4 : 3;
  const convert = (bytes, count, width) => {
    const indices = unpack(bytes, count, width, header.depth);
    const result = new Uint8Array(indices.length * channels);
    for (let i = 0, at = 0; i < indices.length; i++) {
      const from = 3 * indices[i];
      for (let c = 0; c < 3; c++) result[at++] = palette[from + c] ?? 0;
      if (clear) result[at++] = clear[indices[i]] ?? 255;
    }
    return result;
  };
  convert.channels = channels;
  return convert;
}

/** Samples of 1 to 16 bits as numbers; each row begins at a byte. */
function unpack(bytes, count, perRow, depth) {
  if (depth === 8) return bytes;
  if (depth === 16) {
    const view = viewOf(bytes);
    return Uint16Array.from({ length: count * perRow }, (_, i) => view.getUint16(2 * i));
  }
  const result = new Uint8Array(count * perRow);
  const rowLength = bytes.length / count;
  const perByte = 8 / depth;
  for (let y = 0, at = 0; y < count; y++) {
    for (let i = 0; i < perRow; i++) {
      const byte = bytes[y * rowLength + Math.floor(i / perByte)];
      result[at++] = (byte >> (8 - depth * (1 + (i % perByte)))) & (2 ** depth - 1);
    }
  }
  return result;
}
