/** A network file opened by onnxruntime-web, on the processor or on the graphics card. */

import { fromPlanes, toPlanes } from "./samples.js";

/** The runtime's files, by what computes. */
const RUNTIMES = {
  wasm: ["ort.wasm.min.mjs", "ort-wasm-simd-threaded"],
  webgpu: ["ort.webgpu.min.mjs", "ort-wasm-simd-threaded.asyncify"],
};
const MAX_THREADS = 8;
const VENDOR = new URL("../vendor/", import.meta.url);
const runtimes = new Map();

/** How many threads there are for a network; one where the page isn't isolated from others. */
export function countThreads() {
  return globalThis.crossOriginIsolated ? Math.min(navigator.hardwareConcurrency || 1, MAX_THREADS) : 1;
}

async function loadRuntime(device) {
  const [module, core] = RUNTIMES[device];
  const ort = await import(new URL(module, VENDOR).href);
  ort.env.wasm.numThreads = countThreads();
  ort.env.wasm.wasmPaths = {
    mjs: new URL(`${core}.mjs`, VENDOR).href,
    wasm: new URL(`${core}.wasm`, VENDOR).href,
  };
  return ort;
}

export class Network {
  /** `facts` is a row of networks.json; `device` "wasm" or "webgpu", which is for float32 alone. */
  static async open(facts, device) {
    if (!runtimes.has(device)) runtimes.set(device, loadRuntime(device));
    const ort = await runtimes.get(device);
    const response = await fetch(new URL(`../networks/${facts.file}`, import.meta.url)).catch(() => null);
    if (!response?.ok) throw new Error(`The network ${facts.file} can't be fetched: is there a connection?`);
    return new Network(ort, facts, device, new Uint8Array(await response.arrayBuffer()));
  }

  constructor(ort, facts, device, content) {
    Object.assign(this, { ort, facts, device, content, session: null, shape: "" });
  }

  /** An interleaved tile of three channels, enlarged; 8-bit networks take and give uint8. */
  async run(tile, height, width) {
    const session = await this.sessionFor(height, width);
    const codes = this.facts.samples === "uint8";
    const input = codes
      ? new this.ort.Tensor("uint8", tile, [1, height, width, 3])
      : new this.ort.Tensor("float32", toPlanes(tile), [1, 3, height, width]);
    const results = await session.run({ [session.inputNames[0]]: input });
    const output = results[session.outputNames[0]];
    const data = await output.getData();
    const samples = codes ? data.slice() : fromPlanes(data, tile.constructor);
    input.dispose();
    output.dispose();
    return samples;
  }

  /** On the graphics card one session for each shape of tile: its buffers are made for that. */
  async sessionFor(height, width) {
    const shape = this.device === "webgpu" ? `${height} ${width}` : "any";
    if (this.shape === shape) return this.session;
    await this.close();
    const options = { executionProviders: [this.device] };
    this.session = await this.ort.InferenceSession.create(this.content, options).catch((error) => {
      const advice = this.device === "webgpu" ? " Choose another way to compute." : "";
      throw new Error(`The network can't be opened here: ${error.message}.${advice}`);
    });
    this.shape = shape;
    return this.session;
  }

  async close() {
    await this.session?.release();
    [this.session, this.shape] = [null, ""];
  }
}
