// Tasks in other places: dragged by their handle, or made part of another one. And what a
// finger does to a row: to the right completes, to the left deletes.
import { signal } from "@preact/signals";
import { placeTask } from "./changes";
import { siblings } from "./commands";
import { request } from "./api";
import { focusTask, fold, remove, shownItems, toggle } from "./rows";
import type { BulkOperation, Task, TaskMove } from "./schema";
import { bulk, moveToList, selected, selecting } from "./select";
import { mayWrite, putTask, tasks } from "./store";
import { t } from "./texts";
import { changing, complain, offerUndo } from "./toast";

// dragged are the tasks that are on their way, and what they are over: a task, before or
// after which they go, or a list.
export const dragged = signal<{ ids: string[]; over: string; after: boolean } | null>(null);
// swiped is the row that follows a finger, and whether that is far enough.
export const swiped = signal<{ id: string; far: boolean } | null>(null);

async function place(task: Task, to: TaskMove): Promise<void> {
  if (to.parent_id === undefined) return placeTask(task, to); // also without a server
  try {
    const a = await changing(request<Task>("POST", `/api/tasks/${task.id}/move`, to));
    putTask(a.data);
    offerUndo(t.moved(a.data.title), a.requestId);
  } catch (e) {
    complain(e);
  }
}

// indent makes a task the last subtask of the one above it.
export async function indent(task: Task): Promise<void> {
  const beside = siblings(tasks.peek().values(), task);
  const above = beside[beside.findIndex((o) => o.id === task.id) - 1];
  if (task.parent_id !== null || !above) return;
  fold(above.id, false);
  await place(task, { parent_id: above.id });
  focusTask(task.id);
}

// outdent puts a subtask behind the task that it was part of.
export async function outdent(task: Task): Promise<void> {
  if (task.parent_id === null) return;
  await place(task, { parent_id: null, after: task.parent_id });
  focusTask(task.id);
}

// drop puts tasks before or after another one, under whose parent they are then.
async function drop(ids: string[], over: string, after: boolean): Promise<void> {
  const moving = ids.flatMap((id) => tasks.peek().get(id) ?? []);
  const items = shownItems();
  const at = items.findIndex((item) => item.task.id === over);
  let next = items[at];
  if (!next) return;
  // Below a task whose subtasks are shown is before the first of them.
  const first = items[at + 1];
  if (after && next.below > 0 && first?.level === 2) [next, after] = [first, false];
  let beside = next.task;
  let parent = next.level === 2 ? beside.parent_id : null;
  // What has subtasks is none itself: it goes behind the whole.
  if (parent !== null && [...tasks.peek().values()].some((task) => ids.includes(task.parent_id ?? ""))) [beside, after, parent] = [tasks.peek().get(parent) ?? beside, true, null];
  if (ids.includes(beside.id)) return;
  const moves = moving.map((task, i): TaskMove => {
    const to: TaskMove = i > 0 ? { after: moving[i - 1]!.id } : after ? { after: beside.id } : { before: beside.id };
    return task.parent_id === parent ? to : { ...to, parent_id: parent };
  });
  if (moving.length === 1) await place(moving[0]!, moves[0]!);
  else await bulk(moves.map((to, i): BulkOperation => ({ op: "move", id: moving[i]!.id, body: { ...to } })), t.select.moved);
}

const edge = 60; // px from the edge of the window, where it scrolls

// grab is for a pointer that goes down on rows.
export function grab(e: PointerEvent & { currentTarget: HTMLElement }): void {
  const at = e.target as HTMLElement;
  const row = at.closest<HTMLElement>("[data-task]");
  const task = tasks.peek().get(row?.dataset.task ?? "");
  if (!row || !task || e.button !== 0 || !mayWrite(task.list_id)) return;
  if (at.closest(".handle")) drag(e, task);
  else if (e.pointerType === "touch" && !selecting.peek()) swipe(e, row, task);
}

// follow calls what is said for the pointer until it is up or taken away.
function follow(e: PointerEvent, move: (now: PointerEvent) => void, end: (done: boolean) => void): () => void {
  const stop = new AbortController();
  const over = (done: boolean) => {
    stop.abort();
    end(done);
  };
  const on = (type: string, f: (now: PointerEvent) => void) =>
    addEventListener(type, (now) => (now as PointerEvent).pointerId === e.pointerId && f(now as PointerEvent), { signal: stop.signal });
  on("pointermove", move);
  on("pointerup", () => over(true));
  on("pointercancel", () => over(false));
  addEventListener(
    "keydown",
    (key) => {
      if (key.key !== "Escape") return;
      key.preventDefault();
      over(false);
    },
    { signal: stop.signal, capture: true },
  );
  return () => over(false);
}

function drag(e: PointerEvent & { currentTarget: HTMLElement }, task: Task): void {
  e.preventDefault(); // it selects no text
  // The row may be drawn no more when it is far away: what it is in has the pointer.
  e.currentTarget.setPointerCapture(e.pointerId);
  const ids = selected.peek().has(task.id) ? shownItems().flatMap((item) => (selected.peek().has(item.task.id) ? item.task.id : [])) : [task.id];
  let [x, y] = [e.clientX, e.clientY];
  let frame = 0;
  const look = () => {
    const under = document.elementFromPoint(x, y);
    const row = under?.closest<HTMLElement>("[data-movable]");
    const list = under?.closest<HTMLElement>("[data-list]")?.dataset.list;
    const box = row?.getBoundingClientRect();
    const over = list ?? row?.dataset.task ?? "";
    const after = !!box && y > box.top + box.height / 2;
    const now = dragged.peek();
    if (now?.over !== over || now.after !== after) dragged.value = { ids, over: ids.includes(over) ? "" : over, after };
  };
  const scroll = () => {
    const by = y < edge ? y - edge : y > innerHeight - edge ? y - innerHeight + edge : 0;
    if (by !== 0) {
      scrollBy({ top: by / 3, behavior: "instant" });
      look();
    }
    frame = requestAnimationFrame(scroll);
  };
  frame = requestAnimationFrame(scroll);
  follow(
    e,
    (now) => {
      [x, y] = [now.clientX, now.clientY];
      look();
    },
    (done) => {
      cancelAnimationFrame(frame);
      const to = dragged.peek();
      dragged.value = null;
      if (!done || !to?.over) return;
      if (tasks.peek().has(to.over)) void drop(ids, to.over, to.after);
      else void moveToList(ids, to.over);
    },
  );
}

const slack = 14; // px that a finger moves on its way to a tap

function swipe(e: PointerEvent & { currentTarget: HTMLElement }, row: HTMLElement, task: Task): void {
  const box = e.currentTarget;
  const enough = Math.min(140, row.offsetWidth * 0.35);
  let by = 0;
  const stop = follow(
    e,
    (now) => {
      const [x, y] = [now.clientX - e.clientX, now.clientY - e.clientY];
      if (!swiped.peek()) {
        // Up and down scrolls: then the browser takes the pointer away.
        if (Math.abs(y) > slack && Math.abs(y) >= Math.abs(x)) return stop();
        if (Math.abs(x) < slack || Math.abs(x) < 2 * Math.abs(y)) return;
        box.setPointerCapture(e.pointerId);
      }
      by = x;
      row.style.transform = `translateX(${x}px)`;
      const far = Math.abs(x) >= enough;
      if (swiped.peek()?.far !== far) swiped.value = { id: task.id, far };
    },
    (done) => {
      const far = swiped.peek()?.far;
      swiped.value = null;
      row.style.transform = "";
      if (done && far) void (by > 0 ? toggle : remove)(tasks.peek().get(task.id) ?? task);
    },
  );
}
