// Whether the server has another page than this one by now, and the service worker that has
// this one be there without a server.
import { signal } from "@preact/signals";

// build names what this page is made of: the folder that it came from.
export const build = import.meta.url.split("/").at(-2)!;

// newPage is whether the server has another page.
export const newPage = signal(false);

const worker = "/sw.js";

// A browser takes no text for the address of a worker, but what a policy of the page has made.
interface Policies {
  createPolicy(name: string, rules: { createScriptURL: () => string }): { createScriptURL(text: string): string };
}
const policies = (window as { trustedTypes?: Policies }).trustedTypes;

let registration: ServiceWorkerRegistration | undefined;

// install has the browser keep the page, where it can: it has to be safe that the page comes
// from the server.
async function install(): Promise<void> {
  const address = policies ? policies.createPolicy("taskwire", { createScriptURL: () => worker }).createScriptURL("") : worker;
  registration = await navigator.serviceWorker.register(address, { updateViaCache: "none" });
}

// lookForNew looks what page the server has.
export async function lookForNew(): Promise<void> {
  try {
    const res = await fetch(worker, { cache: "no-cache" });
    const found = res.ok && /[0-9a-f]{16}/.exec(await res.text())?.[0];
    if (found) newPage.value = found !== build;
    await registration?.update();
  } catch {
    // the server is away: later
  }
}

if ("serviceWorker" in navigator) addEventListener("load", () => void install().catch(() => {})); // without one the page needs the server
setInterval(() => !document.hidden && void lookForNew(), 3_600_000);
