// A task with all that can be changed of it.
import { signal } from "@preact/signals";
import { useState } from "preact/hooks";
import { Failure } from "./api";
import { Field } from "./account";
import { saveTask } from "./changes";
import { Choose, listsFor } from "./choose";
import { Comments } from "./comments";
import { dayOf, instant, wall } from "./dates";
import { Dialog } from "./dialog";
import { draftFor, keepDraft } from "./drafts";
import { Buttons } from "./form";
import { Description } from "./markdown";
import { type Plan, planOf, ruleOf } from "./recurrence";
import { inputOf, type Reminding, Reminders, remindersOf } from "./reminders";
import { goingOn, type Policies, Repeat } from "./repeat";
import type { PreviewInput, RecurrencePatch, Task, TaskPatch } from "./schema";
import { maySkip, skipTask } from "./series";
import { lists, mayWrite, tasks, zone } from "./store";
import { focusSubtask, Parent, Subtasks } from "./subtasks";
import { t } from "./texts";
import { said } from "./toast";

// edited is the task that is open, as it was when it was opened.
export const edited = signal<Task | null>(null);
// openedFrom is the task that the open one was reached from, and goes back to.
let openedFrom: string | null = null;

const priorities = ["none", "low", "medium", "high", "urgent"] as const;

interface Draft {
  title: string;
  description: string;
  done: boolean;
  day: string;
  time: string;
  zone: string;
  following: boolean; // a new due time is that of the following ones, too
  priority: Task["priority"];
  tags: string;
  list: string;
  assignee: string;
  plan: Plan;
  policies: Policies;
  reminders: Reminding[];
}

const defaults: Policies = { basis: "due", month_end: "clamp", dst_gap: "forward", missed: "collapse" };

function draftOf(task: Task): Draft {
  const timed = task.due_at !== null && !task.all_day ? wall(Date.parse(task.due_at), task.timezone) : null;
  const { basis, month_end, dst_gap, missed } = task.recurrence ?? defaults;
  return {
    title: task.title,
    description: task.description,
    done: task.is_complete,
    day: timed?.day ?? dayOf(task, task.timezone),
    time: timed?.time ?? "",
    zone: task.timezone,
    following: false,
    priority: task.priority,
    tags: task.tags.join(", "),
    list: task.list_id,
    assignee: task.assignee_id ?? "",
    plan: planOf(task.recurrence?.rrule ?? null),
    policies: { basis, month_end, dst_gap, missed },
    reminders: remindersOf(task),
  };
}

const dueOf = (d: Draft): string => (d.time === "" ? d.day + "T00:00:00Z" : instant(d.day, d.time, d.zone).toISOString());

const movedFrom = (was: Draft, d: Draft): boolean => d.day !== was.day || d.time !== was.time || (d.zone !== was.zone && d.time !== "");

// patchOf is what the draft changes of the task, and nothing else.
function patchOf(was: Draft, d: Draft): TaskPatch {
  const patch: TaskPatch = {};
  if (d.title !== was.title) patch.title = d.title;
  if (d.description !== was.description) patch.description = d.description;
  if (d.done !== was.done) patch.is_complete = d.done;
  if (d.zone !== was.zone) patch.timezone = d.zone;
  if (movedFrom(was, d)) {
    patch.due_at = d.day === "" ? null : dueOf(d);
    patch.all_day = d.day !== "" && d.time === "";
  }
  if (d.priority !== was.priority) patch.priority = d.priority;
  if (d.tags !== was.tags) patch.tags = d.tags.split(",").map((tag) => tag.trim()).filter((tag) => tag !== "");
  if (d.list !== was.list) patch.list_id = d.list;
  if (d.assignee !== was.assignee) patch.assignee_id = d.assignee || null;
  const [rule, before] = [ruleOf(d.plan), ruleOf(was.plan)];
  const recurrence: RecurrencePatch = {};
  if (rule !== before) recurrence.rrule = rule;
  for (const key of Object.keys(defaults) as (keyof Policies)[]) if (d.policies[key] !== was.policies[key]) Object.assign(recurrence, { [key]: d.policies[key] });
  if (rule === null && before !== null) patch.recurrence = null;
  else if (rule !== null && Object.keys(recurrence).length > 0) patch.recurrence = recurrence;
  if (JSON.stringify(d.reminders) !== JSON.stringify(was.reminders)) patch.reminders = d.reminders.map(inputOf);
  return patch;
}

// previewOf asks for the dates that the draft leads to.
function previewOf(task: Task, was: Draft, d: Draft): PreviewInput | null {
  const rrule = ruleOf(d.plan);
  if (!rrule || d.day === "") return null;
  const ask: PreviewInput = { rrule, due_at: dueOf(d), timezone: d.zone, all_day: d.time === "", ...d.policies, count: 8 };
  const series = task.recurrence;
  const moved = movedFrom(was, d);
  if (!series || task.occurrence === null || d.zone !== was.zone || (d.time === "") !== (was.time === "")) return ask;
  // When a rule ends says nothing about what its dates count from.
  const open = (rule: string | null) => rule?.replace(/;UNTIL=[^;]*/, "");
  if (open(rrule) === open(ruleOf(was.plan)) && d.policies.basis === was.policies.basis) {
    return { ...ask, anchor: series.anchor, ordinal: series.ordinal ?? 1, occurrence: task.occurrence, scope: moved && d.following ? "following" : "this" };
  }
  return moved ? ask : { ...ask, anchor: task.occurrence };
}

// The zones that the browser knows, to choose from.
const zones = Intl.supportedValuesOf("timeZone");

export function Editor() {
  if (!edited.value) openedFrom = null;
  return edited.value && <Form key={edited.value.id} opened={edited.value} />;
}

function Form({ opened }: { opened: Task }) {
  const [kept] = useState(() => draftFor<Task, Draft>(opened.id));
  const task = kept?.of ?? opened;
  const [was] = useState(() => draftOf(task));
  const [d, setDraft] = useState(() => ({ ...was, ...kept?.typed }));
  const [busy, setBusy] = useState(false);
  const [wrong, setWrong] = useState<unknown>(null);
  const set = <K extends keyof Draft>(key: K, value: Draft[K]) => setDraft((old) => {
      const typed = { ...old, [key]: value };
      keepDraft(task.id, { of: task, typed });
      return typed;
    });
  const gone = !tasks.value.has(task.id);
  const writable = mayWrite(task.list_id) && !gone;
  const close = () => {
    keepDraft(task.id, undefined);
    if (edited.peek()?.id !== task.id) return; // another one is open by now
    const parent = tasks.peek().get(openedFrom ?? "");
    openedFrom = null;
    edited.value = parent ?? null;
    if (parent) focusSubtask(task.id);
  };
  const patch = patchOf(was, d);
  const changed = Object.keys(patch).length > 0;
  const mayLeave = () => {
    if (changed && writable && !confirm(t.discard)) return false;
    keepDraft(task.id, undefined);
    return true;
  };
  // An occurrence that is done leads nowhere any more, and a new rule counts from it anyhow.
  const ofSeries = task.recurrence !== null && !task.is_complete && patch.due_at != null && patch.recurrence === undefined;
  const asked = previewOf(task, was, d);
  const { ask, since } = asked ? goingOn(asked) : { ask: null };
  const members = lists.value.get(d.list)?.members.filter((m) => m.user_id !== null && m.state === "active") ?? [];

  const save = async () => {
    if (busy) return;
    if (!changed) return close();
    setBusy(true);
    setWrong(null);
    try {
      await saveTask(task.id, patch, task, ofSeries && d.following);
      close();
    } catch (e) {
      setWrong(e);
      setBusy(false);
    }
  };
  const fields = wrong instanceof Failure ? (wrong.problem?.errors ?? []) : [];
  const known = ["title", "description", "due_at", "priority", "tags", "list_id", "recurrence", "reminders", "timezone", "assignee_id"];
  const fieldOf = (location: string) => location.replace(/^body\./, "").split(/[.[]/)[0]!;
  const at = (field: string) => fields.find((f) => fieldOf(f.location) === field)?.message;
  return (
    <Dialog title={t.editTask} onClose={close} mayClose={mayLeave}>
      {task.parent_id !== null && openedFrom === null && <Parent task={task} mayLeave={mayLeave} />}
      <form
        onSubmit={(e) => {
          e.preventDefault();
          void save();
        }}
        onKeyDown={(e) => {
          if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) void save();
        }}
      >
        {gone && <p role="alert">{t.taskGone}</p>}
        {!gone && !writable && <p>{t.readOnly}</p>}
        {wrong !== null && !(fields.length > 0 && fields.every((f) => known.includes(fieldOf(f.location)))) && (
          <p class="wrong" role="alert">
            {said(wrong)}
          </p>
        )}
        <fieldset disabled={!writable || busy}>
          <Field id="title" label={t.title} wrong={at("title")}>
            <input id="title" dir="auto" required maxLength={200} value={d.title} aria-describedby="title-wrong" onInput={(e) => set("title", e.currentTarget.value)} />
          </Field>
          <Description text={d.description} writable={writable} wrong={at("description")} onInput={(text) => set("description", text)} />
          <div class="pair">
            <Field id="due" label={t.dueDate} wrong={at("due_at")}>
              <input id="due" type="date" min="1900-01-01" max="9999-12-31" value={d.day} aria-describedby="due-wrong" onInput={(e) => set("day", e.currentTarget.value)} />
            </Field>
            <Field id="time" label={`${d.zone === zone.value ? t.dueTime : t.timeIn(d.zone)} (${t.optional})`}>
              <input id="time" type="time" disabled={d.day === ""} value={d.time} onInput={(e) => set("time", e.currentTarget.value)} />
            </Field>
            {d.day !== "" && (
              <Field id="zone" label={t.timezone} wrong={at("timezone")}>
                <input id="zone" list="zones" required maxLength={64} spellcheck={false} value={d.zone} aria-describedby="zone-wrong" onInput={(e) => set("zone", e.currentTarget.value)} />
                <datalist id="zones">
                  {zones.map((z) => (
                    <option key={z} value={z} />
                  ))}
                </datalist>
              </Field>
            )}
          </div>
          {ofSeries && (
            <Choose
              id="scope"
              label={t.scope}
              value={d.following ? "following" : "this"}
              options={[
                ["this", t.thisOne],
                ["following", t.thisAndFollowing],
              ]}
              onChoose={(scope) => set("following", scope === "following")}
            />
          )}
          <div class="pair">
            <Choose id="priority" label={t.priority} value={d.priority} options={priorities.map((p) => [p, t.priorities[p]] as const)} wrong={at("priority")} onChoose={(p) => set("priority", p)} />
            <Choose id="list" label={t.list} value={d.list} disabled={task.parent_id !== null} options={listsFor(task.list_id)} wrong={at("list_id")} onChoose={(list) => set("list", list)} />
            {(members.length > 1 || d.assignee !== "") && (
              <Choose
                id="assignee"
                label={t.assignee}
                value={d.assignee}
                options={[["", t.nobody] as const, ...(members.some((m) => m.user_id === d.assignee) || d.assignee === "" ? [] : [[d.assignee, t.someone] as const]), ...members.map((m) => [m.user_id!, m.name || m.email] as const)]}
                wrong={at("assignee_id")}
                onChoose={(who) => set("assignee", who)}
              />
            )}
          </div>
          <Field id="tags" label={t.tags} hint={t.tagsHint} wrong={at("tags")}>
            <input id="tags" dir="auto" value={d.tags} aria-describedby="tags-hint tags-wrong" onInput={(e) => set("tags", e.currentTarget.value)} />
          </Field>
          <Repeat plan={d.plan} policies={d.policies} ask={ask} since={since} wrong={at("recurrence")} onPlan={(plan) => set("plan", plan)} onPolicies={(policies) => set("policies", policies)} />
          <Reminders
            value={d.reminders}
            others={task.reminders.length - was.reminders.length}
            day={d.day}
            time={d.time}
            zone={d.zone}
            disabled={!writable}
            wrong={at("reminders")}
            onChange={(reminders) => set("reminders", reminders)}
          />
          <label class="switch">
            <input type="checkbox" checked={d.done} onChange={(e) => set("done", e.currentTarget.checked)} />
            {t.isDone}
          </label>
          <Buttons does={t.save} disabled={busy} onCancel={close}>
            {maySkip(task) && (
              <button type="button" disabled={busy} onClick={() => mayLeave() && void skipTask(task).then((gone) => gone && close())}>
                {t.skipThis}
              </button>
            )}
          </Buttons>
          {maySkip(task) && <p class="hint">{t.seriesHint}</p>}
        </fieldset>
      </form>
      {!gone && (
        <Subtasks
          task={task}
          writable={writable}
          onOpen={(part) => {
            if (!mayLeave()) return;
            openedFrom = task.id;
            edited.value = part;
          }}
        />
      )}
      <Comments task={task} />
    </Dialog>
  );
}
