// Days and times. A day is a text such as 2027-01-31; an all-day task is due on the day as
// it is written, any other at a moment, which is on another day in another zone.
import { signal } from "@preact/signals";
import type { Task } from "./schema";
import { locale, t } from "./texts";

// now is the time in milliseconds, to the half minute: what is due moves on while the page
// is open.
export const now = signal(Date.now());
const tick = () => (now.value = Date.now());
setInterval(tick, 30_000);
document.addEventListener("visibilitychange", tick);

export const browserZone = Intl.DateTimeFormat().resolvedOptions().timeZone;

const formats = new Map<string, Intl.DateTimeFormat>();

// format keeps formatters, which take long to make.
function format(tag: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = tag + JSON.stringify(options);
  let f = formats.get(key);
  if (!f) {
    try {
      f = new Intl.DateTimeFormat(tag, options);
    } catch {
      f = new Intl.DateTimeFormat(tag, { ...options, timeZone: "UTC" }); // a zone that the browser does not know
    }
    formats.set(key, f);
  }
  return f;
}

// wall is the date and time that clocks in a zone show at a moment.
export function wall(ms: number, zone: string): { day: string; time: string } {
  const parts: Record<string, string> = {};
  const f = format("en-US", { timeZone: zone, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit" });
  for (const p of f.formatToParts(ms)) parts[p.type] = p.value;
  return { day: `${parts.year!.padStart(4, "0")}-${parts.month}-${parts.day}`, time: `${parts.hour}:${parts.minute}` };
}

// instant is the moment at which clocks in a zone show a date and time. One that the clocks
// jump over is moved on by the gap; of one that they show twice it is the first.
export function instant(day: string, time: string, zone: string): Date {
  const asUTC = Date.parse(`${day}T${time}:00Z`);
  const offset = (ms: number) => {
    const w = wall(ms, zone);
    return Date.parse(`${w.day}T${w.time}:00Z`) - Math.floor(ms / 60_000) * 60_000;
  };
  const before = offset(asUTC - 86_400_000);
  const after = offset(asUTC + 86_400_000);
  const first = asUTC - before;
  return new Date(offset(first) === before ? first : offset(asUTC - after) === after ? asUTC - after : first);
}

// days are those of tasks, which are sorted by them, in the zone that was asked for last: to
// work one out takes long.
const days = new WeakMap<Task, { day: string; zone: string }>();

export function dayOf(task: Task, zone: string): string {
  if (task.due_at === null) return "";
  if (task.all_day) zone = task.timezone; // its date is the same everywhere
  let known = days.get(task);
  if (known?.zone !== zone) days.set(task, (known = { day: task.all_day ? dateOf(task.due_at, zone) : wall(Date.parse(task.due_at), zone).day, zone }));
  return known.day;
}

// dateOf is the date of an all-day task. The API answers its first moment in the task's zone;
// what is sent, and shown until it is answered, is the date at midnight UTC.
export const dateOf = (due: string, zone: string): string => (/T00:00:00(\.0+)?Z$/.test(due) ? due.slice(0, 10) : wall(Date.parse(due), zone).day);

let today = { at: 0, day: "", zone: "" };

// todayIn is the day that it is in a zone.
export function todayIn(zone: string): string {
  if (today.at !== now.value || today.zone !== zone) today = { at: now.value, day: wall(now.value, zone).day, zone };
  return today.day;
}

export function plusDays(day: string, n: number): string {
  return new Date(Date.parse(day + "T00:00:00Z") + n * 86_400_000).toISOString().slice(0, 10);
}

// isOverdue: by the moment, of an all-day task by the day.
export function isOverdue(task: Task, zone: string): boolean {
  if (task.due_at === null || task.is_complete) return false;
  return task.all_day ? dayOf(task, zone) < todayIn(zone) : Date.parse(task.due_at) < now.value;
}

const upper = (text: string) => text.charAt(0).toLocaleUpperCase(locale) + text.slice(1);

// sayDay is a day in words.
export function sayDay(day: string, zone: string): string {
  const today = todayIn(zone);
  const far = Math.round((Date.parse(day) - Date.parse(today)) / 86_400_000);
  if (Math.abs(far) <= 1) return upper(new Intl.RelativeTimeFormat(locale, { numeric: "auto" }).format(far, "day"));
  const options: Intl.DateTimeFormatOptions = { timeZone: "UTC", weekday: "short", day: "numeric", month: "short" };
  if (day.slice(0, 4) !== today.slice(0, 4)) options.year = "numeric";
  return format(locale, options).format(Date.parse(day));
}

// sayDue is when a task is due, in words.
export function sayDue(task: Task, zone: string): string {
  const day = sayDay(dayOf(task, zone), zone);
  return task.all_day ? day : t.dayAndTime(day, format(locale, { timeZone: zone, timeStyle: "short" }).format(Date.parse(task.due_at!)));
}

// sayMoment is a moment in words.
export const sayMoment = (at: string, zone: string): string =>
  format(locale, { timeZone: zone, dateStyle: "medium", timeStyle: "short" }).format(Date.parse(at));

// sayDate is a day of whatever year, with its weekday.
export const sayDate = (day: string): string => format(locale, { timeZone: "UTC", weekday: "short", day: "numeric", month: "short", year: "numeric" }).format(Date.parse(day));

export const sayTime = (ms: number, zone: string): string => format(locale, { timeZone: zone, timeStyle: "short" }).format(ms);

// weekdayName is the name of a day of the week, from 0 for Monday.
export const weekdayName = (n: number, style: "short" | "long"): string => format(locale, { timeZone: "UTC", weekday: style }).format(Date.UTC(2024, 0, 1 + n));
