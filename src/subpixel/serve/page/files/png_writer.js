/** PNG, written by rows: only those are held that have just come. */

import { concat, crc32, encodeLatin, uint32be } from "./bytes.js";
import { withSize } from "./exif.js";
import { paeth } from "./png_reader.js";

const TYPES = { 1: 0, 2: 4, 3: 2, 4: 6 };

export class PngWriter {
  /** `chunks` are [type, data], as readPng gives them. */
  constructor({ width, height, channels, depth, chunks = [] }) {
    this.channels = channels;
    this.rowLength = width * channels * (depth / 8);
    this.reach = channels * (depth / 8);
    this.above = new Uint8Array(this.rowLength);
    this.parts = [
      encodeLatin("\x89PNG\r\n\x1a\n"),
      chunk("IHDR", concat(uint32be(width), uint32be(height), Uint8Array.of(depth, TYPES[channels], 0, 0, 0))),
      ...chunks.map(([type, data]) => chunk(type, type === "eXIf" ? withSize(data, { width, height }) : data)),
    ];
    this.deflate = new CompressionStream("deflate");
    this.input = this.deflate.writable.getWriter();
    this.drained = this.drain(this.deflate.readable.getReader());
    this.drained.catch(() => {}); // it is awaited by finish
  }

  async write(samples) {
    const bytes = samples instanceof Uint16Array ? bigEndian(samples) : samples;
    const count = bytes.length / this.rowLength;
    const lines = new Uint8Array(bytes.length + count);
    for (let row = 0; row < count; row++) {
      const line = bytes.subarray(row * this.rowLength, (row + 1) * this.rowLength);
      filterLine(line, this.above, this.reach, lines.subarray(row * (this.rowLength + 1)));
      this.above = line;
    }
    await this.input.ready;
    await this.input.write(lines);
  }

  async finish() {
    await this.input.close();
    await this.drained;
    this.parts.push(chunk("IEND", new Uint8Array(0)));
    return new Blob(this.parts, { type: "image/png" });
  }

  async drain(reader) {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      // A Blob lies where the browser has room for it, on disk where it is large.
      this.parts.push(new Blob([chunk("IDAT", value)]));
    }
  }
}

function chunk(type, data) {
  const name = encodeLatin(type);
  return concat(uint32be(data.length), name, data, uint32be(crc32(name, data)));
}

function bigEndian(samples) {
  const bytes = new Uint8Array(samples.length * 2);
  for (let i = 0; i < samples.length; i++) {
    bytes[2 * i] = samples[i] >> 8;
    bytes[2 * i + 1] = samples[i] & 255;
  }
  return bytes;
}

/** Of the filters "up" and "Paeth" the one with the smaller sum of differences. */
function filterLine(line, above, reach, target) {
  let [up, nearest] = [0, 0];
  const other = new Uint8Array(line.length);
  for (let i = 0; i < line.length; i++) {
    const left = i < reach ? 0 : line[i - reach];
    const a = (line[i] - above[i]) & 255;
    const b = (line[i] - paeth(left, above[i], i < reach ? 0 : above[i - reach])) & 255;
    up += a < 128 ? a : 256 - a;
    nearest += b < 128 ? b : 256 - b;
    target[i + 1] = a;
    other[i] = b;
  }
  target[0] = 2;
  if (nearest >= up) return;
  target[0] = 4;
  target.subarray(1, line.length + 1).set(other);
}
