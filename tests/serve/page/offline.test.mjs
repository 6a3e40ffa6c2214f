/** What the page says of its use offline, and what it asks its service worker for: node --test. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { runInNewContext } from "node:vm";

import { describeKept, keepOffline } from "../../../src/subpixel/serve/page/app/offline.js";

const NETWORKS = [2, 3, 4].flatMap((scale) => ["a", "b"].map((name) => ({ scale, file: `${name}-x${scale}.onnx` })));
const without = (...files) => files.map((file) => `networks/${file}.onnx`);

for (const [missing, hasGpu, words] of [
  [without("b-x2", "a-x3", "b-x3", "b-x4"), false, ""],
  [without("a-x3", "b-x4"), false, "Works offline at 2×."],
  [without("b-x3"), true, "Works offline at 2× and 4×."],
  [[], false, "Works offline."],
  [[], true, "Works offline."],
  [["vendor/ort.webgpu.min.mjs"], false, "Works offline."],
  [["vendor/ort.webgpu.min.mjs"], true, "Works offline; on the graphics card once it was used."],
]) {
  test(`without ${missing.join(", ") || "nothing"}: ${words || "no promise"}`, () => {
    assert.equal(describeKept(NETWORKS, missing, hasGpu), words);
  });
}

/** What stands for navigator.serviceWorker, and what its worker was asked. */
function fakeContainer() {
  const container = new EventTarget();
  const asked = [];
  const ready = Promise.resolve({ active: { postMessage: (message) => asked.push(message) } });
  return { asked, container: Object.assign(container, { ready, register: async () => {} }) };
}

for (const fetches of [true, false]) {
  test(`the worker is asked to keep, and to fetch: ${fetches}`, async () => {
    const { asked, container } = fakeContainer();
    const said = [];
    await keepOffline(container, NETWORKS, { fetches, hasGpu: false }, (text) => said.push(text));
    container.dispatchEvent(Object.assign(new Event("message"), { data: { kind: "kept", missing: [] } }));
    assert.deepEqual(asked, [{ kind: "keep", fetches }]);
    assert.deepEqual(said, ["Works offline."]);
  });
}

const WORKER = readFileSync(new URL("../../../src/subpixel/serve/page/service_worker.js", import.meta.url), "utf-8");

/** The service worker over a cache that holds `kept`, without a network from the file `lost` on. */
function startWorker(kept, lost) {
  const listeners = {};
  const told = [];
  const cache = {
    match: async (file) => kept.includes(file),
    async add({ url }) {
      if (url === lost) throw new TypeError("Failed to fetch");
      kept.push(url);
    },
  };
  const page = { postMessage: ({ missing }) => told.push([...missing].join()) };
  const self = {
    RELEASE: { version: "1", policy: "", files: ["first"], later: ["one", "two", "three"], asked: ["card"] },
    addEventListener: (name, listener) => (listeners[name] = listener),
    clients: { matchAll: async () => [page] },
  };
  const Request = class {
    constructor(url) {
      this.url = url;
    }
  };
  runInNewContext(WORKER, { self, Request, importScripts() {}, caches: { open: async () => cache } });
  const keep = (fetches) =>
    new Promise((resolve) => listeners.message({ data: { kind: "keep", fetches }, waitUntil: resolve }));
  return { keep, told };
}

test("networks are kept one after the other, and it is told what is missing", async () => {
  const kept = ["first", "two"];
  const { keep, told } = startWorker(kept);
  await Promise.all([keep(true), keep(true)]);
  assert.deepEqual(kept, ["first", "two", "one", "three"]);
  assert.equal(told[0], "one,three,card");
  assert.equal(told.at(-1), "card");
});

test("where data is saved nothing is fetched", async () => {
  const kept = ["first"];
  const { keep, told } = startWorker(kept);
  await keep(false);
  assert.deepEqual([kept, told], [["first"], ["one,two,three,card"]]);
});

test("without a connection it ends, and the next visit goes on", async () => {
  const kept = ["first"];
  const { keep, told } = startWorker(kept, "two");
  await keep(true);
  assert.deepEqual([kept, told.at(-1)], [["first", "one"], "two,three,card"]);
});
