// Everything by keyboard.
import { signal } from "@preact/signals";
import { useState } from "preact/hooks";
import { Dialog } from "./dialog";
import { edited } from "./editor";
import { shownHistory } from "./history";
import { go } from "./route";
import type { Task } from "./schema";
import { mayWrite, tasks, user } from "./store";
import { focusTask, move, remove, rows, toggle } from "./tasks";
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

function step(by: 1 | -1): void {
  const ids = rows().map((row) => row.dataset.task!);
  const here = focused();
  const at = here ? ids.indexOf(here.id) + by : by > 0 ? 0 : ids.length - 1;
  focusTask(ids[Math.max(0, Math.min(ids.length - 1, at))]);
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
  const views: Record<string, string> = { t: "today", u: "upcoming", i: "inbox" };
  if (g && e.key in views) return void go(views[e.key]!);
  const may = task && mayWrite(task.list_id);
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
    case "x":
      if (may) void toggle(task);
      break;
    case "e":
      if (task) edited.value = task;
      break;
    case "h":
      if (task) shownHistory.value = task;
      break;
    case "#":
      if (may) void remove(task);
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
