// The views of tasks: a heading, a field for a new one, and groups of them.
import { computed, signal } from "@preact/signals";
import { useState } from "preact/hooks";
import { Add } from "./add";
import { byDue, deleteTask, inOrder, moveTask, setComplete } from "./changes";
import { dayOf, isOverdue, now, plusDays, sayDay, sayDue, wall } from "./dates";
import { edited } from "./editor";
import { shownHistory } from "./history";
import { sayRule } from "./recurrence";
import type { List, Task } from "./schema";
import { deferTask, mayDefer, maySkip, skipTask } from "./series";
import { lists, mayWrite, tasks, zone } from "./store";
import { t } from "./texts";
import { State } from "./waiting";

const open = computed(() => [...tasks.value.values()].filter((task) => !task.is_complete));
const today = computed(() => wall(now.value, zone.value).day);

export const overdue = computed(() => open.value.filter((task) => isOverdue(task, zone.value)).sort(byDue));
export const dueToday = computed(() => open.value.filter((task) => dayOf(task, zone.value) === today.value && !isOverdue(task, zone.value)).sort(byDue));
const coming = computed(() => open.value.filter((task) => dayOf(task, zone.value) > today.value).sort(byDue));

// openIn counts the open tasks of each list.
export const openIn = computed(() => {
  const counts = new Map<string, number>();
  for (const task of open.value) counts.set(task.list_id, (counts.get(task.list_id) ?? 0) + 1);
  return counts;
});

export function Today() {
  return (
    <>
      <Add label={t.addToday} day={today.value} />
      {overdue.value.length + dueToday.value.length === 0 && <p class="empty">{t.nothingToday}</p>}
      <Group title={t.overdue} tasks={overdue.value} />
      <Group title={t.today} tasks={dueToday.value} />
    </>
  );
}

export function Upcoming() {
  const days = new Map<string, Task[]>();
  for (const task of coming.value) {
    const day = dayOf(task, zone.value);
    days.set(day, [...(days.get(day) ?? []), task]);
  }
  return (
    <>
      <Add label={t.addTomorrow} day={plusDays(today.value, 1)} />
      {days.size === 0 && <p class="empty">{t.nothingUpcoming}</p>}
      {[...days].map(([day, some]) => (
        <Group key={day} title={sayDay(day, zone.value)} tasks={some} />
      ))}
    </>
  );
}

// ListView has the tasks of a list in their order, each with its subtasks below it.
export function ListView({ list }: { list: List }) {
  const [shown, setShown] = useState(false);
  const all = [...tasks.value.values()].filter((task) => task.list_id === list.id);
  const ids = new Set(all.filter((task) => !task.is_complete).map((task) => task.id));
  const below = new Map<string, Task[]>();
  for (const task of inOrder(all.filter((one) => !one.is_complete))) {
    const parent = task.parent_id !== null && ids.has(task.parent_id) ? task.parent_id : "";
    below.set(parent, [...(below.get(parent) ?? []), task]);
  }
  const done = all.filter((task) => task.is_complete).sort((a, b) => ((a.completed_at ?? "") < (b.completed_at ?? "") ? 1 : -1));
  return (
    <>
      {mayWrite(list.id) ? <Add label={t.addTo(list.is_inbox ? t.inbox : list.name)} list={list.id} /> : <p>{t.readOnly}</p>}
      {ids.size === 0 && <p class="empty">{t.nothingHere}</p>}
      <ul class="tasks">
        {(below.get("") ?? []).map((task) => (
          <Row key={task.id} task={task} below={below} movable />
        ))}
      </ul>
      {done.length > 0 && (
        <details class="done" open={shown} onToggle={(e) => setShown(e.currentTarget.open)}>
          <summary>{t.completed(done.length)}</summary>
          {shown && (
            <ul class="tasks">
              {done.map((task) => (
                <Row key={task.id} task={task} />
              ))}
            </ul>
          )}
        </details>
      )}
    </>
  );
}

function Group({ title, tasks: some }: { title: string; tasks: Task[] }) {
  if (some.length === 0) return null;
  return (
    <section aria-label={title}>
      <h2>{title}</h2>
      <ul class="tasks">
        {some.map((task) => (
          <Row key={task.id} task={task} withList />
        ))}
      </ul>
    </section>
  );
}

// unfolded is the task whose actions are shown.
const unfolded = signal<string | null>(null);

// focusTask puts the focus on a task once it is drawn.
export function focusTask(id: string | undefined): void {
  if (!id) return;
  requestAnimationFrame(() => {
    for (const row of document.querySelectorAll<HTMLElement>("[data-task]")) {
      if (row.dataset.task === id) return row.querySelector<HTMLElement>(".title")?.focus();
    }
  });
}

// rows are the tasks that are shown, in their order.
export const rows = (): HTMLElement[] => [...document.querySelectorAll<HTMLElement>("main [data-task]")];

// beside is the task that has the focus when this one has gone from its place.
function beside(id: string): string | undefined {
  const ids = rows().map((row) => row.dataset.task!);
  const at = ids.indexOf(id);
  return ids[at + 1] ?? ids[at - 1];
}

export async function toggle(task: Task): Promise<void> {
  const next = beside(task.id);
  const going = setComplete(task, !task.is_complete);
  focusTask(next);
  await going;
}

export async function remove(task: Task): Promise<void> {
  const next = beside(task.id);
  await deleteTask(task);
  focusTask(next);
}

export async function move(task: Task, by: 1 | -1): Promise<void> {
  await moveTask(task, by);
  focusTask(task.id);
}

function Row(p: { task: Task; below?: Map<string, Task[]>; withList?: boolean; movable?: boolean }) {
  const { task } = p;
  const writable = mayWrite(task.list_id);
  const list = lists.value.get(task.list_id);
  const late = isOverdue(task, zone.value);
  const children = p.below?.get(task.id) ?? [];
  const meta: string[] = [];
  if (task.due_at !== null) meta.push((late ? t.overdue + ": " : "") + sayDue(task, zone.value));
  if (task.recurrence) meta.push(`${t.repeats}: ${sayRule(task.recurrence.rrule, task.recurrence.basis)}`);
  if (task.priority !== "none") meta.push(t.priorities[task.priority]);
  return (
    <li>
      <div class={`task ${task.priority}`} data-task={task.id} {...(p.movable ? { "data-movable": "" } : {})}>
        <input type="checkbox" checked={task.is_complete} disabled={!writable} aria-label={t.complete(task.title)} onChange={() => void toggle(task)} />
        <span class="what">
          <button class="title" dir="auto" onClick={() => (edited.value = task)}>
            {task.title}
          </button>
          <State id={task.id} />
          {(meta.length > 0 || task.tags.length > 0 || p.withList) && (
            <span class={late ? "meta late" : "meta"}>
              {meta.map((m) => (
                <span key={m}>{m}</span>
              ))}
              {task.tags.map((tag) => (
                <span key={"#" + tag} dir="auto">
                  #{tag}
                </span>
              ))}
              {p.withList && list && !list.is_inbox && <span dir="auto">{list.name}</span>}
            </span>
          )}
        </span>
        <button class="quiet" aria-label={t.actionsFor(task.title)} aria-expanded={unfolded.value === task.id} onClick={() => (unfolded.value = unfolded.value === task.id ? null : task.id)}>
          ⋯
        </button>
      </div>
      {unfolded.value === task.id && (
        <p class="buttons">
          <button onClick={() => (edited.value = task)}>{t.edit}</button>
          <button onClick={() => (shownHistory.value = task)}>{t.history}</button>
          {writable && p.movable && (
            <>
              <button onClick={() => void moveTask(task, -1)}>{t.moveUp}</button>
              <button onClick={() => void moveTask(task, 1)}>{t.moveDown}</button>
            </>
          )}
          {writable && mayDefer(task) && (
            <>
              <button onClick={() => void deferTask(task, 1)}>{t.deferDay}</button>
              <button onClick={() => void deferTask(task, 7)}>{t.deferWeek}</button>
            </>
          )}
          {writable && maySkip(task) && <button onClick={() => void skipTask(task)}>{t.skipThis}</button>}
          {writable && <button onClick={() => void remove(task)}>{maySkip(task) ? t.deleteSeries : t.delete}</button>}
        </p>
      )}
      {children.length > 0 && (
        <ul class="tasks">
          {children.map((child) => (
            <Row key={child.id} task={child} below={p.below!} movable={p.movable ?? false} />
          ))}
        </ul>
      )}
    </li>
  );
}
