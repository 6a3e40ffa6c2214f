/** Damaged files end in a picture, or in a message for people: node --test. */

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

const page = new URL("../../../src/subpixel/serve/page/files/", import.meta.url);
const load = (name) => import(new URL(name, page).href);
const { isPng, readPng } = await load("png_reader.js");
const { isJpeg, readJpeg, exifOf, iccOf } = await load("jpeg_segments.js");
const { isWebp, readWebp } = await load("webp_chunks.js");
const { readVp8Quantizer } = await load("vp8_frame.js");
const { nameBoxes, readAv1Head } = await load("avif_items.js");
const { readAv1Quantizer } = await load("av1_stream.js");
const { JpegWriter } = await load("jpeg_writer.js");

const folder = process.env.DAMAGE_FOLDER;
const MUTATIONS = Number(process.env.DAMAGE_MUTATIONS);
const MAX_PIXELS = 1 << 20;

async function read(bytes) {
  if (isPng(bytes)) {
    const picture = readPng(bytes);
    if (picture.width * picture.height > MAX_PIXELS) return; // a header that promises too much
    for await (const rows of picture.rows()) assert.ok(rows.length);
  } else if (isJpeg(bytes)) {
    const { carried } = readJpeg(bytes);
    iccOf(carried);
    exifOf(carried);
    await new JpegWriter({ width: 8, height: 8, channels: 3, segments: carried }).finish();
  } else if (isWebp(bytes)) {
    expectIndex(readVp8Quantizer(bytes), 127);
    readWebp(bytes);
  } else if (nameBoxes(bytes) === "avif") {
    const head = readAv1Head(bytes);
    expectIndex(head && readAv1Quantizer(head), 255);
  }
}

/** A quantiser's index, or null. */
function expectIndex(value, most) {
  assert.ok(value === null || (value >= 0 && value <= most), String(value));
}

for (const name of readdirSync(folder)) {
  test(`${name}, cut anywhere and changed anywhere`, async () => {
    const whole = new Uint8Array(readFileSync(`${folder}/${name}`));
    let state = 12345;
    const random = (most) => (state = (Math.imul(state, 1103515245) + 12345) >>> 0) % most;
    for (let i = 0; i < MUTATIONS; i++) {
      let bytes = whole.slice();
      for (let change = random(4); change >= 0; change--) {
        const at = random(3) ? random(bytes.length) : random(Math.min(bytes.length, 200));
        bytes[at] = [0, 255, random(256), bytes[at] ^ (1 << random(8))][random(4)];
      }
      if (random(3) === 0) bytes = bytes.slice(0, random(bytes.length));
      try {
        await read(bytes);
      } catch (error) {
        assert.equal(error.name, "PictureError", `mutation ${i}: ${error.stack}`);
      }
    }
  });
}
