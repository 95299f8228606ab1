// The outbox has what was written and not answered yet, in its order. One page of the
// browser sends it (see lead in store.ts), each command until there is an answer: all of
// them have the same effect however often they arrive. All pages show it.
import { batch, signal } from "@preact/signals";
import { request, Failure, type Answer } from "./api";
import { pending, textFields, type Command, type Texts } from "./commands";
import { Local, madeAt, newId } from "./local";
import type { QuickAdded, Task, TaskPatch } from "./schema";
import { again, connected, dropTask, leads, putTask, ready, rowOf, user } from "./store";

// Kept is what somebody has written and has to look at: a text that another one has written
// over meanwhile, or a change that the server refused.
export type Kept = { key: string; title: string } & (
  | { what: "conflict"; task: string; field: keyof Texts; mine: string; theirs: string }
  | { what: "refused"; command: Command; failure: { status: number; problem: Failure["problem"] } }
);

export const kept = signal<readonly Kept[]>([]);

// Outcome is what has become of a command, as far as is known: one that waits is sent later.
export type Outcome = { state: "saved"; data: unknown; conflict: boolean } | { state: "waiting" } | { state: "refused"; failure: Failure };

// late is whether what waits has done so for longer than usual; savedNow are the tasks of
// which something has been saved at last.
export const late = signal(false);
export const savedNow = signal<ReadonlySet<string>>(new Set());

let local = new Local(null);
let channel: BroadcastChannel | undefined;
const unwritten = new Set<string>(); // commands that are in memory alone
let noRoom = false; // the browser has refused to keep the last of them
addEventListener("beforeunload", (e) => {
  if (noRoom && unwritten.size > 0) e.preventDefault();
});
const over = new Set<string>(); // commands that are done, or were taken back
const asked = new Map<string, (o: Outcome) => void>();
const requests = new Map<string, string>(); // of commands that were answered, to undo them
let sending: Promise<unknown> = Promise.resolve();

// End is how a command has ended.
interface End {
  id: string;
  task: string;
  row?: Task;
  gone?: boolean;
  request?: string;
  data?: unknown;
  kept: Kept[];
  refused?: { status: number; problem: Failure["problem"] };
}

type Message = { put: Command; loose?: boolean } | { out: string[] } | { end: End } | { unkept: string };

function tell(m: Message): void {
  channel?.postMessage(m);
}

function put(c: Command): void {
  const at = pending.peek().findIndex((o) => o.id === c.id);
  pending.value = at < 0 ? [...pending.peek(), c] : pending.peek().with(at, c);
  setTimeout(() => (late.value = pending.peek().some((o) => madeAt(o.id) < Date.now() - 900)), 1_000);
}

const without = (ids: string[]): void => {
  for (const id of ids) {
    over.add(id);
    unwritten.delete(id);
  }
  pending.value = pending.peek().filter((c) => !ids.includes(c.id));
  late.value &&= pending.peek().length > 0;
};

const hold = (k: Kept): void => {
  kept.value = [...kept.peek().filter((o) => o.key !== k.key), k];
};

// load reads what is in the outbox.
export async function load(from: Local): Promise<void> {
  local = from;
  listen();
  const before = pending.peek();
  const [commands, some] = await Promise.all([from.all<Command>("outbox"), from.all<Kept>("kept")]);
  if (local !== from) return;
  for (const c of commands) newId(madeAt(c.id));
  // What came while it was read stays, and what was done then does not come back.
  const more = pending.peek().filter((c) => !commands.some((o) => o.id === c.id) && (unwritten.has(c.id) || !before.includes(c)));
  batch(() => {
    pending.value = [];
    [...commands.filter((c) => !over.has(c.id)), ...more].forEach(put);
    kept.value = some;
  });
  for (const c of more) if (unwritten.has(c.id)) void write(c);
}

// unload is for who is not signed in any more.
export function unload(): void {
  channel?.close();
  channel = undefined;
  local = new Local(null);
  unwritten.clear();
  asked.clear();
  requests.clear();
  pending.value = [];
  kept.value = [];
  savedNow.value = new Set();
}

function listen(): void {
  if (channel || !("BroadcastChannel" in window) || !user.peek()) return;
  channel = new BroadcastChannel("taskwire." + user.peek()!.id);
  channel.onmessage = (e: MessageEvent<Message>) => {
    const m = e.data;
    if ("put" in m) {
      if (over.has(m.put.id)) return;
      if (m.loose) unwritten.add(m.put.id); // the browser has no room for it: pages alone have it
      put(m.put);
      kick();
    } else if ("out" in m) without(m.out);
    else if ("end" in m) ended(m.end);
    else kept.value = kept.peek().filter((k) => k.key !== m.unkept);
  };
}

// write has a command survive the page. Where there is no room it is there while that is open.
const write = (c: Command): Promise<unknown> =>
  local.write(["outbox"], (store) => store("outbox").put(c).transaction!.commit()).then( // not once the page comes to it: it may be left before
    () => {
      unwritten.delete(c.id);
      noRoom = false;
    },
    () => {
      noRoom = true;
    },
  );

// send puts a command into the outbox. It answers what became of it, or soon that it waits.
export function send(c: Command): Promise<Outcome> {
  const outcome = new Promise<Outcome>((settle) => asked.set(c.id, settle));
  listen();
  unwritten.add(c.id);
  put(c);
  if (connected.peek()) setTimeout(() => settle(c.id, { state: "waiting" }), 4_000);
  else settle(c.id, { state: "waiting" });
  void write(c).then(() => {
    tell({ put: c, loose: unwritten.has(c.id) });
    kick();
  });
  return outcome;
}

function settle(id: string, o: Outcome): void {
  asked.get(id)?.(o);
  asked.delete(id);
}

let busy = false;
let pause: ReturnType<typeof setTimeout> | undefined;

// kick sends what waits, one after another.
export function kick(): void {
  if (busy || !ready() || pending.peek().length === 0) return;
  busy = true;
  clearTimeout(pause);
  const of = local;
  sending = drain(of).then(() => {
    if (of !== local) kick(); // somebody else has come meanwhile
  });
}

async function drain(of: Local): Promise<void> {
  try {
    while (ready() && of === local) {
      const c = pending.peek()[0];
      if (!c) return;
      if (!c.tried && !(await claim(c))) {
        without([c.id]); // it was taken back at the last moment
        continue;
      }
      try {
        const end = await perform(c);
        if (of === local) await conclude(c, end);
      } catch (e) {
        if (of !== local) return;
        settle(c.id, { state: "waiting" });
        late.value = true;
        if (e instanceof Failure && e.status > 0) pause = setTimeout(kick, 3_000);
        else again();
        return;
      }
    }
  } finally {
    busy = false;
  }
}

// claim marks a command as one that the server may have, unless it has been taken back.
async function claim(c: Command): Promise<boolean> {
  const tried = { ...c, tried: true };
  if (unwritten.has(c.id)) {
    put(tried);
    void write(tried); // behind the write that may be under way
    tell({ put: tried, loose: true });
    return true;
  }
  // Where the browser can not say, it is there.
  if (await local.swap<Command>("outbox", c.id, () => tried).catch(() => c)) {
    if (pending.peek().some((o) => o.id === c.id)) put(tried);
    return true;
  }
  return false;
}

const passing = (status: number): boolean => status === 0 || status === 401 || status === 408 || status === 425 || status === 429 || status >= 500;
const failures = new Map<string, number>();

// perform has the server do it. It throws what is to be tried again.
async function perform(c: Command): Promise<End> {
  const end: End = { id: c.id, task: c.task, kept: [] };
  const at = "/api/tasks/" + c.task;
  let a: Answer<unknown>;
  try {
    switch (c.op) {
      case "add":
        a = await request<QuickAdded>("POST", "/api/quick-add", { ...c.input, id: c.task }, { "Idempotency-Key": c.id });
        break;
      case "edit":
        a = await edit(c, at, end.kept);
        break;
      case "complete":
        a = await request<Task>("PATCH", at + "/complete", { is_complete: c.is_complete });
        break;
      case "move":
        a = await request<Task>("POST", at + "/move", c.move);
        break;
      case "delete":
        a = await request("DELETE", at);
        end.gone = true;
        break;
      case "restore":
        end.request = await restore(c.task, at);
        return end;
      default:
        throw new Failure(503, null); // of a later version of the page: that sends it
    }
  } catch (e) {
    if (!(e instanceof Failure)) throw e;
    const foreign = e.status !== 413 && !e.problem?.type; // a proxy's words, not the API's
    if (foreign || e.code === "task-changed" || passing(e.status)) {
      // What makes the server fail each time must not hold up the rest for ever.
      const n = (failures.get(c.id) ?? 0) + (e.status === 500 ? 1 : 0);
      failures.set(c.id, n);
      if (n < 5) throw e;
    }
    if ((c.op === "delete" && e.status === 404) || (c.op === "add" && e.code === "in-trash")) return { ...end, gone: true }; // it is so already
    const { status, problem } = e;
    return { ...end, refused: { status, problem }, kept: [{ key: c.id, title: c.title, what: "refused", command: c, failure: { status, problem } }] };
  }
  end.request = a.requestId;
  end.data = a.data;
  const row = c.op === "add" ? (a.data as QuickAdded).task : (a.data as Task | undefined);
  if (row) end.row = row;
  return end;
}

// restore brings back from the trash what has an address of its own then. Where no answer comes
// it asks once more: what is not in the trash any more is there, or gone for good. It answers the
// request to undo, or "" where that is not known.
export async function restore(id: string, at: string, tries = 1): Promise<string> {
  try {
    return (await request("POST", `/api/trash/${id}/restore`)).requestId;
  } catch (e) {
    const { status } = e as Failure;
    if (status === 0 && tries > 0) return restore(id, at, 0);
    if (status !== 404) throw e;
    await request("GET", at);
    return "";
  }
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(typeof a === "string" ? a.trim() : a) === JSON.stringify(typeof b === "string" ? b.trim() : b);

// edit sends what was changed alone. A text that somebody else has changed meanwhile is not
// written over: both are kept for who wrote the later one. If-Match finds that out. Of other
// fields the later value stays, and the one before is in the history.
async function edit(c: Command & { op: "edit" }, at: string, conflicts: Kept[]): Promise<Answer<Task>> {
  const guarded = textFields.some((f) => f in c.patch);
  let row = rowOf(c.task);
  for (let tries = 1; ; tries++) {
    let asked: Answer<Task> | undefined;
    if (guarded && (!row || tries > 1)) row = (asked = await request<Task>("GET", at)).data;
    const patch: TaskPatch = { ...c.patch };
    conflicts.length = 0;
    for (const field of guarded && row ? textFields : []) {
      const mine = c.patch[field];
      if (mine === undefined || mine === null) continue;
      const theirs = row![field];
      if (same(theirs, mine)) delete patch[field];
      else if (!same(theirs, c.base[field])) {
        delete patch[field];
        conflicts.push({ key: c.task + " " + field, title: c.title, what: "conflict", task: c.task, field, mine, theirs });
      }
    }
    if (Object.keys(patch).length === 0) {
      // What this page knows may be old.
      if (asked) return asked;
      continue;
    }
    try {
      return await request<Task>("PATCH", at + (c.following ? "?scope=following" : ""), patch, guarded ? { "If-Match": `"${row!.version}"` } : {});
    } catch (e) {
      if (!(e instanceof Failure && e.status === 412) || tries > 5) throw e;
    }
  }
}

// conclude takes a command off, with what has become of it, at once: whatever happens, it
// is in the outbox or done.
async function conclude(c: Command, end: End): Promise<void> {
  const later: Command[] = [];
  if (c.op === "add" && end.row) {
    // What the text said of dates and the like is not in the title any more.
    for (const o of pending.peek()) {
      if (o.op === "edit" && o.task === c.task && o.base.title === c.input.text) later.push({ ...o, base: { ...o.base, title: end.row.title } });
    }
  }
  failures.delete(c.id);
  unwritten.delete(c.id);
  await local
    .write(["outbox", "kept"], (store) => {
      store("outbox").delete(c.id);
      for (const o of later) store("outbox").put(o);
      for (const k of end.kept) store("kept").put(k);
    })
    .catch(() => {}); // it is sent once more then, which changes nothing
  batch(() => {
    for (const o of later) put(o);
    ended(end);
  });
  tell({ end });
  for (const o of later) tell({ put: o });
}

function ended(end: End): void {
  batch(() => {
    if (end.row) putTask(end.row);
    if (end.gone) dropTask(end.task);
    end.kept.forEach(hold);
    const waited = late.peek() && pending.peek().some((c) => c.id === end.id);
    without([end.id]);
    if (waited && !end.refused) {
      savedNow.value = new Set(savedNow.peek()).add(end.task);
      setTimeout(() => (savedNow.value = new Set([...savedNow.peek()].filter((id) => id !== end.task))), 10_000);
    }
  });
  if (end.request) requests.set(end.id, end.request);
  settle(end.id, end.refused ? { state: "refused", failure: new Failure(end.refused.status, end.refused.problem) } : { state: "saved", data: end.data, conflict: end.kept.length > 0 });
}

// release forgets something kept: it was looked at, or is somewhere else.
export function release(key: string): void {
  kept.value = kept.peek().filter((k) => k.key !== key);
  void local.write(["kept"], (store) => store("kept").delete(key)).catch(() => {}); // it comes again with the next visit
  tell({ unkept: key });
}

// takeBack has a command not happen, with what was done to a task that it would have made.
// It answers the commands that were taken out of the outbox; or the request to undo; or
// nothing where what the command did can be undone by another command alone.
export async function takeBack(c: Command): Promise<{ out: Command[] } | { request: string } | undefined> {
  const requested = () => (requests.has(c.id) ? { request: requests.get(c.id)! } : undefined);
  const now = pending.peek().find((o) => o.id === c.id);
  if (!now) return requested();
  const kept = await local.swap<Command>("outbox", c.id, (o) => (o.tried ? o : undefined)).catch(() => undefined);
  const still = pending.peek().find((o) => o.id === c.id);
  if (kept ? !kept.tried : still && !still.tried && unwritten.delete(c.id)) {
    const out = pending.peek().filter((o) => o.id === c.id || (c.op === "add" && o.task === c.task));
    for (const o of out) unwritten.delete(o.id);
    const ids = out.map((o) => o.id);
    // Later changes of the same text count from what it is now.
    const later = c.op !== "edit" ? [] : pending.peek().flatMap((o) => (o.op === "edit" && o.task === c.task && o.id > c.id ? [{ ...o, base: { ...o.base, ...only(c.base, o.base) } }] : []));
    await local
      .write(["outbox"], (store) => {
        for (const id of ids) store("outbox").delete(id);
        for (const o of later) store("outbox").put(o);
      })
      .catch(() => {}); // the first one is out
    without(ids);
    for (const o of later) put(o);
    tell({ out: ids });
    for (const o of later) tell({ put: o });
    return { out };
  }
  // It is under way, or its answer was lost.
  if (connected.peek()) await Promise.race([leads() ? sending : new Promise((r) => asked.set(c.id, r)), new Promise((r) => setTimeout(r, 5_000))]);
  return requested();
}

// only are the texts that both have, of the first one.
function only(from: Texts, of: Texts): Texts {
  const texts: Texts = {};
  for (const f of textFields) if (f in of && from[f] !== undefined) texts[f] = from[f];
  return texts;
}

// theirsNow is the other text of a conflict, as it is by now.
export const theirsNow = (k: Kept & { what: "conflict" }): string => rowOf(k.task)?.[k.field] ?? k.theirs;
