// What the page knows of the server: who is signed in, the lists and tasks, kept in step by
// the stream of changes. What it knows is kept in this browser, too, for when the server can
// not be asked; what people change is seen at once, before the server has it.
import { batch, computed, effect, signal } from "@preact/signals";
import { request, whenSignedOut } from "./api";
import { pending, replay } from "./commands";
import { browserZone } from "./dates";
import { forgetDrafts } from "./drafts";
import { forgetLocal, Local, openLocal, recall, remember } from "./local";
import { load, kick, unload } from "./outbox";
import type { FeedChange, FeedPage, List, Task, User } from "./schema";
import { build, lookForNew } from "./version";

// user is undefined until it is known whether somebody is signed in.
export const user = signal<User | null | undefined>(undefined);
export const lists = signal<ReadonlyMap<string, List>>(new Map());
// tasks are those of the server, with what waits for it.
export const tasks = signal<ReadonlyMap<string, Task>>(new Map());
// loaded is whether lists and tasks are those of the server, as of now or when it was last there.
export const loaded = signal(false);
export const connected = signal(true);

// zone is where days begin for who is signed in.
export const zone = computed(() => user.value?.timezone ?? browserZone);

const allSorted = computed(() => [...lists.value.values()].sort((a, b) => a.position - b.position || (a.id < b.id ? -1 : 1)));
// sortedWith are the lists in their order: those that are put away are not among them, but for
// the one that is looked at.
export const sortedWith = (id?: string): List[] => allSorted.value.filter((l) => !l.is_archived || l.id === id);
export const sortedLists = computed(() => sortedWith());
export const inbox = computed(() => sortedLists.value.find((l) => l.is_inbox));

export const mayWrite = (list: string): boolean => (lists.value.get(list)?.role ?? "viewer") !== "viewer";

// rows are the tasks as the server has them.
const rows = signal<ReadonlyMap<string, Task>>(new Map());
export const rowOf = (id: string): Task | undefined => rows.peek().get(id);

effect(() => {
  const who = user.value;
  tasks.value = who && pending.value.length > 0 ? replay(new Map(rows.value), pending.value, who, inbox.value?.id ?? "") : rows.value;
});

// touched are the tasks and lists that the page itself has changed since it last asked for a
// snapshot: that can be older than they are.
const touched = new Set<string>();

// putTask takes a task as the server answered it, unless a later version is known.
export function putTask(task: Task): void {
  touched.add(task.id);
  const known = rowOf(task.id);
  if (known && known.version > task.version) return;
  keep({ kind: "task", op: "put", id: task.id, list_id: task.list_id, version: task.version, data: task });
  rows.value = new Map(rows.peek()).set(task.id, task);
}

// takeOver takes over many answers at once, as putTask and dropTask do for one.
export function takeOver(put: Task[], gone: ReadonlySet<string>): void {
  const next = new Map(rows.peek());
  for (const task of put) {
    touched.add(task.id);
    if ((next.get(task.id)?.version ?? 0) > task.version) continue;
    keep({ kind: "task", op: "put", id: task.id, list_id: task.list_id, version: task.version, data: task });
    next.set(task.id, task);
  }
  if (gone.size > 0) {
    for (const task of next.values()) {
      if (!gone.has(task.id) && !gone.has(task.parent_id ?? "")) continue;
      touched.add(task.id);
      keep({ kind: "task", op: "gone", id: task.id, list_id: task.list_id });
      next.delete(task.id);
    }
  }
  rows.value = next;
}

export function dropTask(id: string): void {
  const next = new Map(rows.peek());
  for (const task of next.values()) {
    if (task.id !== id && task.parent_id !== id) continue;
    touched.add(task.id);
    keep({ kind: "task", op: "gone", id: task.id, list_id: task.list_id });
    next.delete(task.id);
  }
  rows.value = next;
}

export function putList(list: List): void {
  touched.add(list.id);
  const known = lists.peek().get(list.id);
  if (known && known.version > list.version) return;
  keep({ kind: "list", op: "put", id: list.id, list_id: list.id, version: list.version, data: list });
  lists.value = new Map(lists.peek()).set(list.id, list);
}

export function dropList(id: string): void {
  touched.add(id);
  apply([{ kind: "list", op: "gone", id, list_id: id }]);
}

// commentListeners hear of comments that have changed, which are not kept here; null is for
// any that may have.
export const commentListeners = new Set<(changes: FeedChange[] | null) => void>();

function hearComments(changes: FeedChange[] | null): void {
  const some = changes?.filter((c) => c.kind === "comment") ?? null;
  if (some?.length !== 0) for (const hear of commentListeners) hear(some);
}

// apply takes over what has changed. It returns the lists that are to be read anew.
function apply(changes: FeedChange[]): string[] {
  const nextTasks = new Map(rows.peek());
  const nextLists = new Map(lists.peek());
  const reset: string[] = [];
  for (const c of changes) {
    if (c.op === "reset") {
      reset.push(c.list_id);
      continue;
    }
    if (c.kind === "task") {
      const known = nextTasks.get(c.id);
      if (c.op === "put") {
        if (known && known.version > (c.version ?? 0)) continue;
        nextTasks.set(c.id, c.data as Task);
      } else {
        if (known?.list_id !== c.list_id) continue; // it is only gone from where it was
        nextTasks.delete(c.id);
      }
    } else if (c.kind === "list") {
      if (c.op === "put") {
        const known = nextLists.get(c.id);
        if (known && known.version > (c.version ?? 0)) continue;
        nextLists.set(c.id, c.data as List);
      } else {
        nextLists.delete(c.id);
        for (const task of nextTasks.values()) if (task.list_id === c.id) nextTasks.delete(task.id);
      }
    }
    keep(c);
  }
  batch(() => {
    rows.value = nextTasks;
    lists.value = nextLists;
  });
  hearComments(changes);
  return reset;
}

// readSnapshot reads all that the user sees, or one list of it, and the place to go on from.
async function readSnapshot(list?: string): Promise<{ next: string; changes: FeedChange[] }> {
  const res = await fetch("/api/snapshot" + (list ? "?list_id=" + list : ""), { credentials: "same-origin" });
  if (!res.ok) throw new Error("snapshot: " + res.status);
  const [first, ...lines] = (await res.text()).trimEnd().split("\n");
  return { next: (JSON.parse(first!) as { next: string }).next, changes: lines.map((line) => JSON.parse(line) as FeedChange) };
}

async function readAnew(list: string): Promise<void> {
  resetting++;
  const [mine, before] = [era, rows.peek()];
  const { changes } = await readSnapshot(list);
  if (mine !== era) return;
  batch(() => {
    // What has come, or gone, while it was read is later than it.
    const now = rows.peek();
    const since = [...now.values()].filter((task) => task.list_id === list && before.get(task.id) !== task);
    keep({ kind: "list", op: "reset", id: list, list_id: list });
    rows.value = new Map([...now].filter(([, task]) => task.list_id !== list));
    apply(changes.filter((c) => c.kind !== "task" || !before.has(c.id) || now.has(c.id)));
    since.forEach(putTask);
    resetting = Math.max(0, resetting - 1);
  });
  hearComments(null);
}

// What is to be written to the database of this browser. One page of it does that, the one
// that also sends what waits; another one takes over from it with all that it has seen.
let local = new Local(null);
let leading = false;
let letGo = () => {};
const unwritten = new Map<string, FeedChange>();
const emptied = new Set<string>(); // lists of which nothing is to stay
let resetting = 0; // lists that are being read anew: until then there is no place to write
let beyondRepair = false; // this page has read all anew, and not written it
let writing: Promise<unknown> = Promise.resolve();
let writer: ReturnType<typeof setTimeout> | undefined;

export const leads = (): boolean => leading;

const keyOf = (c: FeedChange): string => c.kind + " " + (c.kind === "task" || c.kind === "list" ? "" : c.list_id + " ") + c.id;

// keep has a change written soon.
function keep(c: FeedChange): void {
  if (c.op === "reset" || (c.kind === "list" && c.op === "gone")) {
    emptied.add(c.list_id);
    for (const [key, o] of unwritten) if (o.list_id === c.list_id) unwritten.delete(key);
  } else unwritten.set(keyOf(c), c);
  writer ??= setTimeout(() => void flush(), 300);
}

// flush writes what has changed, with the place that it leads to.
function flush(): Promise<unknown> {
  clearTimeout(writer);
  writer = undefined;
  if (!leading || place === "" || resetting > 0) return writing;
  const [to, at, changes, lists] = [local, place, [...unwritten], [...emptied]];
  unwritten.clear();
  emptied.clear();
  const put = () =>
    to.write(["rows", "meta"], (store) => {
      const into = store("rows");
      const write = () => {
        for (const [key, c] of changes) if (c.op === "put") into.put(c, key);
        else into.delete(key);
      };
      store("meta").put(at, "place");
      let left = lists.length;
      if (left === 0) return write();
      for (const list of lists) {
        const keys = into.index("list").getAllKeys(list);
        keys.onsuccess = () => {
          for (const key of keys.result) into.delete(key);
          if (--left === 0) write(); // what came later stays
        };
      }
    });
  return (writing = writing.then(put).catch(unkept));
}

// rewrite writes all of a snapshot, in pieces. Until it is done there is no place to go on from.
function rewrite(changes: FeedChange[], at: string): void {
  unwritten.clear();
  emptied.clear();
  beyondRepair = !leading;
  if (!leading) return;
  const to = local;
  const put = async () => {
    await to.write(["rows", "meta"], (store) => {
      store("rows").clear();
      store("meta").delete("place");
      store("meta").delete("build"); // until all of it is there
    });
    for (let i = 0; i < changes.length; i += 1_000) {
      await to.write(["rows"], (store) => {
        for (const c of changes.slice(i, i + 1_000)) store("rows").put(c, keyOf(c));
      });
    }
    await to.write(["meta"], (store) => {
      store("meta").put(at, "place");
      store("meta").put(build, "build");
    });
  };
  writing = writing.then(put).catch(unkept);
}

// unkept is where there is no room: what was seen is read from the server the next time, also
// where what comes later finds room.
function unkept(): void {
  local
    .write(["meta"], (store) => {
      store("meta").delete("place");
      store("meta").delete("build");
    })
    .catch(() => {}); // or nothing can be written
}

// lead has this page be the one that writes and sends, once no other one does. Without locks,
// which browsers have only where the connection is safe, each page does.
function lead(): void {
  if (leading || !user.peek()) return;
  const [mine, name] = [era, "taskwire." + user.peek()!.id];
  const begin = () => {
    leading = true;
    if (beyondRepair && place !== "") {
      place = "";
      void follow();
    }
    // What the browser has taken away meanwhile is not read; what is known here is sent all the same.
    void load(local).catch(() => {}).then(() => era === mine && kick());
    void flush();
  };
  if (!navigator.locks) return begin();
  letGo();
  const leaving = new AbortController();
  letGo = () => leaving.abort();
  navigator.locks
    .request(name, { signal: leaving.signal }, () =>
      new Promise<void>((over) => {
        if (era !== mine) return over();
        letGo = () => {
          leading = false;
          over();
        };
        begin();
      }),
    )
    .catch(() => {}); // it was let go before it was had
}

let source: EventSource | null = null;
let place = ""; // behind the last change that was applied; "" for nothing read yet
let tries = 0;
let timer: ReturnType<typeof setTimeout> | undefined;
let rest: ReturnType<typeof setTimeout> | undefined;
let era = 0; // of a sign-in: what was asked for another one is left aside
let known = false; // it is this user whom the server has signed in

// ready is whether this page may send what waits.
export const ready = (): boolean => leading && known && !!user.peek();

function close(): void {
  source?.close();
  source = null;
  clearTimeout(timer);
}

// again follows the changes anew, later the more often it failed.
export function again(): void {
  close();
  connected.value = known = false;
  timer = setTimeout(() => void follow(), Math.min(10_000, 500 * 2 ** tries++) * (0.5 + Math.random() / 2));
}

async function follow(): Promise<void> {
  const mine = era;
  close();
  try {
    // Who is no longer signed in learns it here: an EventSource does not say why it failed.
    // Or that somebody else is, by another page of this browser.
    if (tries > 0) {
      const { data } = await request<User>("GET", "/api/auth/me");
      if (mine !== era) return;
      if (data.id !== user.peek()?.id) return enter(data);
      user.value = data;
      void lookForNew();
    }
    known = true;
    kick();
    if (place === "") {
      touched.clear();
      const { next, changes } = await readSnapshot();
      if (mine !== era) return;
      batch(() => {
        // The stream goes on from the snapshot, and has what is later.
        rows.value = new Map([...rows.peek()].filter(([id]) => touched.has(id)));
        lists.value = new Map([...lists.peek()].filter(([id]) => touched.has(id)));
        const made = [[...rows.peek().values()], [...lists.peek().values()]] as const;
        const gone = (id: string) => touched.has(id) && !rowOf(id) && !lists.peek().has(id);
        const there = changes.filter((c) => !gone(c.id) && !gone(c.list_id));
        apply(there);
        rewrite(there, next);
        made[0].forEach(putTask); // what the page itself has changed since
        made[1].forEach(putList);
        loaded.value = true;
      });
      resetting = 0;
      place = next;
      hearComments(null);
    }
  } catch {
    if (mine === era && user.peek()) again();
    return;
  }
  if (mine !== era || !user.peek()) return;
  close(); // another one may have been begun meanwhile
  const stream = (source = new EventSource("/api/stream?since=" + encodeURIComponent(place)));
  stream.onopen = () => {
    if (stream !== source) return;
    connected.value = true;
    tries = 0;
    kick();
  };
  stream.addEventListener("changes", (e) => {
    if (stream !== source) return;
    place = e.lastEventId;
    for (const list of apply((JSON.parse(e.data as string) as FeedPage).changes)) {
      readAnew(list).catch(() => {
        if (mine !== era) return;
        place = ""; // all of it, then
        again();
      });
    }
  });
  stream.addEventListener("resync", () => {
    if (stream !== source) return;
    place = "";
    void follow();
  });
  // Not as a browser would by itself, which does not look who is signed in.
  stream.onerror = () => stream === source && again();
}

// A browser has six connections to a server: pages that nobody looks at leave theirs, and
// what waits to one that somebody does look at.
document.addEventListener("visibilitychange", () => {
  if (!user.peek()) return;
  clearTimeout(rest);
  if (document.hidden) {
    void flush();
    rest = setTimeout(() => {
      close();
      if (pending.peek().length === 0 || !known) letGo();
    }, 60_000);
    return;
  }
  lead();
  if (!source) void follow();
});
addEventListener("online", () => user.peek() && !connected.peek() && void follow());

// Pages of this browser have one session: who signs in with one does so with all.
const pages = "BroadcastChannel" in window ? new BroadcastChannel("taskwire") : undefined;
pages?.addEventListener("message", (e: MessageEvent<string>) => {
  if (user.peek() === undefined || (user.peek()?.id ?? "") === e.data) return;
  lose(); // nothing of the one before is shown or sent meanwhile
  if (e.data !== "") void start();
});

// enter begins to follow what is this user's.
export function enter(who: User): void {
  void begin(who, true);
}

// openSeen opens what is kept of a user, and reads what was seen.
async function openSeen(user: string) {
  const opened = await openLocal(user);
  return { opened, seen: await opened.seen<FeedChange>() };
}

async function begin(who: User, there: boolean, opening = openSeen(who.id)): Promise<void> {
  batch(() => {
    lose();
    user.value = who;
    connected.value = known = there;
  });
  const mine = era;
  tries = there ? 0 : 1;
  remember("localStorage", "user", who);
  if (there) pages?.postMessage(who.id);
  try {
    const { opened, seen } = await opening;
    if (mine !== era) return opened.close();
    local = opened;
    await load(local);
    if (mine !== era) return;
    if (seen.place !== "") {
      batch(() => {
        apply(seen.rows);
        unwritten.clear();
        loaded.value = true;
      });
      // Another page than this one may have left out what this one needs.
      if (seen.build === build) place = seen.place;
    }
  } catch {
    local = new Local(null); // this browser's database is broken
  }
  if (mine !== era) return;
  lead();
  void follow();
}

// lose is for who is not signed in any more. What waits stays for when he is again.
function lose(): void {
  void flush();
  era++;
  close();
  clearTimeout(rest);
  letGo();
  letGo = () => {};
  leading = known = beyondRepair = false;
  place = "";
  resetting = 0;
  unwritten.clear();
  emptied.clear();
  const was = local;
  local = new Local(null);
  void writing.finally(() => was.close());
  batch(() => {
    user.value = null;
    unload();
    rows.value = new Map();
    lists.value = new Map();
    loaded.value = false;
    connected.value = true;
  });
}

// leave forgets everything, also what this browser has kept.
export function leave(): void {
  const who = user.peek();
  lose();
  remember("localStorage", "user", undefined);
  if (!who) return;
  forgetDrafts(who.id);
  pages?.postMessage("");
  void writing.finally(() => forgetLocal(who.id));
}

// What this browser has is not shown any more once the server has said so, also when it is
// not there the next time.
whenSignedOut(() => {
  remember("localStorage", "user", undefined);
  lose();
});

// start finds out who is signed in. Where the server does not say so soon, it is who was: what
// was seen by him is read meanwhile.
export async function start(): Promise<void> {
  const was = recall<User>("localStorage", "user");
  const mine = era;
  const asking = request<User>("GET", "/api/auth/me");
  let opening = was && openSeen(was.id);
  const take = (who: User, there: boolean) => {
    const seen = who.id === was?.id ? opening : undefined;
    if (seen) opening = undefined;
    void begin(who, there, seen);
  };
  const slow = was && setTimeout(() => mine === era && take(was, false), 2_500);
  try {
    const { data } = await asking;
    if (mine === era) take(data, true);
  } catch (e) {
    if (mine !== era) return;
    if (was) take(was, false);
    else {
      connected.value = false;
      setTimeout(() => void start(), 2_000); // the server does not answer
    }
  } finally {
    clearTimeout(slow);
    opening?.then(({ opened }) => opened.close()).catch(() => {}); // nobody wants it
  }
}
