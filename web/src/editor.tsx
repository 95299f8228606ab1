// A task with all that can be changed of it.
import { signal } from "@preact/signals";
import { useState } from "preact/hooks";
import { Failure } from "./api";
import { Field } from "./account";
import { saveTask } from "./changes";
import { Comments } from "./comments";
import { dayOf, instant, wall } from "./dates";
import { Dialog } from "./dialog";
import { draftFor, keepDraft } from "./drafts";
import { Description } from "./markdown";
import { repeatingOf, repeatings, ruleOf } from "./recurrence";
import type { Task, TaskPatch } from "./schema";
import { mayWrite, sortedLists, tasks, zone } from "./store";
import { t } from "./texts";
import { said } from "./toast";

// edited is the task that is open, as it was when it was opened.
export const edited = signal<Task | null>(null);

const priorities = ["none", "low", "medium", "high", "urgent"] as const;

interface Draft {
  title: string;
  description: string;
  day: string;
  time: string;
  priority: Task["priority"];
  tags: string;
  list: string;
  repeating: (typeof repeatings)[number];
  rule: string;
}

function draftOf(task: Task): Draft {
  const timed = task.due_at !== null && !task.all_day ? wall(Date.parse(task.due_at), task.timezone) : null;
  const rule = task.recurrence?.rrule ?? null;
  return {
    title: task.title,
    description: task.description,
    day: timed?.day ?? dayOf(task, task.timezone),
    time: timed?.time ?? "",
    priority: task.priority,
    tags: task.tags.join(", "),
    list: task.list_id,
    repeating: repeatingOf(rule),
    rule: rule ?? "",
  };
}

// patchOf is what the draft changes of the task, and nothing else.
function patchOf(task: Task, was: Draft, d: Draft): TaskPatch {
  const patch: TaskPatch = {};
  if (d.title !== was.title) patch.title = d.title;
  if (d.description !== was.description) patch.description = d.description;
  if (d.day !== was.day || d.time !== was.time) {
    if (d.day === "") patch.due_at = null;
    else if (d.time === "") patch.due_at = d.day + "T00:00:00Z";
    else patch.due_at = instant(d.day, d.time, task.timezone).toISOString();
    patch.all_day = d.day !== "" && d.time === "";
  }
  if (d.priority !== was.priority) patch.priority = d.priority;
  if (d.tags !== was.tags) patch.tags = d.tags.split(",").map((tag) => tag.trim()).filter((tag) => tag !== "");
  if (d.list !== was.list) patch.list_id = d.list;
  const [rule, before] = [ruleOf(d.repeating, d.rule), ruleOf(was.repeating, was.rule)];
  if (rule !== before) patch.recurrence = rule === null ? null : { rrule: rule };
  return patch;
}

export function Editor() {
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
    edited.value = null;
  };
  const patch = patchOf(task, was, d);
  const changed = Object.keys(patch).length > 0;

  const save = async () => {
    if (!changed) return close();
    setBusy(true);
    setWrong(null);
    try {
      await saveTask(task.id, patch, task);
      close();
    } catch (e) {
      setWrong(e);
      setBusy(false);
    }
  };
  const fields = wrong instanceof Failure ? (wrong.problem?.errors ?? []) : [];
  const known = ["title", "description", "due_at", "priority", "tags", "list_id", "recurrence"];
  const fieldOf = (location: string) => location.replace(/^body\./, "").split(/[.[]/)[0]!;
  const at = (field: string) => fields.find((f) => fieldOf(f.location) === field)?.message;
  return (
    <Dialog title={t.editTask} onClose={close} mayClose={() => !changed || !writable || confirm(t.discard)}>
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
        <fieldset disabled={!writable}>
          <Field id="title" label={t.title} wrong={at("title")}>
            <input id="title" dir="auto" required maxLength={200} value={d.title} aria-describedby="title-wrong" onInput={(e) => set("title", e.currentTarget.value)} />
          </Field>
          <Description text={d.description} writable={writable} wrong={at("description")} onInput={(text) => set("description", text)} />
          <div class="pair">
            <Field id="due" label={t.dueDate} wrong={at("due_at")}>
              <input id="due" type="date" min="1900-01-01" max="9999-12-31" value={d.day} aria-describedby="due-wrong" onInput={(e) => set("day", e.currentTarget.value)} />
            </Field>
            <Field id="time" label={`${task.timezone === zone.value ? t.dueTime : t.timeIn(task.timezone)} (${t.optional})`}>
              <input id="time" type="time" disabled={d.day === ""} value={d.time} onInput={(e) => set("time", e.currentTarget.value)} />
            </Field>
          </div>
          <div class="pair">
            <Field id="priority" label={t.priority} wrong={at("priority")}>
              <select id="priority" value={d.priority} onChange={(e) => set("priority", e.currentTarget.value as Task["priority"])}>
                {priorities.map((p) => (
                  <option key={p} value={p}>
                    {t.priorities[p]}
                  </option>
                ))}
              </select>
            </Field>
            <Field id="list" label={t.list} wrong={at("list_id")}>
              <select id="list" value={d.list} disabled={task.parent_id !== null} onChange={(e) => set("list", e.currentTarget.value)}>
                {sortedLists.value
                  .filter((l) => l.id === task.list_id || l.role !== "viewer")
                  .map((l) => (
                    <option key={l.id} value={l.id}>
                      {l.is_inbox ? t.inbox : l.name}
                    </option>
                  ))}
              </select>
            </Field>
          </div>
          <Field id="tags" label={t.tags} hint={t.tagsHint} wrong={at("tags")}>
            <input id="tags" dir="auto" value={d.tags} aria-describedby="tags-hint tags-wrong" onInput={(e) => set("tags", e.currentTarget.value)} />
          </Field>
          <Field id="repeat" label={t.repeat} wrong={d.repeating === "other" ? undefined : at("recurrence")}>
            <select id="repeat" value={d.repeating} aria-describedby="repeat-wrong" onChange={(e) => set("repeating", e.currentTarget.value as Draft["repeating"])}>
              {repeatings.map((r) => (
                <option key={r} value={r}>
                  {t.repeatings[r]}
                </option>
              ))}
            </select>
          </Field>
          {d.repeating === "other" && (
            <Field id="rule" label={t.rule} wrong={at("recurrence")}>
              <input id="rule" required maxLength={500} spellcheck={false} value={d.rule} placeholder="FREQ=MONTHLY;BYDAY=1MO" aria-describedby="rule-wrong" onInput={(e) => set("rule", e.currentTarget.value)} />
            </Field>
          )}
          <p class="buttons">
            <button class="primary" disabled={busy}>
              {t.save}
            </button>
            <button type="button" onClick={close}>
              {t.cancel}
            </button>
          </p>
        </fieldset>
      </form>
      <Comments task={task} />
    </Dialog>
  );
}
