// What people do to tasks and lists. Each change says what it did, and offers to undo it.
import { request, Failure } from "./api";
import { dayOf } from "./dates";
import type { List, ListInput, ListPatch, QuickAdded, QuickAddInput, Task, TaskMove, TaskPatch } from "./schema";
import { dropList, dropTask, putList, putTask, tasks, zone } from "./store";
import { t } from "./texts";
import { changing, complain, offerUndo } from "./toast";

// change makes a request; it says what went wrong, and returns undefined then.
async function change<T>(method: string, path: string, body: unknown, say: (data: T) => string): Promise<T | undefined> {
  try {
    const a = await changing(request<T>(method, path, body));
    offerUndo(say(a.data), a.requestId);
    return a.data;
  } catch (e) {
    complain(e);
    return undefined;
  }
}

// quickAdd makes a task of what was typed. What the text says of a list or a date goes before
// the list and the day that are looked at.
export async function quickAdd(text: string, list: string | undefined, day: string | undefined): Promise<Task | undefined> {
  const input: QuickAddInput = { text };
  if (list) input.list_id = list;
  if (day) input.due_on = day;
  const made = await change<QuickAdded>("POST", "/api/quick-add", input, ({ task, spans }) => t.added(task.title, spans.map((span) => span.text)));
  if (made) putTask(made.task);
  return made?.task;
}

// setComplete shows at once what it does, and takes that back where it fails.
export async function setComplete(task: Task, complete: boolean): Promise<void> {
  putTask({ ...task, is_complete: complete });
  const done = await change<Task>("PATCH", `/api/tasks/${task.id}/complete`, { is_complete: complete }, (now) => (now.is_complete ? t.done : t.reopened)(now.title));
  if (done) putTask(done);
  else if (tasks.peek().get(task.id)?.version === task.version) putTask(task);
}

// saveTask sends what has changed alone, so that what others change meanwhile stays. It
// throws a Failure, which a form tells at its fields.
export async function saveTask(id: string, patch: TaskPatch): Promise<void> {
  const a = await changing(request<Task>("PATCH", `/api/tasks/${id}`, patch));
  putTask(a.data);
  offerUndo(t.saved, a.requestId);
}

export async function deleteTask(task: Task): Promise<void> {
  try {
    const a = await changing(request("DELETE", `/api/tasks/${task.id}`));
    dropTask(task.id);
    offerUndo(t.deleted(task.title), a.requestId);
  } catch (e) {
    if (e instanceof Failure && e.status === 404) dropTask(task.id); // somebody else was faster
    else complain(e);
  }
}

// inOrder are tasks in the order that people have given them.
export const inOrder = (some: Task[]): Task[] => some.sort((a, b) => a.position - b.position || (a.id < b.id ? -1 : 1));

// moveTask moves a task by one place among the open ones of its list.
export async function moveTask(task: Task, by: 1 | -1): Promise<void> {
  const beside = inOrder([...tasks.peek().values()].filter((o) => o.list_id === task.list_id && o.parent_id === task.parent_id && !o.is_complete));
  const other = beside[beside.findIndex((o) => o.id === task.id) + by];
  if (!other || task.is_complete) return;
  const move: TaskMove = by < 0 ? { before: other.id } : { after: other.id };
  const moved = await change<Task>("POST", `/api/tasks/${task.id}/move`, move, (now) => t.moved(now.title));
  if (moved) putTask(moved);
}

export async function makeList(input: ListInput): Promise<List | undefined> {
  const made = await change<List>("POST", "/api/lists", input, (list) => t.listMade(list.name));
  if (made) putList(made);
  return made;
}

export async function renameList(id: string, patch: ListPatch): Promise<List | undefined> {
  const list = await change<List>("PATCH", `/api/lists/${id}`, patch, (now) => (patch.name === undefined ? t.saved : t.listRenamed(now.name)));
  if (list) putList(list);
  return list;
}

export async function deleteList(list: List): Promise<boolean> {
  try {
    const a = await changing(request("DELETE", `/api/lists/${list.id}`));
    dropList(list.id);
    offerUndo(t.deleted(list.name), a.requestId);
    return true;
  } catch (e) {
    complain(e);
    return false;
  }
}

// byDue sorts by when tasks are due: an all-day task after those with a time of that day.
export function byDue(a: Task, b: Task): number {
  const [dayA, dayB] = [dayOf(a, zone.value), dayOf(b, zone.value)];
  if (dayA !== dayB) return dayA < dayB ? -1 : 1;
  if (a.all_day !== b.all_day) return a.all_day ? 1 : -1;
  return (a.due_at ?? "").localeCompare(b.due_at ?? "") || a.position - b.position || (a.id < b.id ? -1 : 1);
}
