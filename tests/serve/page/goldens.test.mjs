/** The page's arithmetic against what Python says: node --test. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { SURVEY_ROWS, Survey, limitAlpha } from "../../../src/subpixel/serve/page/work/alpha.js";
import { bytes } from "../../../src/subpixel/serve/page/app/words.js";
import { openPicture } from "../../../src/subpixel/serve/page/files/open_picture.js";
import { chooseNetwork, fitQuality, judgeFile } from "../../../src/subpixel/serve/page/work/choice.js";
import { planPicture, sourceRows } from "../../../src/subpixel/serve/page/work/tile_plan.js";

const goldens = JSON.parse(readFileSync(new URL("goldens.json", import.meta.url), "utf-8"));
const compressed = JSON.parse(readFileSync(new URL("compressed.json", import.meta.url), "utf-8"));
const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

test(`${goldens.plans.length} pictures are cut as Python cuts them`, () => {
  for (const { facts, size, asked, plan } of goldens.plans) {
    const ours = planPicture(facts, ...size, asked);
    const shape = [[ours.paddedHeight, ours.paddedWidth], summary(ours.rows), summary(ours.columns)];
    assert.deepEqual(shape, plan, JSON.stringify({ facts, size, asked }));
  }
});

function summary(spans) {
  const numbers = spans.map((span) => [span.start, span.stop, span.keepStart, span.keepStop]);
  const weights = numbers.reduce((sum, span, i) => sum + i * span.reduce((a, b) => a + b), 0);
  return [numbers.length, numbers.slice(0, 2), numbers.slice(-2), weights];
}

test("what is padded shows the same rows", () => {
  for (const { length, padding, rows } of goldens.rows) {
    assert.deepEqual(sourceRows(0, 3 * length, length, padding), rows);
  }
});

test("hidden colours are replaced with the same ones", () => {
  for (const { height, width, channels, samples, painted } of goldens.alpha) {
    const picture = withHole(height, width, channels);
    assert.equal(sha256(picture), samples, "the picture is the one that Python had");
    const survey = new Survey(height, width, 255);
    const bands = [];
    for (let top = 0; top < height; top += SURVEY_ROWS) {
      const band = picture.slice(top * width * channels, (top + SURVEY_ROWS) * width * channels);
      bands.push(band);
      survey.add(band, width, channels);
    }
    const painter = survey.painter();
    const result = Buffer.concat(bands.map((band) => painter(band, width, channels)));
    assert.equal(sha256(result), painted);
  }
});

test("enlarged alpha keeps within its neighbourhood", () => {
  const { height, width, scale, limited } = goldens.limits;
  const alpha = noise(height, width, 1);
  const larger = noise(height * scale, width * scale, 1);
  assert.deepEqual([...limitAlpha(larger, alpha, height, width)], limited);
});

test("a JPEG's table has the same quality and asks for the same strength", () => {
  for (const { judged, table, other } of goldens.jpeg) {
    assert.deepEqual(judge("jpeg", { lumaTable: table[0] }), judged);
    for (const [steps, fit] of [table, other]) assert.equal(fitQuality(steps), fit);
  }
});

test("every quantiser of WebP and AVIF asks for the same strength", () => {
  goldens.choices.webp.forEach((judged, i) => assert.deepEqual(judge("webp", { quantizer: i / 4 }), judged));
  goldens.choices.avif.forEach((judged, i) => assert.deepEqual(judge("avif", { quantizer: i + 1 }), judged));
});

for (const [name, judged] of Object.entries(goldens.choices.files)) {
  test(`${name} says the same of its compression, and goes through the same network`, async () => {
    const picture = await openUndecoded(compressed[name]);
    assert.deepEqual(judge(picture.format, picture.metadata), judged);
    const family = [0, 0.25, 0.5, 0.75, 1].map((strength) => ({ strength, facts: strength }));
    assert.equal(chooseNetwork(picture, { family, deep: null }).facts, judged[0]);
  });
}

test("what is opaque has no alpha, and what may not be has", async () => {
  const channels = {};
  for (const name of ["plain.gif", "clear.gif", "fine.avif", "alpha.avif", "moving.avif"]) {
    channels[name] = (await openUndecoded(compressed[name])).channels;
  }
  assert.deepEqual(channels, { "plain.gif": 3, "clear.gif": 4, "fine.avif": 3, "alpha.avif": 4, "moving.avif": 4 });
});

for (const [head, words] of [
  ["\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"],
  ["\0\0\0\x18ftypmif1\0\0\0\0mif1heix", "HEIC"],
  ["II*\0\x08\0\0\0", "TIFF"],
  ["MM\0*\0\0\0\x08", "TIFF"],
  ["\xff\n\0\0\0\0\0\0", "JPEG XL"],
  ["\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"],
]) {
  test(`${words} that a browser can't read is named by its bytes: ${JSON.stringify(head)}`, async () => {
    const open = openUndecoded(Buffer.from(head, "latin1").toString("base64"), async () => {
      throw new Error("InvalidStateError");
    });
    await assert.rejects(open, (error) => error.message.includes(`subpixel on the command line reads ${words}`));
  });
}

test("counts of bytes read as people say them", () => {
  assert.deepEqual([0, 1, 999, 1000, 1e6, 34e6].map(bytes), ["0 bytes", "1 byte", "999 bytes", "1 kB", "1.0 MB", "34 MB"]);
});

function judge(format, metadata) {
  const { strength, reason } = judgeFile({ format, metadata });
  return [strength, reason];
}

/** As the page opens it, but for the pixels, for which Node has no decoder. */
async function openUndecoded(content, decode = async () => ({ width: 1, height: 1, close() {} })) {
  globalThis.createImageBitmap = decode;
  globalThis.OffscreenCanvas = class {
    getContext() {
      return null; // no WebGL either
    }
  };
  return openPicture(new Blob([Buffer.from(content, "base64")]));
}

function noise(height, width, channels) {
  const result = new Uint8Array(height * width * channels);
  let i = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < channels; c++) {
        result[i++] = Math.imul(x * 7919 + y * 104729 + c * 1299709, 2654435761) >>> 24;
      }
    }
  }
  return result;
}

function withHole(height, width, channels) {
  const picture = noise(height, width, channels);
  for (let y = 0, i = channels - 1; y < height; y++) {
    for (let x = 0; x < width; x++, i += channels) {
      const hole = (y - Math.floor(height / 2)) ** 2 + (x - Math.floor(width / 2)) ** 2;
      const value = Math.floor((hole - Math.floor((height * width) / 40)) / 4);
      picture[i] = Math.min(Math.max(value, 0), 255);
    }
  }
  return picture;
}
