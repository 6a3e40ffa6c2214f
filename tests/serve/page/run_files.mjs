/**
 * The page's readers and writers on files, for test_page_files.py: a plan on standard input,
 * answers on standard output, both JSON.
 */

import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";

const page = new URL("../../../src/subpixel/serve/page/files/", import.meta.url);
const load = (name) => import(new URL(name, page).href);
const { readPng } = await load("png_reader.js");
const { PngWriter } = await load("png_writer.js");
const { readJpeg, exifOf, iccOf } = await load("jpeg_segments.js");
const { JpegWriter } = await load("jpeg_writer.js");
const { isTurned } = await load("exif.js");
const { readWebp, withMetadata } = await load("webp_chunks.js");

const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
const bytesOf = (samples) => new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);

async function collect(picture) {
  const chunks = [];
  for await (const rows of picture.rows()) chunks.push(Buffer.from(bytesOf(rows)));
  return Buffer.concat(chunks);
}

async function save(writer, samples, rows, file) {
  for (let at = 0; at < samples.length; at += rows) await writer.write(samples.slice(at, at + rows));
  const blob = await writer.finish();
  writeFileSync(file, Buffer.from(await blob.arrayBuffer()));
}

const steps = {
  async readPng({ file }) {
    const { width, height, channels, depth, rows, losses, chunks } = readPng(new Uint8Array(readFileSync(file)));
    const pixels = await collect({ rows });
    return { width, height, channels, depth, losses, chunks: chunks.map(([type]) => type), sha256: sha256(pixels) };
  },
  /** Read a PNG and write it again, so many samples at a time. */
  async copyPng({ file, target, rows }) {
    const picture = readPng(new Uint8Array(readFileSync(file)));
    const bytes = await collect(picture);
    const samples = picture.depth === 16 ? new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2) : bytes;
    const { width, height, channels, depth, chunks } = picture;
    const writer = new PngWriter({ width, height, channels, depth, chunks });
    await save(writer, samples, rows * width * channels, target);
    return {};
  },
  async writeJpeg({ raw, width, height, channels, quality, from, target }) {
    const segments = from ? readJpeg(new Uint8Array(readFileSync(from))).carried : [];
    const writer = new JpegWriter({ width, height, channels, quality, segments });
    await save(writer, new Uint8Array(readFileSync(raw)), 13 * width * channels, target);
    return {};
  },
  async readJpeg({ file, bare }) {
    const picture = readJpeg(new Uint8Array(readFileSync(file)));
    writeFileSync(bare, Buffer.concat(picture.bare));
    const { width, height, components, losses, carried } = picture;
    const [icc, exif] = [iccOf(carried), exifOf(carried)];
    return { width, height, components, losses, icc: icc && sha256(icc), exif: exif && sha256(exif) };
  },
  async isTurned({ block }) {
    return { turned: isTurned(block && Buffer.from(block, "base64")) };
  },
  async readWebp({ file, bare }) {
    const { hasAlpha, lossless, carried, bare: parts } = readWebp(new Uint8Array(readFileSync(file)));
    writeFileSync(bare, Buffer.concat(parts));
    return { hasAlpha, lossless, carried: [...carried.keys()] };
  },
  async dressWebp({ plain, from, width, height, target }) {
    const { carried, hasAlpha } = readWebp(new Uint8Array(readFileSync(from)));
    const bytes = withMetadata(new Uint8Array(readFileSync(plain)), carried, { width, height }, hasAlpha);
    writeFileSync(target, bytes);
    return {};
  },
};

const plan = JSON.parse(readFileSync(0, "utf-8"));
const answers = [];
for (const step of plan) {
  answers.push(await steps[step.do](step).catch((error) => ({ error: error.message, kind: error.name })));
}
process.stdout.write(JSON.stringify(answers));
