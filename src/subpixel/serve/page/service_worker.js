/**
 * The page without a network connection: what the first visit needs is kept, then the other networks
 * in the background, and the rest when it is asked for. Also gives the page headers that a server of
 * files doesn't.
 */

importScripts("release.js");

const { version, files, later, asked } = self.RELEASE;
const CACHE = `subpixel-${version}`;
/** With these a browser gives the page threads, and keeps it, its worker too, from sending anything
 * elsewhere. */
const HEADERS = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Content-Security-Policy": self.RELEASE.policy,
};

self.addEventListener("install", (event) => {
  const fill = async () => {
    const cache = await caches.open(CACHE);
    await cache.addAll(["./", ...files].map((file) => new Request(file, { cache: "reload" })));
    await self.skipWaiting();
  };
  event.waitUntil(fill());
});

self.addEventListener("activate", (event) => {
  const tidy = async () => {
    const names = (await caches.keys()).filter((name) => name.startsWith("subpixel-") && name !== CACHE);
    await Promise.all(names.map((name) => caches.delete(name)));
    await self.clients.claim();
  };
  event.waitUntil(tidy());
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin) return;
  if (!url.pathname.startsWith(new URL("./", self.location).pathname)) return;
  event.respondWith(answer(request));
});

/** The page asks what is kept, { kind: "keep", fetches }, and whether the rest is to be fetched. */
self.addEventListener("message", (event) => {
  if (event.data?.kind === "keep") event.waitUntil(keepLater(event.data.fetches));
});

/** One tab's wish after the other's. */
let latest = Promise.resolve();

async function keepLater(fetches) {
  const cache = await caches.open(CACHE);
  await tellMissing(cache);
  if (fetches) latest = latest.then(() => fetchLater(cache));
  await latest;
}

/** One network after the other; without a connection the next visit goes on. */
async function fetchLater(cache) {
  for (const file of later) {
    if (await cache.match(file)) continue;
    const kept = await cache.add(new Request(file, { cache: "reload", priority: "low" })).then(() => true, () => false);
    if (!kept) return;
    await tellMissing(cache);
  }
}

/** Tell the page which networks and runtimes are not kept. */
async function tellMissing(cache) {
  const missing = [];
  for (const file of [...later, ...asked]) if (!(await cache.match(file))) missing.push(file);
  const pages = await self.clients.matchAll({ includeUncontrolled: true });
  pages.forEach((page) => page.postMessage({ kind: "kept", missing }));
}

async function answer(request) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(request, { ignoreSearch: true });
  if (kept) return isolate(kept);
  const response = await fetch(request);
  if (response.status === 200 && isOwn(request.url)) await cache.put(request, response.clone());
  return isolate(response);
}

/** Networks and runtimes that are not kept from the first visit on. */
const isOwn = (url) => /\/(vendor|networks)\/[^/]+$/.test(new URL(url).pathname);

function isolate(response) {
  if (response.status === 0) return response;
  const headers = new Headers(response.headers);
  Object.entries(HEADERS).forEach(([name, value]) => headers.set(name, value));
  const { status, statusText } = response;
  return new Response(response.body, { status, statusText, headers });
}
