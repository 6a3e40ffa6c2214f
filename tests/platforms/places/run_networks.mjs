// Runs networks by onnxruntime-node, or by onnxruntime-web without a browser: see run_networks.py.
//     node run_networks.mjs RUNTIME JOBS.json     RUNTIME: the module's path or URL
import { readFileSync, writeFileSync } from "node:fs";

const [runtime, jobs] = process.argv.slice(2);
const loaded = await import(runtime);
const ort = loaded.InferenceSession ? loaded : loaded.default;
if (ort.env?.wasm) ort.env.wasm.numThreads = 1;

function readTensor({ file, type, shape }) {
  const bytes = readFileSync(file);
  const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
  return new ort.Tensor(type, type === "uint8" ? new Uint8Array(buffer) : new Float32Array(buffer), shape);
}

for (const job of JSON.parse(readFileSync(jobs, "utf8"))) {
  const session = await ort.InferenceSession.create(new Uint8Array(readFileSync(job.file)));
  const feeds = Object.fromEntries(Object.entries(job.inputs).map(([name, each]) => [name, readTensor(each)]));
  const results = await session.run(feeds);
  const { data } = results[session.outputNames[0]];
  writeFileSync(job.output, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  await session.release();
}
