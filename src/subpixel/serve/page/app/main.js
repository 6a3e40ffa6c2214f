/** The page: photos come in, go to the engine one by one, and are shown. */

import { Engine } from "./engine.js";
import { keepOffline } from "./offline.js";
import { Settings } from "./settings.js";
import { Viewer } from "./viewer.js";
import { bytes, duration, pixels } from "./words.js";

const at = (id) => document.getElementById(id);
const STAGES = { reading: "Reading the photo…", loading: "Loading the network…", writing: "Writing the file…" };
const QUARTER = 0.25;
const TITLE = document.title;

const pictures = [];
let selected = null;
let settings = null;
const viewer = new Viewer(at("viewer"), at("zoom"), at("level"));
const engine = new Engine(hear);

async function start() {
  const response = await fetch("networks.json");
  const [networks, hasCard] = [await response.json(), await hasGpu()];
  settings = new Settings(networks, at("settings"), hasCard);
  at("hint").textContent = settings.hint;
  at("settings").addEventListener("change", () => {
    at("hint").textContent = settings.hint;
    draw();
  });
  listen();
  if ("serviceWorker" in navigator) whenIdle(() => keep(networks, hasCard));
  document.body.dataset.ready = "true";
}

const whenIdle = (work) => (window.requestIdleCallback ? requestIdleCallback(work, { timeout: 2000 }) : setTimeout(work, 200));

function keep(networks, hasGpu) {
  const say = (text) => (at("offline").textContent = text);
  const fetches = !navigator.connection?.saveData;
  keepOffline(navigator.serviceWorker, networks, { fetches, hasGpu }, say).catch(() => {
    say("This browser doesn't keep the page for offline use here.");
  });
}

async function hasGpu() {
  try {
    return Boolean(await navigator.gpu?.requestAdapter());
  } catch {
    return false;
  }
}

function listen() {
  at("choose").addEventListener("click", (event) => {
    event.stopPropagation();
    at("files").click();
  });
  at("drop").addEventListener("click", (event) => {
    if (event.target.id !== "files") at("files").click();
  });
  at("files").addEventListener("change", (event) => {
    add(event.target.files);
    event.target.value = "";
  });
  addEventListener("paste", (event) => take(event.clipboardData));
  addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.toggle("dragging", event.dataTransfer.types.includes("Files"));
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) document.body.classList.remove("dragging");
  });
  addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dragging");
    take(event.dataTransfer);
  });
  at("cancel").addEventListener("click", () => cancel(selected));
  at("again").addEventListener("click", () => pictures.filter(isOpen).forEach(order));
  at("download-all").addEventListener("click", downloadAll);
}

/** What is dropped or pasted: files, or what can't be one. */
function take(data) {
  const files = data?.files ?? [];
  if (!files.length && data?.types.length) tell("Only picture files are taken, no links and no text. Save the picture, and choose its file.");
  add(files);
}

function tell(text) {
  at("notice").textContent = text;
  at("notice").hidden = !text;
}

function add(files) {
  const fresh = [...files].map((file) => ({ id: crypto.randomUUID?.() ?? String(Math.random()), file }));
  if (!fresh.length) return;
  tell("");
  pictures.push(...fresh);
  fresh.forEach((picture) => addThumb(picture));
  select(fresh[0]);
  fresh.forEach(order);
  at("stage").scrollIntoView?.({ block: "nearest" });
}

function order(picture) {
  const { order, key } = settings;
  const fresh = { state: "waiting", cancelling: false, result: null, message: "", done: 0, total: 0, spoken: 0 };
  Object.assign(picture, { order, key, ...fresh });
  engine.add(picture);
  withFocus(() => {
    draw();
    if (picture === selected) show();
  });
}

/** Whether a picture can be ordered: with other settings, or again where nothing came of it. */
function isOpen({ key, state }) {
  if (state === "running" || state === "waiting") return false;
  return key !== settings.key || state === "failed" || state === "cancelled";
}

/** A running tile goes on to its end; that it is the last is said at once. */
function cancel(picture) {
  if (picture.cancelling) return;
  picture.cancelling = true;
  speak("Cancelling…");
  engine.cancel(picture);
  drawProgress(picture);
}

/** Keys go on from where something is seen: what had the focus may be hidden by a change. */
function withFocus(change) {
  const focused = document.activeElement;
  change();
  if (!focused?.closest("[hidden]")) return;
  const next = ["cancel", "download", "again", "choose"].map(at);
  next.find((element) => !element.closest("[hidden]")).focus();
}

function hear(picture, answer) {
  const tooLate = answer.kind === "done" && picture.cancelling; // it was the last tile
  const message = tooLate ? { kind: "failed", cancelled: true } : answer;
  if (message.kind === "stage") Object.assign(picture, { state: "running", stage: message.stage });
  if (message.kind === "progress") {
    const started = message.done === 0 ? performance.now() : picture.started;
    Object.assign(picture, { stage: "tiles", done: message.done, total: message.total, started });
    speakProgress(picture);
  }
  if (message.kind === "done") {
    Object.assign(picture, { state: "done", result: message });
    speak(`${picture.file.name} is ready: ${pixels(message.size)} pixels.`);
  }
  if (message.kind === "failed") {
    Object.assign(picture, { state: message.cancelled ? "cancelled" : "failed", message: message.message ?? "" });
    speak(message.cancelled ? `${picture.file.name} was cancelled.` : "");
  }
  withFocus(() => {
    drawThumb(picture);
    if (message.kind === "done" || message.kind === "failed") draw();
    if (picture === selected) (message.kind === "progress" ? drawProgress : show)(picture);
  });
}

function speak(text) {
  at("spoken").textContent = text;
}

/** Every quarter is said, and no more: a screen reader reads it all out. */
function speakProgress(picture) {
  const part = Math.floor(picture.done / picture.total / QUARTER) * QUARTER;
  if (part <= picture.spoken || part >= 1 || picture.cancelling) return;
  picture.spoken = part;
  speak(`${picture.file.name}: ${Math.round(part * 100)} percent. ${timeLeft(picture)}`);
}

function timeLeft({ done, total, started }) {
  if (!done) return "";
  const seconds = ((performance.now() - started) / 1000 / done) * (total - done);
  return done === total ? "" : `About ${duration(seconds)} left`;
}

function select(picture) {
  selected = picture;
  pictures.forEach(drawThumb);
  show();
}

/** The selected picture on the stage. */
function show() {
  const { file, state, result, message } = selected;
  document.body.dataset.state = state;
  at("stage").hidden = false;
  at("name").textContent = file.name;
  at("cancel").hidden = state !== "running" && state !== "waiting";
  at("working").hidden = at("cancel").hidden;
  at("problem").hidden = state !== "failed";
  at("problem").textContent = state === "failed" ? message : "";
  const view = `${selected.id} ${state === "done" ? selected.result.id + selected.key : "photo"}`;
  if (at("viewer").dataset.view !== view) {
    at("viewer").dataset.view = view;
    if (state === "done") viewer.showPair(file, result.preview ?? result.blob, result.size);
    else viewer.showPhoto(file, `${file.name}, as it is`);
  }
  drawResult(selected);
  drawProgress(selected);
}

function drawResult({ file, state, result }) {
  const link = at("download");
  link.hidden = state !== "done";
  at("sizes").textContent = state === "done" ? `${pixels(result.from)} → ${pixels(result.size)}` : state === "cancelled" ? "Cancelled" : bytes(file.size);
  at("facts").textContent = state === "done" ? factsOf(result) : "";
  const losses = state === "done" ? result.losses : [];
  at("losses").replaceChildren(...losses.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
  if (state !== "done") return;
  if (selected.url) URL.revokeObjectURL(selected.url);
  selected.url = URL.createObjectURL(result.blob);
  Object.assign(link, { href: selected.url, download: nameOf(selected), textContent: `Download ${bytes(result.blob.size)}` });
}

function factsOf({ network, device, threads, preview, reason }) {
  const where = device === "webgpu" ? "graphics card" : threads === 1 ? "one thread" : `${threads} threads`;
  const note = preview ? " Shown here smaller; the download has every pixel." : "";
  return `Network ${network}${reason ? ` (${reason})` : ""}, ${where}.${note}`;
}

const nameOf = ({ file, result }) => `${file.name.replace(/\.[^.]*$/, "")}_x${result.size.width / result.from.width}.${result.suffix}`;

function drawProgress(picture) {
  const bar = at("progress");
  const { state, stage, done, total, cancelling } = picture;
  at("cancel").setAttribute("aria-disabled", String(Boolean(cancelling)));
  if (cancelling) {
    bar.removeAttribute("value");
    at("left").textContent = "Cancelling…";
  } else if (state === "running" && stage === "tiles" && done > 0) {
    bar.max = total;
    bar.value = done;
    at("left").textContent = [`Tile ${Math.min(done + 1, total)} of ${total}`, timeLeft(picture)].filter(Boolean).join(" · ");
  } else {
    bar.removeAttribute("value");
    const tiles = total === 1 ? "Enlarging…" : `Tile 1 of ${total}`;
    at("left").textContent = state === "waiting" ? "Waiting for the photos before it" : STAGES[stage] ?? tiles;
  }
  document.title = state === "running" && done ? `${Math.floor((100 * done) / total)} % · subpixel` : TITLE;
}

/** What belongs to all pictures together. */
function draw() {
  at("again").hidden = !pictures.some(isOpen);
  at("shelf").hidden = pictures.length < 2;
  at("download-all").hidden = pictures.filter(({ state }) => state === "done").length < 2;
}

function addThumb(picture) {
  const button = Object.assign(document.createElement("button"), { type: "button", className: "thumb" });
  const image = Object.assign(new Image(), { src: URL.createObjectURL(picture.file), alt: "", decoding: "async" });
  image.addEventListener("error", () => image.remove());
  const mark = Object.assign(document.createElement("span"), { className: "mark" });
  button.append(image, mark);
  button.addEventListener("click", () => select(picture));
  Object.assign(picture, { button, mark });
  const item = document.createElement("li");
  item.append(button);
  at("list").append(item);
}

function drawThumb(picture) {
  const { state, done, total, button, mark, file } = picture;
  const words = { undefined: "Waiting", waiting: "Waiting", done: "Ready", failed: "Failed", cancelled: "Cancelled" };
  const text = words[state] ?? `${total ? Math.floor((100 * done) / total) : 0} %`;
  if (mark.textContent !== text) mark.textContent = text;
  button.setAttribute("aria-label", `${file.name}: ${text}`);
  button.setAttribute("aria-current", String(picture === selected));
}

async function downloadAll() {
  for (const picture of pictures.filter(({ state }) => state === "done")) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(picture.result.blob);
    link.download = nameOf(picture);
    link.click();
    await new Promise((resolve) => setTimeout(resolve, 300));
    URL.revokeObjectURL(link.href);
  }
}

start().catch((error) => {
  at("hint").textContent = `The page can't start: ${error.message}. Reload it.`;
});
