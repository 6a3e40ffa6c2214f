/** A WebP's chunks: what it holds, what a browser is to decode, and metadata put into a new one. */

import { PictureError, concat, encodeLatin, hasText, latin, viewOf } from "./bytes.js";
import { withSize } from "./exif.js";

const ICC_FLAG = 0x20;
const ALPHA_FLAG = 0x10;
const EXIF_FLAG = 0x08;
const XMP_FLAG = 0x04;
const PIXELS = new Set(["VP8 ", "VP8L", "ALPH"]);
/** The longest side that the format has. */
export const MAX_WEBP_SIDE = 16383;

export const isWebp = (bytes) => hasText(bytes, "RIFF") && hasText(bytes, "WEBP", 8);

/** { hasAlpha, lossless, carried, losses, bare }: `carried` has ICCP, EXIF and XMP by name. */
export function readWebp(bytes) {
  const chunks = readChunks(bytes);
  const names = chunks.map(([name]) => name);
  const lossless = chunks.find(([name]) => name === "VP8L");
  const hasAlpha = names.includes("ALPH") || (lossless ? (lossless[1][4] & 0x10) !== 0 : false);
  const carried = new Map(chunks.filter(([name]) => ["ICCP", "EXIF", "XMP "].includes(name)));
  const losses = [];
  if (names.includes("ANIM")) losses.push("Only the first picture of the animation was enlarged.");
  const extended = chunks.find(([name]) => name === "VP8X")?.[1];
  const bare = names.includes("ANIM")
    ? [bytes]
    : [riff([...(extended ? [["VP8X", plainHeader(extended)]] : []), ...chunks.filter(([name]) => PIXELS.has(name))])];
  const animatedAlpha = names.includes("ANIM") && extended !== undefined && (extended[0] & ALPHA_FLAG) !== 0;
  return { hasAlpha: hasAlpha || animatedAlpha, lossless: lossless !== undefined, carried, losses, bare };
}

function plainHeader(extended) {
  const header = extended.slice();
  header[0] &= ALPHA_FLAG;
  return header;
}

function readChunks(bytes) {
  const view = viewOf(bytes);
  const chunks = [];
  for (let at = 12; at + 8 <= bytes.length; ) {
    const length = view.getUint32(at + 4, true);
    if (at + 8 + length > bytes.length) break;
    chunks.push([latin(bytes.subarray(at, at + 4)), bytes.subarray(at + 8, at + 8 + length)]);
    at += 8 + length + (length & 1);
  }
  if (!chunks.length) throw new PictureError("This WebP is cut off.");
  return chunks;
}

/** The bytes of a WebP that a browser wrote, with ICCP, EXIF and XMP beside its pixels. */
export function withMetadata(bytes, carried, size, hasAlpha) {
  if (carried.size === 0) return bytes;
  const pixels = readChunks(bytes).filter(([name]) => PIXELS.has(name));
  const flags =
    (carried.has("ICCP") ? ICC_FLAG : 0) |
    (hasAlpha ? ALPHA_FLAG : 0) |
    (carried.has("EXIF") ? EXIF_FLAG : 0) |
    (carried.has("XMP ") ? XMP_FLAG : 0);
  const [wide, high] = [size.width - 1, size.height - 1];
  const header = Uint8Array.of(
    ...[flags, 0, 0, 0],
    ...[wide, high].flatMap((side) => [side & 255, (side >> 8) & 255, side >> 16]),
  );
  const profile = carried.has("ICCP") ? [["ICCP", carried.get("ICCP")]] : [];
  const after = ["EXIF", "XMP "].filter((name) => carried.has(name)).map((name) => [name, carried.get(name)]);
  return riff([["VP8X", header], ...profile, ...pixels, ...after.map((chunk) => sized(chunk, size))]);
}

function sized([name, data], size) {
  if (name !== "EXIF") return [name, data];
  const head = hasText(data, "Exif\0\0") ? 6 : 0;
  return [name, concat(data.subarray(0, head), withSize(data.subarray(head), size))];
}

function riff(chunks) {
  const parts = chunks.flatMap(([name, data]) => [
    encodeLatin(name),
    little(data.length),
    data,
    new Uint8Array(data.length & 1),
  ]);
  const body = concat(encodeLatin("WEBP"), ...parts);
  return concat(encodeLatin("RIFF"), little(body.length), body);
}

const little = (value) =>
  Uint8Array.of(value & 255, (value >> 8) & 255, (value >> 16) & 255, value >>> 24);
