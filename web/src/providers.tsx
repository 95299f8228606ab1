// Providers where people sign in besides: the browser goes there, and comes back.
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { Failure, refusal, request } from "./api";
import type { Problem, Provider, ProviderList } from "./schema";
import { t } from "./texts";

// providers are those that the operator has set up: undefined until they were read.
export const providers = signal<Provider[] | undefined>(undefined);

export function useProviders(): Provider[] {
  useEffect(() => {
    if (providers.peek()) return;
    request<ProviderList>("GET", "/api/auth/oidc").then(
      (a) => (providers.value = a.data.items),
      () => {}, // there are other ways in
    );
  }, []);
  return providers.value ?? [];
}

const placeBefore = "taskwire.before";

// leaveFor goes to a provider, where the server lets us. Its refusal is thrown as a Failure:
// who went there at once would have a document for programs before him.
export async function leaveFor(url: string): Promise<void> {
  let res: Response;
  try {
    res = await fetch(url, { redirect: "manual", credentials: "same-origin" });
  } catch {
    throw new Failure(0, null);
  }
  if (res.type !== "opaqueredirect") throw await refusal(res.status, (await res.json().catch(() => null)) as Problem | null);
  try {
    sessionStorage.setItem(placeBefore, location.hash);
  } catch {
    // the browser keeps nothing: it comes back to the first view
  }
  location.assign(url);
}

// cameBackWith is the code of the problem that the browser came back with.
const cameBackWith = signal("");

// comeBack goes on where the browser was when it left for a provider.
export function comeBack(): void {
  const [, code] = /^#\/problems\/([a-z-]+)$/.exec(location.hash) ?? [];
  if (code) cameBackWith.value = code;
  else if (location.hash !== "") return;
  try {
    const before = sessionStorage.getItem(placeBefore);
    sessionStorage.removeItem(placeBefore);
    if (before || code) location.replace(before || "#/today");
  } catch {
    // it was not kept
  }
}

// CameBack says why nobody came in by a provider.
export function CameBack() {
  useEffect(() => () => void (cameBackWith.value = ""), []);
  const code = cameBackWith.value;
  return (
    code !== "" && (
      <p class="wrong" role="alert">
        {t.cameBack[code] ?? t.failed}
      </p>
    )
  );
}
