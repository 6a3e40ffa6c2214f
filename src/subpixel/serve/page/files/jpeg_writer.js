/**
 * Baseline JPEG (ITU-T T.81), written by rows of blocks: no canvas, whose size browsers limit, and
 * only a few rows are held. Chroma is kept in full.
 */

import { concat, uint32be } from "./bytes.js";
import { segmentBytes } from "./jpeg_segments.js";

const ZIGZAG = [
  0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21,
  28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54,
  47, 55, 62, 63,
];
/** Tables K.1 and K.2, in zigzag order. */
const LUMA_STEPS = [
  16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40, 26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58, 51, 61,
  60, 57, 51, 56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87, 95, 98, 103, 104, 103, 62, 77, 113, 121,
  112, 100, 120, 92, 101, 103, 99,
];
const CHROMA_STEPS = [17, 18, 18, 24, 21, 24, 47, 26, 26, 47, 99, 66, 56, 66, ...Array(50).fill(99)];
/** Tables K.3 to K.6: how many codes of each length, and their symbols. */
const CODES = {
  lumaDc: [[0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]],
  chromaDc: [[0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]],
  lumaAc: [
    [0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 125],
    symbols(
      "01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282090a161718191a25262728292a3435363738393a434445464748494a535455565758595a636465666768696a737475767778797a838485868788898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9fa",
    ),
  ],
  chromaAc: [
    [0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 119],
    symbols(
      "000102031104052131061241510761711322328108144291a1b1c109233352f0156272d10a162434e125f11718191a262728292a35363738393a434445464748494a535455565758595a636465666768696a737475767778797a82838485868788898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae2e3e4e5e6e7e8e9eaf2f3f4f5f6f7f8f9fa",
    ),
  ],
};
const FLUSH_BYTES = 1 << 20;
export const MAX_JPEG_SIDE = 65535;

function symbols(hex) {
  return hex.match(/../g).map((pair) => Number.parseInt(pair, 16));
}

export class JpegWriter {
  /** `channels` 1 or 3; `segments` as readJpeg carries them; `quality` 1 … 100 as libjpeg's. */
  constructor({ width, height, channels, quality = 95, segments = [] }) {
    Object.assign(this, { width, channels });
    this.tables = [LUMA_STEPS, CHROMA_STEPS].map((steps) => scaleSteps(steps, quality));
    this.divisors = this.tables.map(divisorsOf);
    this.codes = Object.fromEntries(Object.entries(CODES).map(([name, table]) => [name, codesOf(...table)]));
    this.before = [0, 0, 0];
    this.bits = new BitWriter();
    this.held = new Uint8Array(0);
    const carried = segments.map((segment) => segmentBytes(segment, { width, height }));
    const jfif = segments.some(({ marker }) => marker === 0xe0) ? [] : [JFIF];
    this.parts = [Uint8Array.of(0xff, 0xd8), ...jfif, ...carried, ...this.header(height)];
  }

  header(height) {
    const components = Array.from({ length: this.channels }, (_, i) => [i + 1, 0x11, i ? 1 : 0]);
    const size = [height >> 8, height & 255, this.width >> 8, this.width & 255];
    const kinds = this.channels === 1 ? 1 : 2;
    const tables = this.tables.slice(0, kinds).map((steps, i) => segment(0xdb, [i, ...steps]));
    const codes = Object.values(CODES)
      .map(([counts, list], i) => [[0x00, 0x01, 0x10, 0x11][i], ...counts, ...list])
      .filter(([number]) => kinds === 2 || (number & 15) === 0)
      .map((content) => segment(0xc4, content));
    return [
      ...tables,
      segment(0xc0, [8, ...size, this.channels, ...components.flat()]),
      ...codes,
      segment(0xda, [this.channels, ...components.flatMap(([id, , table]) => [id, table ? 0x11 : 0]), 0, 63, 0]),
    ];
  }

  async write(samples) {
    const rowLength = this.width * this.channels;
    const all = this.held.length ? concat(this.held, samples) : samples;
    const block = 8 * rowLength;
    let top = 0;
    for (; all.length - top >= block; top += block) this.writeBlocks(all.subarray(top, top + block), 8);
    this.held = all.slice(top);
  }

  async finish() {
    const rowLength = this.width * this.channels;
    if (this.held.length) this.writeBlocks(this.held, this.held.length / rowLength);
    this.bits.align();
    this.flush(0);
    this.parts.push(Uint8Array.of(0xff, 0xd9));
    return new Blob(this.parts, { type: "image/jpeg" });
  }

  flush(least) {
    if (this.bits.length > least) this.parts.push(new Blob([this.bits.takeBytes()]));
  }

  /** One row of blocks; rows and columns beyond the picture repeat its last. */
  writeBlocks(rows, count) {
    const planes = Array.from({ length: this.channels }, () => new Float32Array(64));
    for (let left = 0; left < this.width; left += 8) {
      for (let y = 0, i = 0; y < 8; y++) {
        const line = Math.min(y, count - 1) * this.width;
        for (let x = 0; x < 8; x++, i++) {
          const at = (line + Math.min(left + x, this.width - 1)) * this.channels;
          if (this.channels === 1) planes[0][i] = rows[at] - 128;
          else {
            const [r, g, b] = [rows[at], rows[at + 1], rows[at + 2]];
            planes[0][i] = 0.299 * r + 0.587 * g + 0.114 * b - 128;
            planes[1][i] = -0.168735892 * r - 0.331264108 * g + 0.5 * b;
            planes[2][i] = 0.5 * r - 0.418687589 * g - 0.081312411 * b;
          }
        }
      }
      planes.forEach((plane, c) => this.writeBlock(plane, c));
      this.flush(FLUSH_BYTES);
    }
  }

  writeBlock(plane, component) {
    const kind = component ? 1 : 0;
    const [dc, ac] = kind ? [this.codes.chromaDc, this.codes.chromaAc] : [this.codes.lumaDc, this.codes.lumaAc];
    const divisors = this.divisors[kind];
    transform(plane);
    const level = Math.round(plane[0] * divisors[0]);
    this.writeNumber(dc, 0, level - this.before[component]);
    this.before[component] = level;
    let zeros = 0;
    for (let i = 1; i < 64; i++) {
      const value = Math.round(plane[ZIGZAG[i]] * divisors[i]);
      if (value === 0) {
        zeros++;
        continue;
      }
      for (; zeros > 15; zeros -= 16) this.bits.put(ac.code[0xf0], ac.length[0xf0]);
      this.writeNumber(ac, zeros, value);
      zeros = 0;
    }
    if (zeros) this.bits.put(ac.code[0], ac.length[0]);
  }

  /** A symbol of how many zeros come before and how many bits the number has, and these bits. */
  writeNumber(codes, zeros, value) {
    const size = value === 0 ? 0 : 32 - Math.clz32(Math.abs(value));
    const symbol = (zeros << 4) | size;
    this.bits.put(codes.code[symbol], codes.length[symbol]);
    if (size) this.bits.put(value < 0 ? value + (1 << size) - 1 : value, size);
  }
}

const JFIF = segment(0xe0, [0x4a, 0x46, 0x49, 0x46, 0, 1, 1, 0, 0, 1, 0, 1, 0, 0]);

function segment(marker, content) {
  const length = uint32be(content.length + 2).subarray(2);
  return concat(Uint8Array.of(0xff, marker), length, Uint8Array.from(content));
}

/** libjpeg's table of a quality. */
function scaleSteps(steps, quality) {
  const percent = quality < 50 ? Math.floor(5000 / quality) : 200 - 2 * quality;
  return steps.map((step) => Math.min(Math.max(Math.floor((step * percent + 50) / 100), 1), 255));
}

/** What `transform`'s values are multiplied by, in zigzag order. */
function divisorsOf(steps) {
  const factor = [0, 1, 2, 3, 4, 5, 6, 7].map((k) => (k === 0 ? 1 : Math.cos((k * Math.PI) / 16) * Math.SQRT2));
  return steps.map((step, i) => 1 / (8 * step * factor[ZIGZAG[i] >> 3] * factor[ZIGZAG[i] & 7]));
}

function codesOf(counts, list) {
  const result = { code: new Uint16Array(256), length: new Uint8Array(256) };
  let [code, at] = [0, 0];
  counts.forEach((count, i) => {
    for (let n = 0; n < count; n++, at++, code++) {
      result.code[list[at]] = code;
      result.length[list[at]] = i + 1;
    }
    code <<= 1;
  });
  return result;
}

/** The cosine transform of 8 by 8 in place, each value scaled as divisorsOf undoes it
 * (Y. Arai, T. Agui, M. Nakajima, 1988). */
function transform(block) {
  for (let row = 0; row < 64; row += 8) transformLine(block, row, 1);
  for (let column = 0; column < 8; column++) transformLine(block, column, 8);
}

const C4 = Math.SQRT1_2;
const C6 = Math.cos((6 * Math.PI) / 16);
const C2 = Math.cos((2 * Math.PI) / 16);

function transformLine(d, at, step) {
  const i = [at, at + step, at + 2 * step, at + 3 * step, at + 4 * step, at + 5 * step, at + 6 * step, at + 7 * step];
  const [s07, d07] = [d[i[0]] + d[i[7]], d[i[0]] - d[i[7]]];
  const [s16, d16] = [d[i[1]] + d[i[6]], d[i[1]] - d[i[6]]];
  const [s25, d25] = [d[i[2]] + d[i[5]], d[i[2]] - d[i[5]]];
  const [s34, d34] = [d[i[3]] + d[i[4]], d[i[3]] - d[i[4]]];
  const [e0, e3, e1, e2] = [s07 + s34, s07 - s34, s16 + s25, s16 - s25];
  d[i[0]] = e0 + e1;
  d[i[4]] = e0 - e1;
  const z1 = (e2 + e3) * C4;
  d[i[2]] = e3 + z1;
  d[i[6]] = e3 - z1;
  const [o0, o1, o2] = [d34 + d25, d25 + d16, d16 + d07];
  const z5 = (o0 - o2) * C6;
  const z2 = (C2 - C6) * o0 + z5;
  const z4 = (C2 + C6) * o2 + z5;
  const z3 = o1 * C4;
  const [z11, z13] = [d07 + z3, d07 - z3];
  d[i[5]] = z13 + z2;
  d[i[3]] = z13 - z2;
  d[i[1]] = z11 + z4;
  d[i[7]] = z11 - z4;
}

/** Bits, from the highest on; a byte of ones is followed by one of zeros. */
class BitWriter {
  constructor() {
    this.bytes = new Uint8Array(FLUSH_BYTES + (1 << 16));
    this.length = 0;
    this.held = 0;
    this.count = 0;
  }

  put(value, count) {
    this.held = (this.held << count) | value;
    this.count += count;
    while (this.count >= 8) {
      this.count -= 8;
      const byte = (this.held >> this.count) & 255;
      this.bytes[this.length++] = byte;
      if (byte === 255) this.bytes[this.length++] = 0;
    }
    this.held &= (1 << this.count) - 1;
  }

  align() {
    if (this.count) this.put((1 << (8 - this.count)) - 1, 8 - this.count);
  }

  takeBytes() {
    const result = this.bytes.slice(0, this.length);
    this.length = 0;
    return result;
  }
}
