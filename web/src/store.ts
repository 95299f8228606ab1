// What the page knows of the server: who is signed in, the lists and tasks, kept in step by
// the stream of changes.
import { batch, computed, signal } from "@preact/signals";
import { request, whenSignedOut } from "./api";
import { browserZone } from "./dates";
import type { FeedChange, FeedPage, List, Task, User } from "./schema";

// user is undefined until it is known whether somebody is signed in.
export const user = signal<User | null | undefined>(undefined);
export const lists = signal<ReadonlyMap<string, List>>(new Map());
export const tasks = signal<ReadonlyMap<string, Task>>(new Map());
// loaded is whether lists and tasks are those of the server.
export const loaded = signal(false);
export const connected = signal(true);

// zone is where days begin for who is signed in.
export const zone = computed(() => user.value?.timezone ?? browserZone);

export const sortedLists = computed(() => [...lists.value.values()].filter((l) => !l.is_archived).sort((a, b) => a.position - b.position || (a.id < b.id ? -1 : 1)));
export const inbox = computed(() => sortedLists.value.find((l) => l.is_inbox));

export const mayWrite = (list: string): boolean => (lists.value.get(list)?.role ?? "viewer") !== "viewer";

// touched are the tasks and lists that the page itself has changed since it last asked for a
// snapshot: that can be older than they are.
const touched = new Set<string>();

// putTask takes a task as the server answered it, unless a later version is known.
export function putTask(task: Task): void {
  touched.add(task.id);
  const known = tasks.peek().get(task.id);
  if (!known || known.version <= task.version) tasks.value = new Map(tasks.peek()).set(task.id, task);
}

export function dropTask(id: string): void {
  const next = new Map(tasks.peek());
  for (const task of next.values()) {
    if (task.id !== id && task.parent_id !== id) continue;
    touched.add(task.id);
    next.delete(task.id);
  }
  tasks.value = next;
}

export function putList(list: List): void {
  touched.add(list.id);
  const known = lists.peek().get(list.id);
  if (!known || known.version <= list.version) lists.value = new Map(lists.peek()).set(list.id, list);
}

export function dropList(id: string): void {
  touched.add(id);
  const left = new Map(lists.peek());
  left.delete(id);
  batch(() => {
    lists.value = left;
    tasks.value = new Map([...tasks.peek()].filter(([, task]) => task.list_id !== id));
  });
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
  const nextTasks = new Map(tasks.peek());
  const nextLists = new Map(lists.peek());
  const reset: string[] = [];
  for (const c of changes) {
    if (c.op === "reset") {
      reset.push(c.list_id);
    } else if (c.kind === "task") {
      const known = nextTasks.get(c.id);
      if (c.op === "put") {
        if (!known || known.version <= (c.version ?? 0)) nextTasks.set(c.id, c.data as Task);
      } else if (known?.list_id === c.list_id) {
        nextTasks.delete(c.id); // else it is only gone from where it was
      }
    } else if (c.kind === "list") {
      if (c.op === "put") {
        const known = nextLists.get(c.id);
        if (!known || known.version <= (c.version ?? 0)) nextLists.set(c.id, c.data as List);
      } else {
        nextLists.delete(c.id);
        for (const task of nextTasks.values()) if (task.list_id === c.id) nextTasks.delete(task.id);
      }
    }
  }
  batch(() => {
    tasks.value = nextTasks;
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
  const { changes } = await readSnapshot(list);
  batch(() => {
    tasks.value = new Map([...tasks.peek()].filter(([, task]) => task.list_id !== list));
    apply(changes);
  });
  hearComments(null);
}

let source: EventSource | null = null;
let place = ""; // behind the last change that was applied; "" for nothing read yet
let tries = 0;
let timer: ReturnType<typeof setTimeout> | undefined;
let era = 0; // of a sign-in: what was asked for another one is left aside

function close(): void {
  source?.close();
  source = null;
  clearTimeout(timer);
}

// again follows the changes anew, later the more often it failed.
function again(): void {
  close();
  connected.value = false;
  timer = setTimeout(() => void follow(), Math.min(30_000, 500 * 2 ** tries++) * (0.5 + Math.random() / 2));
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
    }
    if (place === "") {
      touched.clear();
      const { next, changes } = await readSnapshot();
      if (mine !== era) return;
      batch(() => {
        // The stream goes on from the snapshot, and has what is later.
        tasks.value = new Map([...tasks.peek()].filter(([id]) => touched.has(id)));
        lists.value = new Map([...lists.peek()].filter(([id]) => touched.has(id)));
        const gone = (id: string) => touched.has(id) && !tasks.peek().has(id) && !lists.peek().has(id);
        apply(changes.filter((c) => !gone(c.id) && !gone(c.list_id)));
        loaded.value = true;
      });
      place = next;
      hearComments(null);
    }
  } catch {
    if (mine === era && user.peek()) again();
    return;
  }
  if (mine !== era || !user.peek()) return;
  const stream = (source = new EventSource("/api/stream?since=" + encodeURIComponent(place)));
  stream.onopen = () => {
    connected.value = true;
    tries = 0;
  };
  stream.addEventListener("changes", (e) => {
    place = e.lastEventId;
    for (const list of apply((JSON.parse(e.data as string) as FeedPage).changes)) {
      readAnew(list).catch(() => {
        place = ""; // all of it, then
        again();
      });
    }
  });
  stream.addEventListener("resync", () => {
    place = "";
    void follow();
  });
  // A browser comes back by itself where the connection broke off, and not where the answer
  // was no stream.
  stream.onerror = () => {
    connected.value = false;
    if (stream.readyState === EventSource.CLOSED && stream === source) again();
  };
}

// A browser has six connections to a server: pages that nobody looks at leave theirs.
document.addEventListener("visibilitychange", () => {
  if (!user.peek()) return;
  clearTimeout(timer);
  if (document.hidden) timer = setTimeout(close, 60_000);
  else if (!source || source.readyState === EventSource.CLOSED) void follow();
});
addEventListener("online", () => user.peek() && !connected.peek() && void follow());

// enter begins to follow what is this user's.
export function enter(who: User): void {
  era++;
  place = "";
  tries = 0;
  user.value = who;
  void follow();
}

// leave forgets everything.
export function leave(): void {
  era++;
  close();
  batch(() => {
    user.value = null;
    tasks.value = new Map();
    lists.value = new Map();
    loaded.value = false;
    connected.value = true;
  });
}

whenSignedOut(leave);

// start finds out who is signed in.
export async function start(): Promise<void> {
  try {
    enter((await request<User>("GET", "/api/auth/me")).data);
  } catch (e) {
    if (user.peek() === undefined) {
      connected.value = false;
      setTimeout(() => void start(), 2_000); // the server does not answer
    }
  }
}
