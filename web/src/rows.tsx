// The rows of tasks. Of many, those near what is seen are in the document and no others.
import { signal } from "@preact/signals";
import { useLayoutEffect, useMemo, useReducer, useRef } from "preact/hooks";
import { deleteTask, moveTask, setComplete } from "./changes";
import { isOverdue, sayDue } from "./dates";
import { dragged, grab, indent, outdent, swiped } from "./drag";
import { edited } from "./editor";
import { shownHistory } from "./history";
import { kept } from "./kept";
import { sayRule } from "./recurrence";
import type { Task } from "./schema";
import { changed, pick, pickTo, selected, selecting } from "./select";
import { deferTask, mayDefer, maySkip, skipTask } from "./series";
import { lists, mayWrite, zone } from "./store";
import { t } from "./texts";
import { State } from "./waiting";

// Item is a task in its place among those beside it, with the number of its subtasks.
export interface Item {
  task: Task;
  level: 1 | 2;
  at: number;
  of: number;
  below: number;
}

export interface Group {
  key: string;
  title?: string;
  items: Item[];
}

// flat are tasks without regard to what is a subtask.
export const flat = (some: Task[]): Item[] => some.map((task, i) => ({ task, level: 1, at: i + 1, of: some.length, below: 0 }));

// folded are the tasks whose subtasks are not shown.
const [foldedIDs, keepFolded] = kept<string[]>("folded", [], (v) => Array.isArray(v) && v.every((id) => typeof id === "string"));
export const folded = foldedIDs;

export function fold(id: string, yes: boolean): void {
  const others = folded.peek().filter((one) => one !== id);
  keepFolded(yes ? [...others.slice(-499), id] : others);
}

// unfolded is the task whose actions are shown.
const unfolded = signal<string | null>(null);

// So many rows are all drawn: a browser then finds text in each of them.
const few = 200;
// How far beyond what is seen rows are drawn, and at how little of that more are, in pixels.
const ahead = 800;
const near = 200;

interface Entry {
  key: string;
  group: Group;
  item?: Item; // none for a heading
}

const kindOf = ({ item }: Entry) => (!item ? 0 : item.task.due_at !== null || item.task.tags.length > 0 || item.task.priority !== "none" ? 1 : 2);

// Slice is which rows are drawn. It knows the heights of those that were, and takes others for
// as high as the first of their kind.
class Slice {
  entries: Entry[] = [];
  from = 0;
  to = 0;
  tops = new Float64Array(1); // of each row, and the end of the last one
  private heights = new Map<string, number>();
  private usual = [56, 70, 46];

  set(groups: Group[]): void {
    this.entries = [];
    for (const group of groups) {
      if (group.title !== undefined) this.entries.push({ key: "group " + group.key, group });
      for (const item of group.items) this.entries.push({ key: item.task.id, group, item });
    }
    const n = this.entries.length;
    this.from = n <= few ? 0 : Math.min(this.from, Math.max(0, n - 60));
    this.to = n <= few ? n : Math.min(n, Math.max(this.to, this.from + 60));
    if (n > few) this.place();
  }

  get partly(): boolean {
    return this.entries.length > few;
  }

  place(): void {
    const { entries, heights, usual } = this;
    if (this.tops.length !== entries.length + 1) this.tops = new Float64Array(entries.length + 1);
    let top = 0;
    for (let i = 0; i < entries.length; i++) {
      this.tops[i] = top;
      top += heights.get(entries[i]!.key) ?? usual[kindOf(entries[i]!)]!;
    }
    this.tops[entries.length] = top;
  }

  measure(box: HTMLElement): void {
    const unknown = Array<boolean>(3).fill(this.heights.size === 0);
    for (const [i, row] of [...box.querySelectorAll("h2, li")].entries()) {
      const entry = this.entries[this.from + i];
      if (!entry) break; // it is drawn anew in a moment
      const kind = kindOf(entry);
      if (kind === 0) continue; // its margins are not in its height
      const { height } = row.getBoundingClientRect();
      if (unknown[kind]) this.usual[kind] = height;
      unknown[kind] = false;
      this.heights.set(entry.key, height);
    }
    this.place();
  }

  forget(): void {
    this.heights.clear();
  }

  // at is the row at a height.
  private at(y: number): number {
    let [low, high] = [0, this.entries.length];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.tops[middle]! <= y) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  // show has what is between two heights drawn. It returns whether that is something else.
  show(top: number, bottom: number): boolean {
    const n = this.entries.length;
    if ((this.from === 0 || this.tops[this.from]! <= top - near) && (this.to === n || this.tops[this.to]! >= bottom + near)) return false;
    const [from, to] = [this.at(top - ahead), Math.min(n, this.at(Math.max(0, bottom) + ahead) + 1)];
    const other = from !== this.from || to !== this.to;
    [this.from, this.to] = [from, to];
    return other;
  }

  indexOf(id: string): number {
    return this.entries.findIndex((entry) => entry.key === id);
  }
}

interface Shown {
  items: () => Item[];
  reveal: (id: string) => void;
}

const shown = new Set<Shown>();

// shownItems are the tasks of the view in their order, drawn or not.
export const shownItems = (): Item[] => [...shown].flatMap((one) => one.items());
export const shownTasks = (): string[] => shownItems().map((item) => item.task.id);

export const rowOf = (id: string): HTMLElement | undefined => [...document.querySelectorAll<HTMLElement>("main [data-task]")].find((row) => row.dataset.task === id);

// focusTask puts the focus on a task: at once, for the next key, and when all is drawn, unless
// it has been put elsewhere meanwhile.
export function focusTask(id: string | undefined): void {
  if (!id) return;
  const focus = () => rowOf(id)?.querySelector<HTMLElement>(".title")?.focus();
  focus();
  const was = document.activeElement;
  const again = () => (document.activeElement === was || document.activeElement === document.body) && focus();
  requestAnimationFrame(() => {
    if (rowOf(id)) return again();
    for (const one of shown) one.reveal(id);
    requestAnimationFrame(again);
  });
}

// lastFocused is the task that had the focus: that is lost when its row is drawn no more.
export let lastFocused = "";

export function Rows(p: { groups: Group[]; movable?: boolean; withList?: boolean }) {
  const box = useRef<HTMLDivElement>(null);
  const slice = useMemo(() => new Slice(), []);
  const wanted = useRef("");
  const [, draw] = useReducer((n: number) => n + 1, 0);
  useMemo(() => slice.set(p.groups), [p.groups]);
  const look = () => {
    const { top } = box.current!.getBoundingClientRect();
    if (slice.partly && slice.show(Math.max(0, -top), innerHeight - top)) draw(0);
  };
  useLayoutEffect(() => {
    if (!slice.partly) return;
    slice.measure(box.current!);
    const at = wanted.current === "" ? -1 : slice.indexOf(wanted.current);
    wanted.current = "";
    if (at >= 0) scrollBy({ top: box.current!.getBoundingClientRect().top + slice.tops[at]! - innerHeight / 2, behavior: "instant" });
    look();
  });
  useLayoutEffect(() => {
    const mine: Shown = {
      items: () => slice.entries.flatMap((entry) => entry.item ?? []),
      reveal: (id) => {
        const at = slice.indexOf(id);
        if (at < 0) return;
        wanted.current = id;
        const top = Math.max(0, slice.tops[at]! - innerHeight / 2);
        slice.show(top, top + innerHeight);
        draw(0);
      },
    };
    const resized = () => {
      slice.forget();
      draw(0);
    };
    shown.add(mine);
    addEventListener("scroll", look, { passive: true });
    addEventListener("resize", resized);
    return () => {
      shown.delete(mine);
      removeEventListener("scroll", look);
      removeEventListener("resize", resized);
    };
  }, []);

  const parts = [];
  for (let i = slice.from; i < slice.to; ) {
    const { group, item } = slice.entries[i]!;
    const begins = !item;
    if (begins) i++;
    const items: Item[] = [];
    for (; i < slice.to && slice.entries[i]!.group === group; i++) items.push(slice.entries[i]!.item!);
    const list = (
      <ul class="tasks" key={group.key}>
        {items.map((one) => (
          <Row key={one.task.id} {...one} movable={p.movable ?? false} withList={p.withList ?? false} />
        ))}
      </ul>
    );
    parts.push(
      group.title === undefined ? (
        list
      ) : (
        <section key={group.key} aria-label={group.title}>
          {begins && <h2>{group.title}</h2>}
          {list}
        </section>
      ),
    );
  }
  return (
    <div class="rows" ref={box} onPointerDown={grab} onFocusIn={(e) => (lastFocused = (e.target as HTMLElement).closest<HTMLElement>("[data-task]")?.dataset.task ?? lastFocused)}>
      {slice.partly && <div style={{ height: slice.tops[slice.from] + "px" }} />}
      {parts}
      {slice.partly && <div style={{ height: slice.tops[slice.entries.length]! - slice.tops[slice.to]! + "px" }} />}
    </div>
  );
}

// beside is the task that has the focus when this one has gone from its place, with its subtasks.
function beside(id: string): string | undefined {
  const ids = shownItems().filter(({ task }) => task.parent_id !== id).map(({ task }) => task.id);
  const at = ids.indexOf(id);
  return ids[at + 1] ?? ids[at - 1];
}

// leaves gives the focus to the task beside one that a change takes out of the view.
function leaves(id: string, change: Promise<unknown>): void {
  const next = beside(id);
  void change.then(() => rowOf(id) ?? focusTask(next));
}

export async function toggle(task: Task): Promise<void> {
  const next = beside(task.id);
  const going = setComplete(task, !task.is_complete);
  focusTask(next);
  await going;
}

export async function remove(task: Task): Promise<void> {
  const next = beside(task.id);
  const going = deleteTask(task);
  focusTask(next);
  await going;
}

export async function move(task: Task, by: 1 | -1): Promise<void> {
  const going = moveTask(task, by);
  focusTask(task.id);
  await going;
}

function Row(p: Item & { movable: boolean; withList: boolean }) {
  const { task } = p;
  const { id, title } = task;
  const writable = mayWrite(task.list_id);
  const list = lists.value.get(task.list_id);
  const late = isOverdue(task, zone.value);
  const closed = folded.value.includes(id);
  const open = unfolded.value === id;
  const swipe = swiped.value?.id === id ? swiped.value : null;
  const drop = dragged.value?.over === id ? (dragged.value.after ? " drop-after" : " drop-before") : "";
  const meta: string[] = [];
  if (task.due_at !== null) meta.push((late ? t.overdue + ": " : "") + sayDue(task, zone.value));
  if (task.recurrence) meta.push(`${t.repeats}: ${sayRule(task.recurrence.rrule, task.recurrence.basis)}`);
  if (task.priority !== "none") meta.push(t.priorities[task.priority]);
  return (
    <li class={(p.level === 2 ? "sub" : "") + drop} aria-level={p.level} aria-posinset={p.at} aria-setsize={p.of}>
      {swipe && (
        <span class={swipe.far ? "swipe far" : "swipe"} aria-hidden="true">
          <span>{task.is_complete ? t.select.reopen : t.select.complete}</span>
          <span>{t.delete}</span>
        </span>
      )}
      <div class={`task ${task.priority}${dragged.value?.ids.includes(id) ? " dragged" : ""}`} data-task={id} {...(p.movable && writable ? { "data-movable": "" } : {})}>
        {p.movable && writable && (
          <span class="handle" aria-hidden="true">
            ⠿
          </span>
        )}
        {selecting.value ? (
          <input type="checkbox" class="pick" checked={selected.value.has(id)} disabled={!writable} aria-label={t.select.one(title)} onClick={(e) => (e.shiftKey ? pickTo(id) : pick(id))} />
        ) : (
          <input type="checkbox" checked={task.is_complete} disabled={!writable} aria-label={t.complete(title)} onChange={() => void toggle(task)} />
        )}
        <span class="what">
          <button class="title" dir="auto" onClick={(e) => (writable && e.shiftKey ? pickTo(id) : writable && (e.ctrlKey || e.metaKey) ? pick(id) : (edited.value = task))}>
            {title}
          </button>
          <State id={id} />
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
        {p.below > 0 && (
          <button class="quiet" aria-label={t.select.subtasks(title, p.below)} aria-expanded={!closed} onClick={() => fold(id, !closed)}>
            {closed ? `▸ ${p.below}` : "▾"}
          </button>
        )}
        <button class="quiet" aria-label={t.actionsFor(title)} aria-expanded={open} onClick={() => (unfolded.value = open ? null : id)}>
          ⋯
        </button>
      </div>
      {open && (
        <p class="buttons">
          <button onClick={() => (edited.value = task)}>{t.edit}</button>
          <button onClick={() => (shownHistory.value = task)}>{t.history}</button>
          {writable && p.movable && (
            <>
              <button onClick={() => void moveTask(task, -1)}>{t.moveUp}</button>
              <button onClick={() => void moveTask(task, 1)}>{t.moveDown}</button>
              {task.parent_id === null && p.below === 0 && p.at > 1 && <button onClick={() => void indent(task)}>{t.select.indent}</button>}
              {task.parent_id !== null && <button onClick={() => void outdent(task)}>{t.select.outdent}</button>}
            </>
          )}
          {writable && <button onClick={() => (changed.value = [id])}>{t.select.change}</button>}
          {writable && <button onClick={() => pick(id)}>{t.select.select}</button>}
          {writable && mayDefer(task) && (
            <>
              <button onClick={() => leaves(id, deferTask(task, 1))}>{t.deferDay}</button>
              <button onClick={() => leaves(id, deferTask(task, 7))}>{t.deferWeek}</button>
            </>
          )}
          {writable && maySkip(task) && <button onClick={() => leaves(id, skipTask(task))}>{t.skipThis}</button>}
          {writable && <button onClick={() => void remove(task)}>{maySkip(task) ? t.deleteSeries : t.delete}</button>}
        </p>
      )}
    </li>
  );
}
