// What people do to tasks and lists. Each change says what it did, and offers to undo it.
import { request, Failure } from "./api";
import { command, inOrder, inverse, siblings, textsOf, type Command } from "./commands";
import { dayOf } from "./dates";
import { newId } from "./local";
import { release, send, takeBack, type Outcome } from "./outbox";
import type { List, ListInput, ListPatch, QuickAdded, QuickAddInput, Task, TaskMove, TaskPatch } from "./schema";
import { dropList, putList, tasks, zone } from "./store";
import { t } from "./texts";
import { changing, complain, offer, offerUndo, undo } from "./toast";

export { inOrder };

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

// act does something to a task, now or as soon as the server is there. What is refused at
// once is said, and not kept: who calls has it still.
async function act(c: Command, say: (data: unknown) => string): Promise<Outcome> {
  const back = inverse(c, tasks.peek().get(c.task), tasks.peek().values());
  const o = await changing(send(c));
  if (o.state === "refused") release(c.id);
  else offer(o.state === "waiting" ? t.willBeSent(c.title) : o.conflict ? t.twoTexts : say(o.data), t.undo, () => void revoke(c, back));
  return o;
}

// revoke undoes a command, whether the server has it or not. What the server can not have
// needs no command back.
export async function revoke(c: Command, back?: Command): Promise<void> {
  const taken = await takeBack(c);
  if (taken && "request" in taken) return void undo(taken.request, t.undone, t.redo);
  if (!taken && !back) return complain(null);
  const again = (some: Command[]) => () => {
    for (const one of some) void act({ ...one, id: newId(), tried: false }, () => t.redone);
  };
  if (!taken) void send(back!);
  offer(t.undone, t.redo, again(taken ? taken.out : [c]));
}

// quickAdd makes a task of what was typed. What the text says of a list or a date goes before
// the list and the day that are looked at; tomorrow is the day after it was typed.
export async function quickAdd(text: string, list: string | undefined, day: string | undefined): Promise<Task | undefined> {
  const input: QuickAddInput = { text, captured_at: new Date().toISOString(), timezone: zone.peek() };
  if (list) input.list_id = list;
  if (day) input.due_on = day;
  const c = command({ op: "add", input }, { id: newId(), title: text });
  const o = await act(c, (data) => t.added((data as QuickAdded).task.title, (data as QuickAdded).spans.map((span) => span.text)));
  if (o.state === "saved") return (o.data as QuickAdded | undefined)?.task;
  if (o.state === "waiting") return tasks.peek().get(c.task);
  complain(o.failure);
  return undefined;
}

// complains says what was refused.
const complains = (o: Outcome): void => {
  if (o.state === "refused") complain(o.failure);
};

// setComplete shows at once what it does, and takes that back where it is refused.
export async function setComplete(task: Task, complete: boolean): Promise<void> {
  complains(await act(command({ op: "complete", is_complete: complete }, task), () => (complete ? t.done : t.reopened)(task.title)));
}

// saveTask sends what has changed alone, so that what others change meanwhile stays; was is
// the task that was changed. It throws a Failure, which a form tells at its fields. A new due
// time is that of this occurrence alone, unless it is to be that of the following ones, too.
export async function saveTask(id: string, patch: TaskPatch, was?: Task, following = false): Promise<void> {
  const now = tasks.peek().get(id);
  const of = was && was.version > 0 ? was : now;
  if (!of) throw new Failure(404, null);
  const o = await act(command({ op: "edit", patch, base: textsOf(patch, of), following }, of), () => t.saved);
  if (o.state === "refused") throw o.failure;
}

export async function deleteTask(task: Task): Promise<void> {
  complains(await act(command({ op: "delete" }, task), () => t.deleted(task.title)));
}

// moveTask moves a task by one place among the open ones of its list.
export async function moveTask(task: Task, by: 1 | -1): Promise<void> {
  const beside = siblings(tasks.peek().values(), task);
  const other = beside[beside.findIndex((o) => o.id === task.id) + by];
  if (!other || task.is_complete) return;
  const move: TaskMove = by < 0 ? { before: other.id } : { after: other.id };
  await placeTask(task, move);
}

// placeTask puts a task beside another one of those it is among.
export async function placeTask(task: Task, move: TaskMove): Promise<void> {
  complains(await act(command({ op: "move", move }, task), () => t.moved(task.title)));
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
