// What is done to one date of a series, and putting off.
import { request } from "./api";
import { saveTask } from "./changes";
import { dayOf, instant, plusDays, sayDue, wall } from "./dates";
import type { Task } from "./schema";
import { dropTask, putTask, zone } from "./store";
import { t } from "./texts";
import { changing, complain, offerUndo } from "./toast";

// mayDefer says whether a task has a date that can be put off.
export const mayDefer = (task: Task): boolean => task.due_at !== null && !task.is_complete;
export const maySkip = (task: Task): boolean => task.recurrence !== null && !task.is_complete;

export async function skipTask(task: Task): Promise<boolean> {
  try {
    const a = await changing(request<Task>("POST", `/api/tasks/${task.id}/skip`));
    dropTask(task.id);
    putTask(a.data);
    offerUndo(t.skipped(task.title, sayDue(a.data, zone.value)), a.requestId);
    return true;
  } catch (e) {
    complain(e);
    return false;
  }
}

// deferTask puts off by days, at the same time of day: what is late counts from today.
export async function deferTask(task: Task, days: number): Promise<void> {
  const today = wall(Date.now(), task.timezone).day;
  const from = dayOf(task, task.timezone);
  const day = plusDays(from < today ? today : from, days);
  const time = wall(Date.parse(task.due_at!), task.timezone).time;
  try {
    await saveTask(task.id, { due_at: task.all_day ? day + "T00:00:00Z" : instant(day, time, task.timezone).toISOString() });
  } catch (e) {
    complain(e);
  }
}
