// How a task comes back: the usual rules as fields, any other as text, and the dates that
// come of it, as the server works them out.
import { useEffect, useState } from "preact/hooks";
import { Field } from "./account";
import { Failure, request } from "./api";
import { Choose } from "./choose";
import { now, plusDays, sayDate, sayTime, wall, weekdayName } from "./dates";
import { type Plan, nths, planOf, repeatings, ruleOf, weekdays } from "./recurrence";
import type { Preview, PreviewInput, PreviewedOccurrence, Recurrence } from "./schema";
import { t } from "./texts";
import { said } from "./toast";

export type Policies = Pick<Recurrence, "basis" | "month_end" | "dst_gap" | "missed">;

const choices = {
  basis: ["due", "completion"],
  month_end: ["clamp", "skip"],
  dst_gap: ["forward", "skip"],
  missed: ["collapse", "all"],
} as const;

function Count(p: { id: string; label: string; value: number; max: number; onCount: (n: number) => void }) {
  return (
    <Field id={p.id} label={p.label}>
      <input id={p.id} type="number" required min={1} max={p.max} value={p.value || ""} onInput={(e) => p.onCount(e.currentTarget.valueAsNumber || 0)} />
    </Field>
  );
}

export function Repeat(p: { plan: Plan; policies: Policies; ask: PreviewInput | null; since: string | undefined; wrong: string | undefined; onPlan: (plan: Plan) => void; onPolicies: (policies: Policies) => void }) {
  const { plan, policies } = p;
  const set = (some: Partial<Plan>) => p.onPlan({ ...plan, ...some });
  const [answer, setAnswer] = useState<{ dates?: PreviewedOccurrence[]; wrong?: string; failed?: string }>({});
  const asked = JSON.stringify(p.ask);
  // Who types is not answered at each key, and never with what was asked before.
  useEffect(() => {
    if (p.ask === null) return setAnswer({});
    let over = false;
    const timer = setTimeout(async () => {
      try {
        const { data } = await request<Preview>("POST", "/api/recurrence/preview", p.ask);
        if (!over) setAnswer({ dates: data.occurrences });
      } catch (e) {
        // What is wrong elsewhere is told there when it is saved.
        const fields = e instanceof Failure ? (e.problem?.errors ?? []) : [];
        const wrong = fields.flatMap((f) => (f.location === "body.rrule" ? [f.message] : [])).join("; ");
        if (!over) setAnswer(wrong !== "" ? { wrong } : fields.length > 0 ? {} : { failed: said(e) });
      }
    }, 300);
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [asked]);

  const wrong = answer.wrong ?? p.wrong;
  const { repeating } = plan;
  const policy = (name: keyof Policies) => (
    <Choose id={name} label={t.policies[name].label} value={policies[name]} options={choices[name].map((value) => [value, (t.policies[name] as unknown as Record<string, string>)[value]!] as const)} onChoose={(value) => p.onPolicies({ ...policies, [name]: value })} />
  );
  return (
    <>
      <Choose
        id="repeat"
        label={t.repeat}
        value={repeating}
        options={repeatings.map((r) => [r, t.repeatings[r]] as const)}
        wrong={repeating === "other" ? undefined : wrong}
        onChoose={(to) => set({ repeating: to, text: to === "other" && repeating !== "never" && repeating !== "other" ? (ruleOf(plan) ?? "") : plan.text })}
      />
      {repeating === "other" && (
        <Field id="rule" label={t.rule} wrong={wrong}>
          <input id="rule" required maxLength={500} spellcheck={false} value={plan.text} placeholder="FREQ=MONTHLY;BYDAY=1MO" aria-describedby="rule-wrong" onInput={(e) => set({ text: e.currentTarget.value })} />
        </Field>
      )}
      {repeating !== "never" && (
        <fieldset class="repeat" aria-label={t.repeat}>
          {repeating === "weekly" && (
            <fieldset class="days">
              <legend>{t.daysOfWeek}</legend>
              {weekdays.map((day, i) => (
                <label key={day}>
                  <input type="checkbox" aria-label={weekdayName(i, "long")} checked={plan.days.includes(day)} onChange={(e) => set({ days: e.currentTarget.checked ? [...plan.days, day] : plan.days.filter((d) => d !== day) })} />
                  {weekdayName(i, "short")}
                </label>
              ))}
            </fieldset>
          )}
          {repeating === "monthly" && (
            <div class="pair">
              <Choose id="month-on" label={t.dateInMonth} value={plan.on} options={(["due", "day", "last", "nth"] as const).map((on) => [on, t.monthOn[on]] as const)} onChoose={(on) => set({ on })} />
              {plan.on === "day" && <Count id="month-day" label={t.dayOfMonth} value={plan.day} max={31} onCount={(day) => set({ day })} />}
              {plan.on === "nth" && (
                <>
                  <Choose id="month-nth" label={t.which} value={plan.nth} options={nths.map((n, i) => [n, t.nths[i]!] as const)} onChoose={(nth) => set({ nth })} />
                  <Choose id="month-weekday" label={t.weekday} value={plan.weekday} options={weekdays.map((d, i) => [d, weekdayName(i, "long")] as const)} onChoose={(weekday) => set({ weekday })} />
                </>
              )}
            </div>
          )}
          {repeating !== "other" && (
            <div class="pair">
              {repeating !== "weekdays" && <Count id="interval" label={t.intervals[repeating]} value={plan.interval} max={1000} onCount={(interval) => set({ interval })} />}
              <Choose id="end" label={t.ends} value={plan.end} options={(["never", "count", "until"] as const).map((end) => [end, t.endings[end]] as const)} onChoose={(end) => set({ end })} />
              {plan.end === "count" && <Count id="count" label={t.howOften} value={plan.count} max={10000} onCount={(count) => set({ count })} />}
              {plan.end === "until" && (
                <Field id="until" label={t.lastDay}>
                  <input id="until" type="date" required min="1900-01-01" max="2500-12-31" value={plan.until} onInput={(e) => set({ until: e.currentTarget.value })} />
                </Field>
              )}
            </div>
          )}
          {policy("basis")}
          <details>
            <summary>{t.specialCases}</summary>
            {policy("missed")}
            {policy("month_end")}
            {policy("dst_gap")}
          </details>
          {!p.ask && <p class="hint">{t.needsDue}</p>}
          {answer.failed && <p class="hint">{answer.failed}</p>}
          {p.ask && !answer.failed && answer.wrong === undefined && <Dates ask={p.ask} since={p.since} dates={answer.dates} />}
        </fieldset>
      )}
    </>
  );
}

// Dates are those to come, each with what explains it.
function Dates({ ask, since, dates }: { ask: PreviewInput; since: string | undefined; dates: PreviewedOccurrence[] | undefined }) {
  const zone = ask.timezone;
  const offset = (ms: number) => {
    const w = wall(ms, zone);
    return Date.parse(`${w.day}T${w.time}:00Z`) - Math.floor(ms / 60_000) * 60_000;
  };
  const plan = planOf(ask.rrule);
  // far is how far two dates are from each other, in what the rule counts in.
  const far = (a: string, b: string) => {
    if (plan.repeating === "daily") return (Date.parse(b.slice(0, 10)) - Date.parse(a.slice(0, 10))) / 86_400_000;
    const months = plan.repeating === "monthly" ? 1 : plan.repeating === "yearly" ? 12 : Infinity;
    return ((+b.slice(0, 4) - +a.slice(0, 4)) * 12 + +b.slice(5, 7) - +a.slice(5, 7)) / months;
  };
  const late = passed(ask);
  const comes = (o: PreviewedOccurrence) => (ask.all_day ? o.occurrence.slice(0, 10) > late.day : Date.parse(o.due_at) > late.at);
  const shown = (dates ?? []).filter((o) => ask.missed === "all" || ask.basis === "completion" || comes(o)).slice(0, 5);
  let before = { occurrence: since ?? "", at: Date.parse(ask.due_at) };
  return (
    <section aria-labelledby="next-dates">
      <h3 id="next-dates">{t.nextDates}</h3>
      {ask.basis === "completion" && <p class="hint">{t.ifDoneInTime}</p>}
      {ask.anchor && ask.anchor.slice(8, 10) !== ask.due_at.slice(8, 10) && <p class="hint">{t.countsFrom(sayDate(ask.anchor.slice(0, 10)))}</p>}
      <ol class={dates ? "dates" : "dates waiting"}>
        {shown.map((o) => {
          const at = Date.parse(o.due_at);
          const w = ask.all_day ? { day: o.occurrence.slice(0, 10) } : wall(at, zone);
          const notes = o.note === "" ? [] : o.note.split("; ").map((note) => t.notes[note] ?? note);
          if (before.occurrence !== "" && far(before.occurrence, o.occurrence) > plan.interval) notes.push(t.leftOut);
          if (!ask.all_day && o.note === "" && offset(at) !== offset(before.at)) notes.push(t.clocksChange);
          before = { occurrence: o.occurrence, at };
          return (
            <li key={o.occurrence}>
              {ask.all_day ? sayDate(w.day) : t.dayAndTime(sayDate(w.day), sayTime(at, zone))}
              {notes.length > 0 && <span class="hint"> ({notes.join("; ")})</span>}
            </li>
          );
        })}
      </ol>
      {dates && shown.length === 0 && <p class="hint">{t.noDates}</p>}
    </section>
  );
}

// passed is until when dates have passed: what is late is followed by what lies ahead.
function passed(ask: PreviewInput): { day: string; at: number } {
  const at = Math.max(Date.parse(ask.due_at), now.value);
  const day = ask.all_day ? [ask.due_at.slice(0, 10), wall(now.value, ask.timezone).day].sort()[1]! : wall(at, ask.timezone).day;
  return { day, at };
}

// goingOn has a preview go on from where the series is, and not from long ago. It says which
// occurrence comes before the dates, if that is known.
export function goingOn(ask: PreviewInput): { ask: PreviewInput; since?: string } {
  const due = ask.all_day ? ask.due_at : wall(Date.parse(ask.due_at), ask.timezone).day;
  if (ask.scope === "following") return { ask: { ...ask, count: 100 }, since: due }; // it can be long ago
  const since = ask.occurrence ?? ask.anchor ?? due;
  const { day } = passed(ask);
  const from = ask.basis === "completion" ? day : plusDays(day, -1);
  if ((ask.missed === "all" && ask.basis !== "completion") || since.slice(0, 10) >= from) return { ask, since };
  return { ask: { ...ask, occurrence: from + "T00:00:00" } };
}
