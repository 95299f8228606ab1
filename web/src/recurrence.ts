// Rules of recurring tasks (RFC 5545), as people choose them: a plan is what the form has
// fields for. Any other rule stays the text that it is.
import { sayDate, weekdayName } from "./dates";
import { locale, t } from "./texts";

export const weekdays = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"] as const;
export type Weekday = (typeof weekdays)[number];
export const nths = [1, 2, 3, 4, 5, -1];

const frequencies = { daily: "DAILY", weekdays: "WEEKLY", weekly: "WEEKLY", monthly: "MONTHLY", yearly: "YEARLY" } as const;
type Kind = keyof typeof frequencies;
export type Repeating = "never" | Kind | "other";
export const repeatings: Repeating[] = ["never", "daily", "weekdays", "weekly", "monthly", "yearly", "other"];

export interface Plan {
  repeating: Repeating;
  interval: number;
  days: Weekday[]; // of a week; none is that of the due date
  on: "due" | "day" | "last" | "nth"; // what the date in a month is
  day: number;
  nth: number;
  weekday: Weekday;
  end: "never" | "count" | "until";
  count: number;
  until: string; // the last day
  text: string; // of another rule
}

const plain: Plan = { repeating: "never", interval: 1, days: [], on: "due", day: 1, nth: 1, weekday: "MO", end: "never", count: 10, until: "", text: "" };

const workdays = weekdays.slice(0, 5);

// ruleOf is the RRULE of a plan; null for none.
export function ruleOf(p: Plan): string | null {
  if (p.repeating === "never") return null;
  if (p.repeating === "other") return p.text.trim();
  const parts = ["FREQ=" + frequencies[p.repeating]];
  if (p.interval !== 1 && p.repeating !== "weekdays") parts.push("INTERVAL=" + p.interval);
  if (p.repeating === "weekdays") parts.push("BYDAY=" + workdays.join());
  if (p.repeating === "weekly" && p.days.length > 0) parts.push("BYDAY=" + weekdays.filter((d) => p.days.includes(d)).join());
  if (p.repeating === "monthly") {
    if (p.on === "day") parts.push("BYMONTHDAY=" + p.day);
    if (p.on === "last") parts.push("BYMONTHDAY=-1");
    if (p.on === "nth") parts.push("BYDAY=" + p.nth + p.weekday);
  }
  if (p.end === "count") parts.push("COUNT=" + p.count);
  if (p.end === "until") parts.push("UNTIL=" + p.until.replaceAll("-", ""));
  return parts.join(";");
}

// planOf reads a rule. One that says more than the fields can is another one.
export function planOf(rule: string | null): Plan {
  if (rule === null) return plain;
  const other: Plan = { ...plain, repeating: "other", text: rule };
  const parts = new Map<string, string>();
  for (const part of rule.toUpperCase().split(";")) {
    const [name, value, more] = part.split("=");
    if (!name || !value || more !== undefined || parts.has(name)) return other;
    // The order of days says nothing, nor does what is so anyhow.
    if (part !== "INTERVAL=1" && part !== "WKST=MO") parts.set(name, name === "BYDAY" ? value.split(",").sort(byName).join() : value);
  }
  const p: Plan = { ...plain, text: rule };
  const kind = (Object.keys(frequencies) as Kind[]).find((k) => k !== "weekdays" && frequencies[k] === parts.get("FREQ"));
  if (!kind) return other;
  p.repeating = kind;
  p.interval = Number(parts.get("INTERVAL") ?? 1);
  const [days, day, count, until] = [parts.get("BYDAY"), parts.get("BYMONTHDAY"), parts.get("COUNT"), parts.get("UNTIL")];
  if (kind === "weekly" && days) {
    p.days = days.split(",") as Weekday[];
    if (p.interval === 1 && days === workdays.join()) p.repeating = "weekdays";
  } else if (kind === "monthly" && days) {
    p.on = "nth";
    p.nth = Number(days.slice(0, -2));
    p.weekday = days.slice(-2) as Weekday;
    if (!nths.includes(p.nth)) return other;
  } else if (day) {
    p.on = day === "-1" ? "last" : "day";
    p.day = Number(day);
  }
  if (count) [p.end, p.count] = ["count", Number(count)];
  else if (until) [p.end, p.until] = ["until", until.replace(/^(\d{4})(\d\d)(\d\d)$/, "$1-$2-$3")];
  if (p.until.includes("T") || (p.on === "day" && p.day < 1)) return other; // a moment, or from the end of the month
  // What has no field is not in what the plan says.
  const same = ruleOf(p)!.split(";");
  return same.length === parts.size && same.every((part) => parts.get(part.split("=")[0]!) === part.split("=")[1]) ? { ...p, text: "" } : other;
}

const byName = (a: string, b: string) => weekdays.indexOf(a as Weekday) - weekdays.indexOf(b as Weekday);

// sayRule is a rule in words; one that has none is said as it is.
export function sayRule(rule: string, basis = "due"): string {
  const p = planOf(rule);
  const and = (words: string[]) => new Intl.ListFormat(locale).format(words);
  const { repeating, interval: n } = p;
  let said: string;
  if (repeating === "never" || repeating === "other") return rule;
  if (repeating === "weekdays") said = t.repeatings.weekdays;
  else said = n === 1 ? t.repeatings[repeating] : t.everyN[repeating](n);
  if (repeating === "weekly" && p.days.length > 0) said += t.onDays(and(p.days.map((d) => weekdayName(weekdays.indexOf(d), "short"))));
  if (repeating === "monthly" && p.on !== "due") said += p.on === "day" ? t.onDay(p.day) : p.on === "last" ? t.onLastDay : t.onNth(t.nths[nths.indexOf(p.nth)]!, weekdayName(weekdays.indexOf(p.weekday), "long"));
  if (basis === "completion") said += t.afterDone;
  if (p.end === "count") said += t.timesInAll(p.count);
  if (p.end === "until") said += t.untilDay(sayDate(p.until));
  return said;
}
