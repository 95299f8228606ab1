// The usual rules of recurring tasks.
import { t } from "./texts";

type Repeating = keyof typeof t.repeatings;

const rules: Record<Exclude<Repeating, "never" | "other">, string> = {
  daily: "FREQ=DAILY",
  weekdays: "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR",
  weekly: "FREQ=WEEKLY",
  fortnightly: "FREQ=WEEKLY;INTERVAL=2",
  monthly: "FREQ=MONTHLY",
  yearly: "FREQ=YEARLY",
};

export const repeatings = Object.keys(t.repeatings) as Repeating[];

export function repeatingOf(rule: string | null): Repeating {
  if (rule === null) return "never";
  return (Object.keys(rules) as (keyof typeof rules)[]).find((name) => rules[name] === rule) ?? "other";
}

// ruleOf is the RRULE, with what was written where that is another one.
export function ruleOf(name: Repeating, written: string): string | null {
  return name === "never" ? null : name === "other" ? written.trim() : rules[name];
}

export const sayRule = (rule: string): string => {
  const name = repeatingOf(rule);
  return name === "other" ? rule : t.repeatings[name];
};
