// What people do to tasks, as commands: they wait in the outbox until the server has
// answered them, and are seen as if it had.
import { signal } from "@preact/signals";
import type { QuickAddInput, Task, TaskMove, TaskPatch } from "./schema";
import { newId } from "./local";

export type Deed =
  | { op: "add"; input: QuickAddInput }
  // base is what the texts were that the patch changes.
  | { op: "edit"; patch: TaskPatch; base: Texts; following?: boolean }
  | { op: "complete"; is_complete: boolean }
  | { op: "move"; move: TaskMove }
  | { op: "delete" }
  | { op: "restore"; row: Task };

export type Command = Deed & {
  id: string; // also its Idempotency-Key
  task: string;
  title: string; // for who is told of it
  tried?: boolean; // the server may have it already
};

// Texts are the fields of which none is written over by another one.
export type Texts = { title?: string; description?: string };
export const textFields = ["title", "description"] as const;

// pending are the commands that the server has not answered, in their order.
export const pending = signal<readonly Command[]>([]);

export const command = (deed: Deed, task: Pick<Task, "id" | "title">): Command => ({ ...deed, id: newId(), task: task.id, title: task.title });

// textsOf are the texts of a task that a patch changes.
export function textsOf(patch: TaskPatch, task: Task): Texts {
  const texts: Texts = {};
  for (const f of textFields) if (f in patch) texts[f] = task[f];
  return texts;
}

// inOrder are tasks in the order that people have given them.
export const inOrder = (some: Task[]): Task[] => some.sort((a, b) => a.position - b.position || (a.id < b.id ? -1 : 1));

// siblings are the open tasks among which a task is moved.
export const siblings = (tasks: Iterable<Task>, of: Task): Task[] =>
  inOrder([...tasks].filter((o) => o.list_id === of.list_id && o.parent_id === of.parent_id && !o.is_complete));

// inverse undoes a command that may have arrived. The task is as it was before.
export function inverse(c: Command, task: Task | undefined, all: Iterable<Task>): Command | undefined {
  if (c.op === "add") return command({ op: "delete" }, { id: c.task, title: c.title });
  if (!task) return undefined;
  if (c.op === "delete") return command({ op: "restore", row: task }, task);
  if (c.op === "complete") return command({ op: "complete", is_complete: task.is_complete }, task);
  if (c.op === "edit") {
    const patch: Record<string, unknown> = {};
    for (const f in c.patch) patch[f] = task[f as keyof Task];
    return command({ op: "edit", patch: patch as TaskPatch, base: textsOf(c.patch, { ...task, ...(c.patch as Partial<Task>) }) }, task);
  }
  if (c.op !== "move") return undefined;
  const row = siblings(all, task);
  const at = row.findIndex((o) => o.id === task.id);
  const [before, after] = [row[at + 1], row[at - 1]];
  const move: TaskMove | undefined = before ? { before: before.id } : after && { after: after.id };
  return move && command({ op: "move", move }, task);
}

const beyond = 2 ** 54; // behind all places of the server; there each fourth number is exact

// replay changes tasks as the commands do.
export function replay(tasks: Map<string, Task>, commands: readonly Command[], user: { id: string; timezone: string }, inbox: string): Map<string, Task> {
  commands.forEach((c, n) => {
    const task = tasks.get(c.task);
    if (c.op === "add") {
      if (!task) tasks.set(c.task, placeholder(c.task, c.input, beyond + 4 * n, user, inbox));
      return;
    }
    if (c.op === "restore") {
      if (!task) tasks.set(c.task, c.row);
      return;
    }
    if (!task) return;
    switch (c.op) {
      case "edit":
        tasks.set(c.task, patched(task, c.patch, user.id));
        break;
      case "complete":
        tasks.set(c.task, { ...task, is_complete: c.is_complete });
        break;
      case "move":
        tasks.set(c.task, { ...task, position: placeOf(tasks, task, c.move) });
        break;
      case "delete":
        for (const o of tasks.values()) if (o.id === c.task || o.parent_id === c.task) tasks.delete(o.id);
    }
  });
  return tasks;
}

// patched is a task as the server would have it: a rule and one's own reminders are merged.
function patched(task: Task, { recurrence, reminders, ...rest }: TaskPatch, user: string): Task {
  const now = { ...task, ...(rest as Partial<Task>) };
  if (recurrence === null) now.recurrence = null;
  else if (recurrence) now.recurrence = { basis: "due", month_end: "clamp", dst_gap: "forward", missed: "collapse", ...task.recurrence, ...recurrence } as NonNullable<Task["recurrence"]>;
  if (reminders) now.reminders = [...reminders.map((r) => ({ ...r, user_id: user })), ...task.reminders.filter((r) => r.user_id !== user)] as Task["reminders"];
  return now;
}

function placeOf(tasks: Map<string, Task>, task: Task, move: TaskMove): number {
  const beside = tasks.get(move.before ?? move.after ?? "");
  if (!beside) return task.position;
  const row = siblings(tasks.values(), beside).filter((o) => o.id !== task.id);
  const found = row.findIndex((o) => o.id === beside.id);
  if (found < 0) return beside.position + (move.before ? -0.5 : 0.5); // it has been completed meanwhile
  const at = found + (move.before ? 0 : 1);
  const [left, right] = [row[at - 1], row[at]];
  if (!left) return right ? right.position - 1 : task.position;
  return right ? (left.position + right.position) / 2 : left.position + 1;
}

// placeholder is a task as far as it is known before the server has read the text. Its
// version is 0.
function placeholder(id: string, input: QuickAddInput, position: number, user: { id: string; timezone: string }, inbox: string): Task {
  const at = input.captured_at ?? "";
  return {
    id, position, title: input.text, description: "", list_id: input.list_id ?? inbox, parent_id: null, user_id: user.id, assignee_id: null,
    due_at: input.due_on ? input.due_on + "T00:00:00Z" : null, all_day: !!input.due_on, timezone: input.timezone ?? user.timezone,
    is_complete: false, completed_at: null, priority: "none", tags: [], reminders: [], recurrence: null, series_id: null, occurrence: null,
    created_at: at, updated_at: at, version: 0,
  };
}
