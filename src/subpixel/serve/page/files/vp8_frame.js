/**
 * How coarsely a lossy WebP was quantised, from the header of its first VP8 frame: number for number
 * subpixel.media.compression.vp8. Sources: RFC 9649 (WebP), RFC 6386 (VP8).
 */

import { latin, viewOf } from "./bytes.js";

const SEGMENTS = 4;
/** Of a frame: more than its header takes up to the quantiser. */
const HEADER_BYTES = 512;

/**
 * The quantiser index of luma, 0 (fine) … 127 (coarse), the mean where a picture has segments; null
 * for a lossless WebP, and for what can't be read.
 */
export function readVp8Quantizer(bytes) {
  for (const [name, at, size] of chunksOf(bytes)) {
    if (name === "VP8L") return null;
    if (name !== "VP8 ") continue;
    const frame = bytes.subarray(at, at + Math.min(size, HEADER_BYTES));
    const isKey = frame[3] === 0x9d && frame[4] === 0x01 && frame[5] === 0x2a;
    return isKey ? readFrame(frame) : null;
  }
  return null;
}

/** Name, place and size of each chunk; those of an animation's frame too. */
function* chunksOf(bytes) {
  const view = viewOf(bytes);
  for (let at = 12; at + 8 <= bytes.length; ) {
    const [name, size] = [latin(bytes.subarray(at, at + 4)), view.getUint32(at + 4, true)];
    yield [name, at + 8, size];
    at += 8 + (name === "ANMF" ? 16 : size + (size & 1));
  }
}

function readFrame(frame) {
  const bits = new BoolDecoder(frame.subarray(10));
  bits.literal(2); // colour space, clamping
  const segments = bits.flag() ? readSegments(bits) : null;
  bits.literal(1 + 6 + 3); // the loop filter's type, level and sharpness
  if (bits.flag() && bits.flag()) for (let i = 0; i < 2 * SEGMENTS; i++) bits.optional(6);
  bits.literal(2); // partitions
  const base = bits.literal(7);
  if (!segments) return base;
  const values = segments.values.map((value) => (segments.isAbsolute ? value : base + value));
  return values.reduce((sum, value) => sum + Math.min(Math.max(value, 0), 127), 0) / SEGMENTS;
}

/** Whether the segments' quantiser indices are absolute, and these; null where none are set. */
function readSegments(bits) {
  const [hasMap, hasValues] = [bits.flag(), bits.flag()];
  let result = null;
  if (hasValues) {
    const isAbsolute = bits.flag() === 1;
    result = { isAbsolute, values: Array.from({ length: SEGMENTS }, () => bits.optional(7)) };
    for (let i = 0; i < SEGMENTS; i++) bits.optional(6); // of the loop filter
  }
  if (hasMap) for (let i = 0; i < 3; i++) if (bits.flag()) bits.literal(8);
  return result;
}

/** RFC 6386, section 7.3, for bits that are as likely 0 as 1; past the end come zeros. */
class BoolDecoder {
  constructor(data) {
    Object.assign(this, { data, at: 2, range: 255, shifted: 0 });
    this.value = ((data[0] ?? 0) << 8) | (data[1] ?? 0);
  }

  flag() {
    const split = 1 + (((this.range - 1) * 128) >> 8);
    const bit = this.value >= split << 8 ? 1 : 0;
    this.range = bit ? this.range - split : split;
    if (bit) this.value -= split << 8;
    while (this.range < 128) this.shift();
    return bit;
  }

  literal(count) {
    let value = 0;
    for (let i = 0; i < count; i++) value = 2 * value + this.flag();
    return value;
  }

  /** A number with its sign behind a flag; 0 where the flag is not set. */
  optional(count) {
    if (!this.flag()) return 0;
    const value = this.literal(count);
    return this.flag() ? -value : value;
  }

  shift() {
    this.value *= 2;
    this.range *= 2;
    this.shifted++;
    if (this.shifted < 8) return;
    this.shifted = 0;
    this.value += this.data[this.at++] ?? 0;
  }
}
