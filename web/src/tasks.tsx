// The views of tasks: a heading, a field for a new one, and groups of them.
import { computed } from "@preact/signals";
import { useMemo, useState } from "preact/hooks";
import { Add } from "./add";
import { byDue, inOrder } from "./changes";
import { listName } from "./choose";
import { dayOf, isOverdue, now, plusDays, sayDay, todayIn } from "./dates";
import { kept } from "./kept";
import { flat, folded, Rows, type Group, type Item } from "./rows";
import type { List, Task } from "./schema";
import { lists, mayWrite, tasks, user, zone } from "./store";
import { t } from "./texts";

const open = computed(() => [...tasks.value.values()].filter((task) => !task.is_complete));
// Of lists that are put away nothing is in the views of all lists.
const current = computed(() => open.value.filter((task) => !lists.value.get(task.list_id)?.is_archived));
const today = computed(() => todayIn(zone.value));

export const overdue = computed(() => current.value.filter((task) => isOverdue(task, zone.value)).sort(byDue));
// isDueToday works out the day of what is due about now alone: of thousands that takes long.
const isDueToday = (task: Task) => task.due_at !== null && Math.abs(Date.parse(task.due_at) - now.value) < 2 * 86_400_000 && dayOf(task, zone.value) === today.value;
export const dueToday = computed(() => current.value.filter((task) => isDueToday(task) && !isOverdue(task, zone.value)).sort(byDue));
const assigned = computed(() => current.value.filter((task) => task.assignee_id === user.value?.id).sort(byDueOrNever));

// openIn counts the open tasks of each list.
export const openIn = computed(() => {
  const counts = new Map<string, number>();
  for (const task of open.value) counts.set(task.list_id, (counts.get(task.list_id) ?? 0) + 1);
  return counts;
});

// byDueOrNever is byDue, and what is never due comes last.
export function byDueOrNever(a: Task, b: Task): number {
  if ((a.due_at === null) !== (b.due_at === null)) return a.due_at === null ? 1 : -1;
  return byDue(a, b);
}

// byDay are groups of tasks, which are sorted by when they are due.
function byDay(some: Task[]): Group[] {
  const days = new Map<string, { title: string; tasks: Task[] }>();
  for (const task of some) {
    const late = isOverdue(task, zone.value);
    const key = late ? "overdue" : dayOf(task, zone.value);
    const day = days.get(key);
    if (day) day.tasks.push(task);
    else days.set(key, { title: late ? t.overdue : key === "" ? t.select.neverDue : sayDay(key, zone.value), tasks: [task] });
  }
  return [...days].map(([key, day]) => ({ key, title: day.title, items: flat(day.tasks) }));
}

const todayGroups = computed(() =>
  [
    { key: "overdue", title: t.overdue, items: flat(overdue.value) },
    { key: "today", title: t.today, items: flat(dueToday.value) },
  ].filter((group) => group.items.length > 0),
);
const coming = computed(() => byDay(current.value.filter((task) => dayOf(task, zone.value) > today.value).sort(byDue)));
const assignedGroups = computed(() => byDay(assigned.value));

export function Today() {
  return (
    <>
      <Add label={t.addToday} day={today.value} />
      {todayGroups.value.length === 0 && <p class="empty">{t.nothingToday}</p>}
      <Rows groups={todayGroups.value} withList />
    </>
  );
}

export function Upcoming() {
  return (
    <>
      <Add label={t.addTomorrow} day={plusDays(today.value, 1)} />
      {coming.value.length === 0 && <p class="empty">{t.nothingUpcoming}</p>}
      <Rows groups={coming.value} withList />
    </>
  );
}

export function Assigned() {
  return (
    <>
      {assigned.value.length === 0 && <p class="empty">{t.select.nothingAssigned}</p>}
      <Rows groups={assignedGroups.value} withList />
    </>
  );
}

// inTheirOrder are the open tasks of a list, each with its subtasks below it.
function inTheirOrder(some: Task[]): Item[] {
  const ids = new Set(some.map((task) => task.id));
  const below = new Map<string, Task[]>([["", []]]);
  for (const task of inOrder(some)) {
    const parent = task.parent_id !== null && ids.has(task.parent_id) ? task.parent_id : "";
    const beside = below.get(parent);
    if (beside) beside.push(task);
    else below.set(parent, [task]);
  }
  const closed = new Set(folded.value);
  const top = below.get("")!;
  return top.flatMap((task, i): Item[] => {
    const subtasks = below.get(task.id) ?? [];
    const item: Item = { task, level: 1, at: i + 1, of: top.length, below: subtasks.length };
    if (closed.has(task.id)) return [item];
    return [item, ...subtasks.map((sub, j): Item => ({ task: sub, level: 2, at: j + 1, of: subtasks.length, below: 0 }))];
  });
}

// groupings are by what lists are grouped: those that are not in it by nothing.
type Grouping = "due" | "priority";
const [groupings, keepGroupings] = kept<Record<string, Grouping>>("groups", {}, (v) => typeof v === "object" && v !== null && !Array.isArray(v));

function grouped(some: Task[], by: Grouping | undefined): Group[] {
  if (by === "due") return byDay(some.sort(byDueOrNever));
  if (by !== "priority") return [{ key: "", items: inTheirOrder(some) }];
  const all = inOrder(some);
  return (["urgent", "high", "medium", "low", "none"] as const)
    .map((p) => ({ key: p, title: p === "none" ? t.select.noPriority : t.priorities[p], items: flat(all.filter((task) => task.priority === p)) }))
    .filter((group) => group.items.length > 0);
}

// ListView has the tasks of a list in their order, each with its subtasks below it, or in groups.
export function ListView({ list }: { list: List }) {
  const [shown, setShown] = useState(false);
  const { groups, done } = useMemo(() => {
    const all = computed(() => [...tasks.value.values()].filter((task) => task.list_id === list.id));
    return {
      groups: computed(() => grouped(all.value.filter((task) => !task.is_complete), groupings.value[list.id])),
      done: computed(() => [{ key: "done", items: flat(all.value.filter((task) => task.is_complete).sort((a, b) => ((a.completed_at ?? "") < (b.completed_at ?? "") ? 1 : -1))) }]),
    };
  }, [list.id]);
  const by = groupings.value[list.id];
  const nDone = done.value[0]!.items.length;
  const empty = !groups.value.some((group) => group.items.length > 0);
  return (
    <>
      {mayWrite(list.id) ? <Add label={t.addTo(listName(list))} list={list.id} /> : <p>{t.readOnly}</p>}
      {empty ? (
        <p class="empty">{t.nothingHere}</p>
      ) : (
        <p class="group-by">
          <label for="group-by">{t.select.groupBy}</label>{" "}
          <select
            id="group-by"
            value={by ?? "nothing"}
            onChange={(e) => {
              const { [list.id]: _, ...others } = groupings.value;
              const to = e.currentTarget.value as Grouping | "nothing";
              keepGroupings(to === "nothing" ? others : { ...others, [list.id]: to });
            }}
          >
            {(["nothing", "due", "priority"] as const).map((one) => (
              <option key={one} value={one}>
                {t.select.groupings[one]}
              </option>
            ))}
          </select>
        </p>
      )}
      <Rows key={by ?? ""} groups={groups.value} movable={!by} />
      {nDone > 0 && (
        <details class="done" open={shown} onToggle={(e) => setShown(e.currentTarget.open)}>
          <summary>{t.completed(nDone)}</summary>
          {shown && <Rows groups={done.value} />}
        </details>
      )}
    </>
  );
}
