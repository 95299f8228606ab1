// Everything by keyboard.
import { signal } from "@preact/signals";
import { useState } from "preact/hooks";
import { Dialog } from "./dialog";
import { edited } from "./editor";
import { shownHistory } from "./history";
import { indent, outdent } from "./drag";
import { go, route } from "./route";
import { fold, focusTask, lastFocused, move, remove, rowOf, shownTasks, toggle } from "./rows";
import type { Task } from "./schema";
import { search } from "./search";
import { changed, completeAll, deleteAll, pick, pickTo, selectAll, selected, selecting, selectNone } from "./select";
import { mayWrite, tasks, user } from "./store";
import { t } from "./texts";
import { undoLast } from "./toast";

export const helpShown = signal(false);

// Who dictates, or whose hand slips, can turn keys off that need no other one held.
const stored = "taskwire.single-keys";
const singleKeys = signal(read());

function read(): boolean {
  try {
    return localStorage.getItem(stored) !== "off";
  } catch {
    return true; // the browser keeps nothing
  }
}

function keep(on: boolean): void {
  singleKeys.value = on;
  try {
    localStorage.setItem(stored, on ? "on" : "off");
  } catch {
    // it is for this visit alone, then
  }
}

let afterG = 0; // when g was pressed

function focused(): Task | undefined {
  const row = document.activeElement?.closest<HTMLElement>("[data-task]");
  return row ? tasks.value.get(row.dataset.task!) : undefined;
}

// step goes to the task that is so many further on, and returns its id. It goes on from one that
// had the focus and is drawn no more.
function step(by: number): string | undefined {
  const ids = shownTasks();
  const here = ids.indexOf(focused()?.id ?? (rowOf(lastFocused) ? "" : lastFocused));
  const at = here >= 0 ? here + by : by > 0 ? 0 : ids.length - 1;
  const id = ids[Math.max(0, Math.min(ids.length - 1, at))];
  focusTask(id);
  return id;
}

addEventListener("keydown", (e) => {
  if (!user.value || e.defaultPrevented || e.ctrlKey || e.metaKey || e.isComposing || document.querySelector("dialog[open]")) return;
  const task = focused();
  if (e.altKey) {
    const by = e.key === "ArrowUp" ? -1 : e.key === "ArrowDown" ? 1 : 0;
    if (by === 0 || !task || !mayWrite(task.list_id) || !document.activeElement?.closest("[data-movable]")) return;
    e.preventDefault();
    void move(task, by);
    return;
  }
  const at = e.target as HTMLElement;
  const typing = at instanceof HTMLInputElement ? at.type !== "checkbox" : at instanceof HTMLTextAreaElement || at instanceof HTMLSelectElement;
  if (typing) {
    if (e.key === "Escape") at.blur();
    return;
  }
  if (!singleKeys.value) return;
  const g = Date.now() - afterG < 1_500;
  afterG = 0;
  const views: Record<string, string> = { t: "today", u: "upcoming", i: "inbox", a: "assigned" };
  if (g && e.key in views) return void go(views[e.key]!);
  const may = task && mayWrite(task.list_id);
  const movable = may && document.activeElement?.closest("[data-movable]");
  if (e.repeat && (e.key === "#" || e.key === "x")) return; // a key that is held down means one task
  // What is selected is meant, and else the task that has the focus.
  const several = [...selected.peek()].filter((id) => tasks.peek().has(id));
  switch (e.key) {
    case "g":
      afterG = Date.now();
      return;
    case "?":
      helpShown.value = true;
      break;
    case "j":
      step(1);
      break;
    case "k":
      step(-1);
      break;
    case "n":
      document.getElementById("add")?.focus();
      break;
    case "u":
      void undoLast();
      break;
    case "/":
      search(route.peek().list);
      break;
    case "J":
    case "K": {
      if (may && selected.peek().size === 0) pick(task.id);
      const next = step(e.key === "J" ? 1 : -1);
      if (next && mayWrite(tasks.peek().get(next)?.list_id ?? "")) pickTo(next);
      break;
    }
    case "v":
      if (may) pick(task.id);
      break;
    case "*":
      if (shownTasks().length > 0) selectAll();
      break;
    case "Escape":
      if (!selecting.peek()) return;
      selectNone();
      break;
    case "m":
      if (several.length > 0) changed.value = several;
      else if (may) changed.value = [task.id];
      break;
    case "Home":
    case "End":
      if (!task) return; // the page scrolls
      step(e.key === "End" ? Infinity : -Infinity);
      break;
    case "ArrowLeft":
    case "ArrowRight":
      if (!task) return;
      fold(task.parent_id ?? task.id, e.key === "ArrowLeft");
      focusTask(e.key === "ArrowLeft" ? (task.parent_id ?? task.id) : task.id);
      break;
    case ">":
      if (movable) void indent(task);
      break;
    case "<":
      if (movable) void outdent(task);
      break;
    case "x":
      if (several.length > 0) void completeAll(several);
      else if (may) void toggle(task);
      break;
    case "e":
      if (task) edited.value = task;
      break;
    case "h":
      if (task) shownHistory.value = task;
      break;
    case "#":
      if (several.length > 0) void deleteAll(several);
      else if (may) void remove(task);
      break;
    default:
      return;
  }
  e.preventDefault();
});

export function Help() {
  return helpShown.value && <Keys />;
}

function Keys() {
  const [on, setOn] = useState(singleKeys.value);
  return (
    <Dialog title={t.keys} onClose={() => (helpShown.value = false)}>
      <dl class="keys">
        {Object.entries(t.keyTable).map(([key, what]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <label class="switch">
        <input
          type="checkbox"
          checked={on}
          onChange={(e) => {
            setOn(e.currentTarget.checked);
            keep(e.currentTarget.checked);
          }}
        />
        {t.singleKeys}
      </label>
    </Dialog>
  );
}
