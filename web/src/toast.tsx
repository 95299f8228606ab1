// What has just happened, with a way back; and what went wrong.
import { effect, signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { Failure, request } from "./api";
import type { Undone } from "./schema";
import { user } from "./store";
import { t } from "./texts";

interface Toast {
  text: string;
  wrong?: boolean;
  action?: { label: string; run: () => void };
}

const toast = signal<Toast | null>(null);
// lastChange is the change that the key u undoes.
let lastChange: (() => void) | null = null;
// underWay is the change that waits for its answer: with that it is the last one.
let underWay: Promise<unknown> = Promise.resolve();
let timer: ReturnType<typeof setTimeout> | undefined;

const shownFor = 10_000;

// What somebody did is nothing to whoever signs in next.
let whose: string | undefined;
effect(() => {
  if (user.value?.id === whose) return;
  whose = user.value?.id;
  toast.value = null;
  lastChange = null;
});

function show(next: Toast): void {
  toast.value = next;
  keep(false);
}

// keep has what is shown stay while somebody is at it.
function keep(stay: boolean): void {
  clearTimeout(timer);
  if (!stay) timer = setTimeout(() => (toast.value = null), shownFor);
}

// said is a failure in words.
export function said(e: unknown): string {
  if (!(e instanceof Failure)) return t.failed;
  if (e.status === 0) return t.noAnswer;
  if (e.code === "changed-since") return t.changedSince([...new Set((e.problem?.errors ?? []).map((f) => fieldOf(f.location)))].join(", "));
  return t.problems[e.code] ?? e.problem?.detail ?? e.problem?.title ?? t.failed;
}

function fieldOf(location: string): string {
  const field = location.slice(location.lastIndexOf(".") + 1);
  return t.fields[field] ?? field;
}

export function complain(e: unknown): void {
  show({ text: said(e), wrong: true });
}

// tell says what was done that nothing undoes.
export function tell(text: string): void {
  show({ text });
}

// offerUndo says what a request has done, and offers to undo it.
export function offerUndo(text: string, requestId: string): void {
  offer(text, t.undo, () => void undo(requestId, t.undone, t.redo));
}

// offer says what was done, and offers to do something about it.
export function offer(text: string, label: string, run: () => void): void {
  lastChange = run;
  show({ text, action: { label, run } });
}

// changing is for every request that changes something. Who undoes before it is answered means
// this change, and not the one before.
export function changing<T>(request: Promise<T>): Promise<T> {
  underWay = request.catch(() => {}); // who made the request says what went wrong
  return request;
}

// undo takes back what a request has done. To undo that in turn is to do it again.
export async function undo(requestId: string, text: string, next: string): Promise<boolean> {
  try {
    const { data } = await changing(request<Undone>("POST", `/api/operations/${encodeURIComponent(requestId)}/undo`));
    const redo = () => void (next === t.redo ? undo(data.request_id, t.redone, t.undo) : undo(data.request_id, t.undone, t.redo));
    lastChange = redo;
    show({ text, action: { label: next, run: redo } });
    return true;
  } catch (e) {
    complain(e);
    return false;
  }
}

export async function undoLast(): Promise<void> {
  await underWay;
  lastChange?.();
}

export function Toasts() {
  const now = toast.value;
  useEffect(() => () => keep(false), []); // who was at it may be elsewhere then
  return (
    <div class="toasts" role="status" onMouseEnter={() => keep(true)} onMouseLeave={() => keep(false)} onFocusIn={() => keep(true)} onFocusOut={() => keep(false)}>
      {now && (
        <div class={now.wrong ? "toast wrong" : "toast"}>
          <span dir="auto">{now.text}</span>
          {now.action && <button onClick={now.action.run}>{now.action.label}</button>}
          <button class="quiet" aria-label={t.close} onClick={() => (toast.value = null)}>×</button>
        </div>
      )}
    </div>
  );
}

// offerUndoOf is offerUndo for what took several requests: the last one is taken back first.
export function offerUndoOf(text: string, requestIds: string[], next: "undo" | "redo" = "undo"): void {
  if (requestIds.length < 2 && next === "undo") return offerUndo(text, requestIds[0] ?? "");
  const left = [...requestIds];
  const undone: string[] = [];
  // Where it fails it can be tried again with what is left.
  const back = async () => {
    try {
      for (let id; (id = left.at(-1)) !== undefined; left.pop()) undone.push((await request<Undone>("POST", `/api/operations/${encodeURIComponent(id)}/undo`)).data.request_id);
    } catch (e) {
      return complain(e);
    }
    offerUndoOf(next === "undo" ? t.undone : t.redone, undone, next === "undo" ? "redo" : "undo");
  };
  const run = () => void changing(back());
  lastChange = run;
  show({ text, action: { label: t[next], run } });
}
