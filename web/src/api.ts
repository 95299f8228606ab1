// The API over HTTP: requests, and what goes wrong with them.
import type { Problem } from "./schema";

// Answer is what the API said to a request.
export interface Answer<T> {
  status: number;
  data: T;
  requestId: string; // names the change, to undo it
}

// Failure is a request that did not succeed: its status is 0 where no answer came.
export class Failure extends Error {
  constructor(readonly status: number, readonly problem: Problem | null) {
    super(problem?.title ?? "no answer");
  }

  // code is the last part of the problem's type, which never changes.
  get code(): string {
    const type = this.problem?.type ?? "";
    return type.slice(type.lastIndexOf("/") + 1);
  }
}

// whenSignedOut is called when the API no longer knows who asks.
let signedOut = () => {};
export function whenSignedOut(f: () => void): void {
  signedOut = f;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null; // such as the page of a proxy
  }
}

declare const LANGUAGE: "en" | "de";

// refusal is a Failure that the server has answered, in the language of the page. Where the
// words for it can not be loaded it stays in English.
export async function refusal(status: number, problem: Problem | null): Promise<Failure> {
  const failure = new Failure(status, problem);
  if (LANGUAGE === "de" && failure.code && failure.code !== "unauthenticated") await import("./german").then(({ inGerman }) => inGerman(problem!), () => {});
  return failure;
}

// request asks the API, and throws a Failure unless it succeeds.
export async function request<T>(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer<T>> {
  const init: RequestInit = { method, credentials: "same-origin", headers };
  if (body !== undefined) {
    headers["Content-Type"] = "application/json";
    init.body = JSON.stringify(body);
  }
  let res: Response;
  let text: string;
  try {
    res = await fetch(path, init);
    text = await res.text();
  } catch {
    throw new Failure(0, null);
  }
  const data = text === "" ? undefined : parse(text);
  if (!res.ok) {
    const failure = await refusal(res.status, (data as Problem | undefined) ?? null);
    if (failure.code === "unauthenticated") signedOut();
    throw failure;
  }
  if (data === null) throw new Failure(0, null); // it was not the API that answered
  return { status: res.status, data: data as T, requestId: res.headers.get("X-Request-Id") ?? "" };
}
