// The reminders of who is signed in; those of others stay as they are.
import { useState } from "preact/hooks";
import { Field } from "./account";
import { instant, now, plusDays, sayMoment, wall } from "./dates";
import { Choose } from "./choose";
import type { ReminderInput, Task } from "./schema";
import { user, zone } from "./store";
import { locale, t } from "./texts";

export interface Reminding {
  id?: string;
  at?: string;
  before_due?: string;
}

// most is how many a request may have.
const most = 20;

export const remindersOf = (task: Task): Reminding[] => task.reminders.filter((r) => r.user_id === user.peek()?.id);

export const inputOf = (r: Reminding): ReminderInput => ({ ...(r.id ? { id: r.id } : {}), ...(r.at ? { at: r.at } : { before_due: r.before_due ?? null }) });

// spanOf reads an ISO 8601 duration: how many weeks, days, hours, minutes and seconds.
const spanOf = (before: string): number[] => (/^P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$/.exec(before) ?? []).slice(1).map((n) => Number(n ?? 0));
const units = ["week", "day", "hour", "minute", "second"] as const;

// momentOf is when it reminds: days go by the calendar, the rest by the clock.
function momentOf(r: Reminding, day: string, time: string, zone: string): number | null {
  if (r.at) return Date.parse(r.at);
  if (day === "") return null;
  const [weeks = 0, days = 0, hours = 0, minutes = 0, seconds = 0] = spanOf(r.before_due ?? "");
  return instant(plusDays(day, -7 * weeks - days), time || "00:00", zone).getTime() - ((hours * 60 + minutes) * 60 + seconds) * 1000;
}

function say(r: Reminding): string {
  if (r.at) return sayMoment(r.at, zone.value);
  const words = spanOf(r.before_due ?? "").flatMap((n, i) => (n > 0 ? [new Intl.NumberFormat(locale, { style: "unit", unit: units[i]!, unitDisplay: "long" }).format(n)] : []));
  return words.length === 0 ? t.atDueTime : t.beforeDue(new Intl.ListFormat(locale, { type: "unit" }).format(words));
}

const ways = { due: ["PT", "S", 0], minute: ["PT", "M", 10080], hour: ["PT", "H", 8784], day: ["P", "D", 366], week: ["P", "W", 52], at: ["", "", 0] } as const;
type Way = keyof typeof ways;

export function Reminders(p: { value: Reminding[]; others: number; day: string; time: string; zone: string; disabled: boolean; wrong: string | undefined; onChange: (value: Reminding[]) => void }) {
  const [way, setWay] = useState<Way>("minute");
  const [n, setN] = useState(15);
  const tomorrow = plusDays(wall(now.value, zone.value).day, 1);
  const [day, setDay] = useState(tomorrow);
  const [time, setTime] = useState("09:00");
  // What counts from a due date needs one.
  const chosen = p.day === "" ? "at" : way;
  const [before, after, max] = ways[chosen];
  const add = () => {
    if (chosen === "at" && (day === "" || time === "")) return;
    const r: Reminding = chosen === "at" ? { at: instant(day, time, zone.value).toISOString() } : { before_due: before + (chosen === "due" ? 0 : n) + after };
    if (max > 0 && !(n >= 1 && n <= max)) return;
    if (!p.value.some((had) => say(had) === say(r))) p.onChange([...p.value, r]);
  };
  return (
    <fieldset
      class="reminders"
      onKeyDown={(e) => {
        // Enter adds here; the form is saved elsewhere.
        if (e.key !== "Enter" || e.ctrlKey || e.metaKey || !(e.target instanceof HTMLInputElement)) return;
        e.preventDefault();
        add();
      }}
    >
      <legend>{t.reminders}</legend>
      <ul>
        {p.value.map((r) => {
          const at = momentOf(r, p.day, p.time, p.zone);
          return (
            <li key={r.id ?? say(r)}>
              <span>
                {say(r)}
                {at !== null && at <= now.value && <span class="hint"> ({t.past})</span>}
                {at === null && <span class="hint"> ({t.rests})</span>}
              </span>
              {!p.disabled && (
                <button
                  type="button"
                  class="quiet"
                  aria-label={t.removeReminder(say(r))}
                  onClick={(e) => {
                    const list = e.currentTarget.closest("fieldset");
                    p.onChange(p.value.filter((other) => other !== r));
                    list?.querySelector<HTMLElement>("select")?.focus();
                  }}
                >
                  ×
                </button>
              )}
            </li>
          );
        })}
      </ul>
      {p.others > 0 && <p class="hint">{t.othersReminders(p.others)}</p>}
      {!p.disabled && p.value.length < most && (
        <div class="pair">
          <Choose id="remind" label={t.remindMe} value={chosen} disabled={p.day === ""} options={(Object.keys(ways) as Way[]).map((w) => [w, t.remindWays[w]] as const)} wrong={p.wrong} onChoose={setWay} />
          {max > 0 && (
            <Field id="remind-n" label={t.number}>
              <input id="remind-n" type="number" min={1} max={max} value={n || ""} onInput={(e) => setN(e.currentTarget.valueAsNumber || 0)} />
            </Field>
          )}
          {chosen === "at" && (
            <>
              <Field id="remind-day" label={t.remindDay}>
                <input id="remind-day" type="date" min="1900-01-01" max="9999-12-31" value={day} onInput={(e) => setDay(e.currentTarget.value)} />
              </Field>
              <Field id="remind-time" label={t.remindTime}>
                <input id="remind-time" type="time" value={time} onInput={(e) => setTime(e.currentTarget.value)} />
              </Field>
            </>
          )}
          <button type="button" onClick={add}>
            {t.addReminder}
          </button>
        </div>
      )}
    </fieldset>
  );
}
