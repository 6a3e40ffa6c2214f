/** The worker: takes files, one after the other, and answers with larger ones. */

import { PictureError } from "../files/bytes.js";
import { openPicture } from "../files/open_picture.js";
import { SUFFIXES, makeWriter } from "../files/write_picture.js";
import { enlargeRows } from "./bands.js";
import { chooseNetwork } from "./choice.js";
import { Network, countThreads } from "./network.js";
import { PreviewMaker, previewSize } from "./preview.js";
import { planPicture } from "./tile_plan.js";

/** Side of a tile: smaller than Python's, so that progress is seen, and smaller still in little memory. */
const TILE = (navigator.deviceMemory ?? 8) > 4 ? 384 : 256;
const GPU_TILE = 256;

let open = { key: "", network: null };
let running = null;

onmessage = async ({ data }) => {
  if (data.kind === "cancel") {
    if (running?.id === data.id) running.controller.abort();
    return;
  }
  running = { id: data.id, controller: new AbortController() };
  try {
    postMessage({ kind: "done", id: data.id, ...(await enlarge(data, running.controller.signal)) });
  } catch (error) {
    await dropNetwork(error);
    postMessage({ kind: "failed", id: data.id, cancelled: error.name === "AbortError", message: explain(error) });
  } finally {
    running = null;
  }
};

/** An order is { id, file, choices: { chosen, family, deep }, device, format, tile }: choices as
 * chooseNetwork takes them, `tile` the side of a tile or undefined. */
async function enlarge({ id, file, choices, device, format, tile }, signal) {
  const say = (stage) => postMessage({ kind: "stage", id, stage });
  say("reading");
  let picture = await openPicture(file);
  try {
    const { facts, reason } = chooseNetwork(picture, choices);
    if (picture.depth === 16 && facts.samples === "uint8") picture = to8Bits(picture);
    signal.throwIfAborted();
    const network = await openNetwork(facts, facts.samples === "uint8" ? "wasm" : device, say);
    return { reason, ...(await run(id, picture, network, format, tile, signal)) };
  } finally {
    picture.close();
  }
}

async function run(id, picture, network, format, tile, signal) {
  const { scale } = network.facts;
  const size = { width: picture.width * scale, height: picture.height * scale };
  const extraChannels = picture.channels % 2 === 0 ? 1 : 0;
  const side = tile ?? (network.device === "webgpu" ? GPU_TILE : TILE);
  const plan = planPicture(network.facts, picture.height, picture.width, { extraChannels, tile: side });
  const { writer, format: written, losses } = await makeWriter(picture, size, format);
  const preview = await makePreview(picture, size, written);
  const report = (done, total) => postMessage({ kind: "progress", id, done, total });
  report(0, plan.rows.length * plan.columns.length);
  const runColours = (samples, height, width) => network.run(samples, height, width);
  for await (const rows of enlargeRows(picture, plan, scale, runColours, { report, signal })) {
    await preview?.add(rows);
    await writer.write(rows);
  }
  postMessage({ kind: "stage", id, stage: "writing" });
  return {
    blob: await writer.finish(),
    preview: preview ? await preview.finish() : null,
    suffix: SUFFIXES[written],
    from: upright(picture, picture.turned),
    size: upright(size, picture.turned),
    network: network.facts.name,
    device: network.device,
    threads: network.device === "wasm" ? countThreads() : 1,
    losses: [...picture.losses, ...losses],
  };
}

/** The size as it is seen. */
function upright({ width, height }, turned) {
  return turned ? { width: height, height: width } : { width, height };
}

/** A smaller copy of a large picture, with its profile and its orientation, or null. */
async function makePreview(picture, size, format) {
  const smaller = previewSize(size);
  if (!smaller) return null;
  const { writer } = await makeWriter(picture, smaller, format);
  return new PreviewMaker({ width: size.width, channels: picture.channels }, smaller, writer);
}

function to8Bits(picture) {
  async function* rows() {
    for await (const chunk of picture.rows()) yield Uint8Array.from(chunk, (value) => Math.round(value / 257));
  }
  const losses = [...picture.losses, "The network computes with 8 of the 16 bits."];
  return { ...picture, depth: 8, rows, losses };
}

async function openNetwork(facts, device, say) {
  const key = `${facts.file} ${device}`;
  if (open.key !== key) {
    say("loading");
    await open.network?.close();
    open = { key: "", network: null };
    open = { key, network: await Network.open(facts, device) };
  }
  return open.network;
}

/** After an error the session may be of no use any more; a cancelled run leaves it as it was. */
async function dropNetwork(error) {
  if (error.name === "AbortError" || error instanceof PictureError) return;
  const { network } = open;
  open = { key: "", network: null };
  await network?.close().catch(() => {});
}

function explain(error) {
  if (error instanceof PictureError) return error.message;
  const text = String(error?.message ?? error);
  if (error instanceof RangeError || /memory|allocation|bad_alloc/i.test(text)) {
    return `There is not enough memory for this picture here (${text}). Close other tabs, or choose a smaller factor.`;
  }
  return text;
}
