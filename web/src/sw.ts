// The service worker: it has the page be there when the server is not. Data are nothing to it.
const build = "VERSION";
const cache = "taskwire-" + build;
const assets = "/assets/" + build + "/";
const shell = ["/", assets + "app.css", assets + "icon.svg"];
const patience = 2_000; // ms that the server has to answer before the page is the one that was kept

// What TypeScript's library for pages does not have of a worker.
interface Extendable extends Event {
  waitUntil(p: Promise<unknown>): void;
}
interface Fetching extends Extendable {
  request: Request;
  respondWith(r: Promise<Response>): void;
}
interface Worker {
  location: Location;
  addEventListener(kind: "install" | "activate", f: (e: Extendable) => void): void;
  addEventListener(kind: "fetch", f: (e: Fetching) => void): void;
}
const sw = self as unknown as Worker;

const found = async (address: string): Promise<Response | undefined> => (await caches.open(cache)).match(address, { ignoreSearch: true, ignoreVary: true });

// install keeps the page: all of it, and of one build, or nothing. The browser has most of it
// already.
async function install(): Promise<void> {
  const into = await caches.open(cache);
  await into.addAll(shell);
  const html = await (await into.match("/"))!.text(); // in the browser's language
  const scripts = html.match(new RegExp(assets + '[^"]+js', "g"));
  if (scripts) return into.addAll(scripts);
  await caches.delete(cache);
  throw new Error("the server has another page by now");
}

// A worker does not push the one before aside: it begins when that has no page open any more.
async function forget(): Promise<void> {
  for (const key of await caches.keys()) if (key.startsWith("taskwire-") && key !== cache) await caches.delete(key);
}

// page is the one of the server, or, where it does not answer soon or only that it can not,
// the one that was kept.
async function page(request: Request): Promise<Response> {
  const asked = fetch(request);
  const late = new Promise<undefined>((r) => setTimeout(r, patience));
  const res = await Promise.race([asked, late]).catch(() => undefined);
  if (res && res.status < 500) return res;
  return (await found("/")) ?? asked;
}

sw.addEventListener("install", (e) => e.waitUntil(install()));
sw.addEventListener("activate", (e) => e.waitUntil(forget()));
sw.addEventListener("fetch", (e) => {
  const at = new URL(e.request.url);
  if (e.request.method !== "GET" || at.origin !== sw.location.origin) return;
  if (e.request.mode === "navigate" && at.pathname === "/") e.respondWith(page(e.request));
  else if (at.pathname.startsWith(assets)) e.respondWith(found(at.pathname).then((res) => res ?? fetch(e.request)));
});
