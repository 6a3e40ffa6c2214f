/** The larger picture becomes a file, by rows, in the format of the one it comes from or another. */

import { PictureError, concat } from "./bytes.js";
import { exifOf, exifSegment, iccOf, iccSegments } from "./jpeg_segments.js";
import { JpegWriter, MAX_JPEG_SIDE } from "./jpeg_writer.js";
import { PngWriter } from "./png_writer.js";
import { MAX_WEBP_SIDE, withMetadata } from "./webp_chunks.js";

/** Pixels that every browser has a canvas for but the smallest phones. */
const CANVAS_PIXELS = 1 << 28;
const WEBP_QUALITY = 0.9;
export const SUFFIXES = { jpeg: "jpg", png: "png", webp: "webp" };

/**
 * { writer, format, losses } for a picture that becomes `size`; `asked` is a format or "same".
 *
 * `writer.write(rows)` takes whole rows, `writer.finish()` gives a Blob.
 */
export async function makeWriter(picture, size, asked) {
  const losses = [];
  const format = chooseFormat(picture, size, asked, losses);
  const metadata = await convertMetadata(picture, format, losses);
  const shape = { ...size, channels: picture.channels, depth: picture.depth };
  if (format === "jpeg") return { format, losses, writer: jpegWriter(shape, metadata, losses) };
  if (format === "webp") return { format, losses, writer: new WebpWriter({ ...shape, ...metadata }) };
  return { format, losses, writer: new PngWriter({ ...shape, ...metadata }) };
}

function chooseFormat(picture, size, asked, losses) {
  const wanted = asked === "same" ? picture.format : asked;
  if (!(wanted in SUFFIXES)) {
    losses.push(`A browser can't write ${wanted.toUpperCase() || "this format"}; the result is a PNG.`);
    return "png";
  }
  const most = wanted === "jpeg" ? MAX_JPEG_SIDE : wanted === "webp" ? MAX_WEBP_SIDE : Infinity;
  const tooLarge = wanted === "webp" && size.width * size.height > CANVAS_PIXELS;
  if (Math.max(size.width, size.height) > most || tooLarge) {
    losses.push(`${size.width} × ${size.height} pixels are too many for ${wanted.toUpperCase()}; the result is a PNG.`);
    return "png";
  }
  if (picture.depth === 16 && wanted !== "png") {
    losses.push(`${wanted.toUpperCase()} holds 8 of the 16 bits; choose PNG to keep them.`);
  }
  return wanted;
}

function jpegWriter(shape, metadata, losses) {
  const opaque = shape.channels === 1 || shape.channels === 3;
  if (!opaque) losses.push("JPEG has no transparency; the picture was put on white.");
  const channels = opaque ? shape.channels : shape.channels - 1;
  const writer = new JpegWriter({ ...shape, ...metadata, channels });
  return {
    write: (rows) => writer.write(opaque ? to8(rows) : flatten(to8(rows), shape.channels)),
    finish: () => writer.finish(),
  };
}

function to8(rows) {
  return rows instanceof Uint16Array ? Uint8Array.from(rows, (value) => Math.round(value / 257)) : rows;
}

function flatten(rows, channels) {
  const colours = channels - 1;
  const result = new Uint8Array((rows.length / channels) * colours);
  for (let i = 0, at = 0; i < rows.length; i += channels) {
    const alpha = rows[i + colours];
    for (let c = 0; c < colours; c++) {
      result[at++] = Math.round((rows[i + c] * alpha + 255 * (255 - alpha)) / 255);
    }
  }
  return result;
}

/** Profile and EXIF as another format holds them; the same format's are handed on whole. */
async function convertMetadata(picture, format, losses) {
  if (format === picture.format) return picture.metadata;
  const { icc, exif } = await neutral(picture);
  const rest = restOf(picture);
  if (rest) losses.push(rest);
  if (format === "png") {
    return { chunks: [...(icc ? [["iCCP", await packProfile(icc)]] : []), ...(exif ? [["eXIf", exif]] : [])] };
  }
  if (format === "webp") {
    return { carried: new Map([...(icc ? [["ICCP", icc]] : []), ...(exif ? [["EXIF", exif]] : [])]), lossless: false };
  }
  const segment = exif ? exifSegment(exif) : null;
  if (exif && !segment) losses.push("The EXIF block is too long for JPEG and was left out.");
  return { segments: [...(segment ? [segment] : []), ...(icc ? iccSegments(icc) : [])] };
}

async function neutral({ format, metadata }) {
  if (format === "jpeg") return { icc: iccOf(metadata.segments), exif: exifOf(metadata.segments) };
  if (format === "webp") {
    return { icc: metadata.carried.get("ICCP") ?? null, exif: metadata.carried.get("EXIF") ?? null };
  }
  const chunk = (type) => metadata.chunks?.find(([name]) => name === type)?.[1] ?? null;
  const packed = chunk("iCCP");
  return { icc: packed && (await unpackProfile(packed)), exif: chunk("eXIf") };
}

function restOf({ format, metadata }) {
  const others = {
    jpeg: () => metadata.segments.some(({ marker }) => marker === 0xed || marker === 0xfe),
    png: () => metadata.chunks.some(([type]) => type !== "iCCP" && type !== "eXIf" && type !== "sRGB"),
    webp: () => metadata.carried.has("XMP "),
  }[format];
  return others?.() ? "Profile and EXIF were carried over; captions and other texts only within one format." : null;
}

async function packProfile(profile) {
  const stream = new Blob([profile]).stream().pipeThrough(new CompressionStream("deflate"));
  const packed = new Uint8Array(await new Response(stream).arrayBuffer());
  return concat(Uint8Array.from("icc\0\0", (letter) => letter.charCodeAt(0)), packed);
}

async function unpackProfile(chunk) {
  const packed = chunk.subarray(chunk.indexOf(0) + 2);
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer().then((buffer) => new Uint8Array(buffer), () => null);
}

/** WebP is encoded by the browser, out of a canvas that holds the whole picture. */
class WebpWriter {
  constructor({ width, height, channels, carried, lossless }) {
    Object.assign(this, { width, height, channels, carried, lossless, top: 0 });
    this.canvas = new OffscreenCanvas(width, height);
    this.context = this.canvas.getContext("2d", { willReadFrequently: true });
    if (!this.context) throw new PictureError("The picture is too large for this browser's WebP; choose PNG or JPEG.");
  }

  async write(samples) {
    const rows = to8(samples);
    const pixels = new Uint8ClampedArray((rows.length / this.channels) * 4);
    for (let i = 0, at = 0; i < rows.length; i += this.channels, at += 4) {
      const colours = this.channels >= 3 ? 3 : 1;
      for (let c = 0; c < 3; c++) pixels[at + c] = rows[i + Math.min(c, colours - 1)];
      pixels[at + 3] = this.channels > colours ? rows[i + colours] : 255;
    }
    this.context.putImageData(new ImageData(pixels, this.width), 0, this.top);
    this.top += pixels.length / 4 / this.width;
  }

  async finish() {
    const quality = this.lossless ? 1 : WEBP_QUALITY;
    const blob = await this.canvas.convertToBlob({ type: "image/webp", quality });
    if (blob.type !== "image/webp") throw new PictureError("This browser can't write WebP; choose PNG or JPEG.");
    const bytes = new Uint8Array(await blob.arrayBuffer());
    const hasAlpha = this.channels === 2 || this.channels === 4;
    return new Blob([withMetadata(bytes, this.carried, this, hasAlpha)], { type: "image/webp" });
  }
}
