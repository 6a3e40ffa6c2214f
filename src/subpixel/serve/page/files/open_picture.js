/** A file becomes a picture: its pixels by rows, and what is carried over beside them. */

import { readAv1Quantizer } from "./av1_stream.js";
import { mayBeTransparent, nameBoxes, readAv1Head } from "./avif_items.js";
import { PictureError, hasText } from "./bytes.js";
import { decodeByBrowser } from "./browser_decoder.js";
import { isTurned } from "./exif.js";
import { exifOf, isJpeg, readJpeg } from "./jpeg_segments.js";
import { isOpaqueGif } from "./gif_head.js";
import { isPng, readPng } from "./png_reader.js";
import { readVp8Quantizer } from "./vp8_frame.js";
import { isWebp, readWebp } from "./webp_chunks.js";

/** Of formats that few browsers read, and subpixel on the command line does. */
const HINTS = Object.fromEntries(
  [["heic", "HEIC"], ["tiff", "TIFF"], ["jxl", "JPEG XL"]].map(([name, words]) => [
    name,
    `it can't read ${words}, or the file is damaged. subpixel on the command line reads ${words}; or save it as JPEG or PNG.`,
  ]),
);

/**
 * { format, width, height, channels, depth, rows(), metadata, turned, losses, close() }.
 *
 * Pixels are held as they are stored: EXIF's orientation is carried over like the rest of EXIF;
 * `turned` is whether it makes width of height.
 * `format` is "jpeg", "png", "webp" or the name of another, which can be read but not written;
 * `metadata` has what the format's own writer takes, and what a lossy file states of its compression.
 */
export async function openPicture(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  if (bytes.length === 0) throw new PictureError("The file is empty.");
  if (isPng(bytes)) return openPng(bytes);
  if (isJpeg(bytes)) return openJpeg(bytes);
  if (isWebp(bytes)) return openWebp(bytes);
  return openOther(file, bytes);
}

function openPng(bytes) {
  const { chunks, ...picture } = readPng(bytes);
  const turned = isTurned(chunks.find(([type]) => type === "eXIf")?.[1]);
  return { format: "png", metadata: { chunks }, turned, close: () => {}, ...picture };
}

async function openJpeg(bytes) {
  const { components, carried, lumaTable, losses, bare } = readJpeg(bytes);
  const file = new Blob(bare, { type: "image/jpeg" });
  const decoded = await decodeByBrowser(file, { hasAlpha: false, grey: components === 1, asStored: components !== 4 });
  const turned = isTurned(exifOf(carried));
  return { format: "jpeg", depth: 8, metadata: { segments: carried, lumaTable }, turned, ...decoded, losses };
}

async function openWebp(bytes) {
  const { hasAlpha, lossless, carried, losses, bare } = readWebp(bytes);
  const file = new Blob(bare, { type: "image/webp" });
  const decoded = await decodeByBrowser(file, { hasAlpha, asStored: true });
  const metadata = { carried, lossless, quantizer: readVp8Quantizer(bytes) };
  const turned = isTurned(carried.get("EXIF"));
  return { format: "webp", depth: 8, metadata, turned, ...decoded, losses: [...losses, ...decoded.losses] };
}

async function openOther(file, bytes) {
  const name = nameOf(bytes) ?? file.type.replace("image/", "");
  const hasAlpha = (name === "avif" && mayBeTransparent(bytes)) || (name === "gif" && !isOpaqueGif(bytes));
  const typed = new Blob([bytes], { type: name ? `image/${name}` : file.type });
  const decoded = await decodeByBrowser(typed, { hasAlpha, asStored: false, hint: HINTS[name] });
  const losses = [`Of ${name.toUpperCase() || "this format"} the pixels are kept, in sRGB; profile, EXIF and further pictures are not.`];
  const metadata = { quantizer: readAvifQuantizer(name, bytes) };
  return { format: name, depth: 8, metadata, turned: false, ...decoded, losses: [...losses, ...decoded.losses] };
}

/** Of AVIF as readAv1Quantizer; null of other formats. */
function readAvifQuantizer(name, bytes) {
  const head = name === "avif" ? readAv1Head(bytes) : null;
  return head && readAv1Quantizer(head);
}

function nameOf(bytes) {
  if (hasText(bytes, "GIF8")) return "gif";
  if (hasText(bytes, "BM")) return "bmp";
  if (hasText(bytes, "II*\0") || hasText(bytes, "MM\0*")) return "tiff";
  if (hasText(bytes, "\xff\n") || hasText(bytes, "JXL ", 4)) return "jxl";
  return nameBoxes(bytes);
}
