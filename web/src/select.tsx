// Several tasks at once: which are selected, and what becomes of them.
import { computed, effect, signal } from "@preact/signals";
import { useState } from "preact/hooks";
import { Field } from "./account";
import { refusal, request } from "./api";
import { Choose, listsFor } from "./choose";
import { instant, now, plusDays, wall } from "./dates";
import { Dialog } from "./dialog";
import { Buttons } from "./form";
import { route } from "./route";
import { shownTasks } from "./rows";
import type { BulkOperation, BulkOutput, Task, TaskPatch } from "./schema";
import { mayWrite, tasks, user, zone, takeOver } from "./store";
import { t } from "./texts";
import { changing, complain, offerUndoOf, said } from "./toast";

export const selecting = signal(false);
export const selected = signal<ReadonlySet<string>>(new Set());
// changed are the tasks whose common changes are asked for.
export const changed = signal<string[]>([]);
const busy = signal(false);
// anchor is where a range begins.
let anchor = "";

const chosen = computed(() => [...selected.value].flatMap((id) => tasks.value.get(id) ?? []));

export function selectNone(): void {
  selecting.value = false;
  selected.value = new Set();
}

const who = computed(() => user.value?.id);
effect(() => {
  // They are of one view, and of one user.
  if (who.value) void route.value;
  changed.value = [];
  selectNone();
});

const selectable = () => shownTasks().filter((id) => mayWrite(tasks.peek().get(id)?.list_id ?? ""));

function choose(ids: Set<string>): void {
  selecting.value = true;
  selected.value = ids;
}

export function pick(id: string): void {
  const next = new Set(selected.peek());
  if (!next.delete(id)) next.add(id);
  anchor = id;
  choose(next);
}

// pickTo selects all from where the selection began.
export function pickTo(id: string): void {
  const ids = selectable();
  const [a, b] = [ids.indexOf(anchor), ids.indexOf(id)].sort((x, y) => x - y) as [number, number];
  if (a < 0) return pick(id);
  choose(new Set([...selected.peek(), ...ids.slice(a, b + 1)]));
}

export function selectAll(): void {
  choose(new Set(selectable()));
}

const atOnce = 500; // as many as the API takes in a request

// bulk makes changes, each for itself, and says what has not been done: that stays selected.
export function bulk(operations: BulkOperation[], say: (n: number) => string): Promise<void> {
  busy.value = true;
  const make = async () => {
    const requests: string[] = [];
    const failed = new Map<string, unknown>();
    let done = 0;
    let left = operations;
    // What a busy server has not come to is asked for again as long as it comes to any.
    for (let before = Infinity; left.length > 0 && left.length < before; ) {
      before = left.length;
      const again: BulkOperation[] = [];
      for (let i = 0; i < left.length; i += atOnce) {
        const some = left.slice(i, i + atOnce);
        try {
          const a = await request<BulkOutput>("POST", "/api/tasks/bulk", { operations: some, atomic: false });
          requests.push(a.requestId);
          for (const [j, r] of a.data.results.entries()) {
            const o = some[j]!;
            failed.delete(o.id!);
            if (!r.problem || r.status === 404) done++;
            else failed.set(o.id!, await refusal(r.status, r.problem));
            if (r.status === 503) again.push(o);
          }
          take(some, a.data);
        } catch (e) {
          for (const o of left.slice(i)) failed.set(o.id!, e);
          break;
        }
      }
      left = again;
    }
    const [wrong] = failed.values();
    if (done === 0 && wrong) complain(wrong);
    else offerUndoOf(say(done) + (failed.size > 0 ? " " + t.select.notDone(failed.size, [...failed.keys()].slice(0, 3).map((id) => tasks.peek().get(id)?.title ?? id), said(wrong)) : ""), requests);
    selected.value = new Set([...failed.keys()].filter((id) => selected.peek().has(id)));
    if (failed.size === 0) selectNone();
    busy.value = false;
    // What had the focus may be gone with them.
    requestAnimationFrame(() => document.activeElement === document.body && document.querySelector("h1")?.focus());
  };
  return changing(make());
}

// take takes over what the API has answered, all at once.
function take(operations: BulkOperation[], { results }: BulkOutput): void {
  const gone = new Set<string>();
  for (const [i, { status }] of results.entries()) if (status === 204 || status === 404) gone.add(operations[i]!.id!);
  takeOver(results.flatMap(({ task }) => task ?? []), gone);
}

const of = (ids: string[]) => ids.flatMap((id) => tasks.peek().get(id) ?? []);

// firstSubtasks has subtasks before the tasks that they are part of.
const firstSubtasks = (some: Task[]) => [...some.filter((task) => task.parent_id !== null), ...some.filter((task) => task.parent_id === null)];

export async function completeAll(ids: string[]): Promise<void> {
  const some = of(ids);
  const complete = some.some((task) => !task.is_complete);
  const left = firstSubtasks(some.filter((task) => task.is_complete !== complete));
  await bulk(left.map(({ id }) => ({ op: "complete", id, body: { is_complete: complete } })), complete ? t.select.completed : t.select.reopened);
}

export async function deleteAll(ids: string[]): Promise<void> {
  const all = new Set(ids);
  // Subtasks go with their tasks.
  await bulk(of(ids).filter((task) => !all.has(task.parent_id ?? "")).map(({ id }) => ({ op: "delete", id })), t.select.deleted);
}

// listPatch moves a task to another list: a subtask with its task, or without it as a task.
const listPatch = (task: Task, list: string, all: Set<string>): TaskPatch =>
  task.list_id === list || all.has(task.parent_id ?? "") ? {} : task.parent_id === null ? { list_id: list } : { list_id: list, parent_id: null };

export async function moveToList(ids: string[], list: string): Promise<void> {
  const all = new Set(ids);
  await update(of(ids), (task) => listPatch(task, list, all), t.select.moved);
}

async function update(some: Task[], patchOf: (task: Task) => TaskPatch, say: (n: number) => string): Promise<void> {
  // A subtask before its task takes it along to another list, which is another version of it.
  const operations = firstSubtasks(some).flatMap((task): BulkOperation[] => {
    const patch = patchOf(task);
    if (Object.keys(patch).length === 0) return [];
    // Tags are sent as a whole: not over those that somebody else has given meanwhile.
    return [{ op: "update", id: task.id, body: { ...patch }, ...(patch.tags ? { if_match: `"${task.version}"` } : {}) }];
  });
  if (operations.length > 0) await bulk(operations, say);
  else selectNone();
}

const dues = ["keep", "none", "today", "tomorrow", "week", "on"] as const;

// duePatch has a task be due on a day: at its time, if it has one.
function duePatch(task: Task, day: string): TaskPatch {
  if (day === "") return { due_at: null, all_day: false };
  if (task.due_at === null || task.all_day) return { due_at: day + "T00:00:00Z", all_day: true };
  return { due_at: instant(day, wall(Date.parse(task.due_at), task.timezone).time, task.timezone).toISOString() };
}

// Change asks what is to be changed of several tasks.
export function Change() {
  return changed.value.length > 0 && <ChangeForm ids={changed.value} />;
}

function ChangeForm({ ids }: { ids: string[] }) {
  const [list, setList] = useState("");
  const [priority, setPriority] = useState("");
  const [due, setDue] = useState<(typeof dues)[number]>("keep");
  const [day, setDay] = useState("");
  const [add, setAdd] = useState("");
  const [drop, setDrop] = useState("");
  const close = () => (changed.value = []);
  const tagsOf = (text: string) => text.split(",").map((tag) => tag.trim().replace(/^#/, "").toLowerCase()).filter((tag) => tag !== "");
  const save = async () => {
    const today = wall(now.peek(), zone.peek()).day;
    const days = { none: "", today, tomorrow: plusDays(today, 1), week: plusDays(today, 7), on: day };
    const [added, dropped] = [tagsOf(add), tagsOf(drop)];
    const all = new Set(ids);
    close();
    await update(
      of(ids),
      (task) => {
        const patch: TaskPatch = list === "" ? {} : listPatch(task, list, all);
        if (priority !== "" && priority !== task.priority) patch.priority = priority as Task["priority"];
        if (due !== "keep") Object.assign(patch, duePatch(task, days[due]));
        const tags = [...new Set([...task.tags, ...added])].filter((tag) => !dropped.includes(tag));
        if (tags.join() !== task.tags.join()) patch.tags = tags;
        return patch;
      },
      t.select.changed,
    );
  };
  return (
    <Dialog title={ids.length === 1 ? t.select.changeOne(tasks.value.get(ids[0]!)?.title ?? "") : t.select.changeAll(ids.length)} onClose={close}>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          void save();
        }}
      >
        <div class="pair">
          <Choose id="change-list" label={t.list} value={list} options={[["", t.select.asItIs], ...listsFor()]} onChoose={setList} />
          <Choose id="change-priority" label={t.priority} value={priority} options={[["", t.select.asItIs], ...Object.entries(t.priorities)]} onChoose={setPriority} />
        </div>
        <div class="pair">
          <Choose id="change-due" label={t.dueDate} value={due} options={dues.map((d) => [d, t.select.dues[d]] as const)} onChoose={setDue} />
          {due === "on" && (
            <Field id="change-day" label={t.select.day}>
              <input id="change-day" type="date" required value={day} onInput={(e) => setDay(e.currentTarget.value)} />
            </Field>
          )}
        </div>
        <div class="pair">
          <Field id="change-add" label={t.select.addTags} hint={t.tagsHint}>
            <input id="change-add" dir="auto" value={add} aria-describedby="change-add-hint" onInput={(e) => setAdd(e.currentTarget.value)} />
          </Field>
          <Field id="change-drop" label={t.select.dropTags} hint={t.tagsHint}>
            <input id="change-drop" dir="auto" value={drop} aria-describedby="change-drop-hint" onInput={(e) => setDrop(e.currentTarget.value)} />
          </Field>
        </div>
        <Buttons does={t.save} onCancel={close} />
      </form>
    </Dialog>
  );
}

// Selection is what can be done to the tasks that are selected.
export function Selection() {
  if (!selecting.value) return null;
  const ids = chosen.value.map((task) => task.id);
  const none = ids.length === 0 || busy.value;
  return (
    <section class="selection" aria-label={t.select.selection}>
      <span role="status">{busy.value ? t.select.busy : t.select.count(ids.length)}</span>
      <button onClick={selectAll}>{t.select.all}</button>
      <button disabled={none} onClick={() => void completeAll(ids)}>
        {chosen.value.some((task) => !task.is_complete) || none ? t.select.complete : t.select.reopen}
      </button>
      <button disabled={none} onClick={() => (changed.value = ids)}>
        {t.select.change}
      </button>
      <button disabled={none} onClick={() => void deleteAll(ids)}>
        {t.delete}
      </button>
      <button onClick={selectNone}>{t.select.end}</button>
    </section>
  );
}

// Select begins a selection.
export function Select() {
  return (
    <button aria-pressed={selecting.value} onClick={() => (selecting.value ? selectNone() : (selecting.value = true))}>
      {t.select.select}
    </button>
  );
}
