// What became of a task, with each value before and after.
import { signal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { request } from "./api";
import { listName } from "./choose";
import { dateOf, sayMoment } from "./dates";
import { Dialog } from "./dialog";
import { Wrong } from "./form";
import { sayRule } from "./recurrence";
import type { AuditEntry, AuditPage, Task } from "./schema";
import { lists, tasks, user, zone } from "./store";
import { t } from "./texts";
import { said, undo } from "./toast";

// shownHistory is the task whose history is open.
export const shownHistory = signal<Task | null>(null);

export function History() {
  return shownHistory.value && <Entries key={shownHistory.value.id} task={shownHistory.value} />;
}

// The history follows a change by a moment. It is asked for again until it has the version
// that the page knows, so many times.
const patience = 10;

function Entries({ task }: { task: Task }) {
  const [entries, setEntries] = useState<AuditEntry[] | null>(null);
  const [cursor, setCursor] = useState<string | null>(null);
  const [wrong, setWrong] = useState("");
  const version = tasks.value.get(task.id)?.version ?? 0;

  useEffect(() => {
    let over = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const load = async (left: number) => {
      try {
        const { data } = await request<AuditPage>("GET", `/api/tasks/${task.id}/history?limit=50`);
        if (over) return;
        setWrong("");
        setEntries(data.items);
        setCursor(data.next_cursor);
        const seen = Math.max(0, ...data.items.map((e) => Number(e.after?.version ?? 0)));
        if (seen < version && left > 0) timer = setTimeout(() => void load(left - 1), 500);
      } catch (e) {
        if (!over) setWrong(said(e));
      }
    };
    void load(patience);
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [task.id, version]);

  const more = async () => {
    try {
      const { data } = await request<AuditPage>("GET", `/api/tasks/${task.id}/history?limit=50&cursor=${encodeURIComponent(cursor!)}`);
      setEntries([...(entries ?? []), ...data.items]);
      setCursor(data.next_cursor);
    } catch (e) {
      setWrong(said(e));
    }
  };
  return (
    <Dialog title={t.historyOf(task.title)} onClose={() => (shownHistory.value = null)}>
      <Wrong text={wrong} />
      {entries === null ? wrong === "" && <p>{t.loading}</p> : entries.length === 0 && <p>{t.noHistory}</p>}
      <ol class="history">
        {entries?.map((e) => (
          <Entry key={e.id} entry={e} />
        ))}
      </ol>
      {cursor !== null && <button onClick={() => void more()}>{t.more}</button>}
    </Dialog>
  );
}

// Fields that tell nothing to people.
const silent = new Set(["version", "updated_at", "created_at", "id", "user_id", "completed_at", "task_id", "author", "edited_at"]);

// Fields that say what a task is.
const telling = ["title", "description", "due_at", "priority", "tags", "recurrence", "text"];

function Entry({ entry }: { entry: AuditEntry }) {
  // Of what is made or deleted: what was said of it, and not what was left as it is.
  const told =
    entry.before && entry.after
      ? entry.changed.filter((f) => !silent.has(f))
      : telling.filter((f) => entry.truncated.includes(f) || ![t.nothing, t.priorities.none].includes(say(f, entry.after ?? entry.before)));
  const mine = entry.actor.user_id === user.value?.id && entry.request_id !== "";
  return (
    <li>
      <p>
        <strong>{t.actions[entry.action] ?? entry.action}</strong> <span class="meta" dir="auto">{t.by(entry.actor.email || t.someone, sayMoment(entry.at, zone.value))}</span>
      </p>
      {told.length > 0 && (
        <dl>
          {told.map((f) => (
            <div key={f}>
              <dt>
                {t.fields[f] ?? f}
                {entry.truncated.includes(f) && ` (${t.shortened})`}
              </dt>
              <dd>
                {entry.before && (
                  <del dir="auto">
                    <span class="unseen">{t.before}: </span>
                    {say(f, entry.before)}
                  </del>
                )}{" "}
                {entry.after && (
                  <ins dir="auto">
                    <span class="unseen">{t.after}: </span>
                    {say(f, entry.after)}
                  </ins>
                )}
              </dd>
            </div>
          ))}
        </dl>
      )}
      {mine && <button onClick={() => void undo(entry.request_id, t.undone, t.redo)}>{t.undoThis}</button>}
    </li>
  );
}

// say is a field of a task in words.
function say(field: string, of: Record<string, unknown> | null): string {
  const v = of?.[field];
  if (v === null || v === undefined || v === "" || (Array.isArray(v) && v.length === 0)) return t.nothing;
  switch (field) {
    case "due_at":
      return of?.all_day ? dateOf(String(v), String(of.timezone ?? "UTC")) : sayMoment(String(v), zone.value);
    case "priority":
      return t.priorities[v as Task["priority"]] ?? String(v);
    case "recurrence":
      return sayRule(String((v as { rrule?: unknown }).rrule));
    case "list_id": {
      const list = lists.value.get(String(v));
      return list ? listName(list) : String(v);
    }
  }
  if (typeof v === "boolean") return v ? t.yes : t.no;
  if (Array.isArray(v)) return v.map((one) => (typeof one === "string" ? one : JSON.stringify(one))).join(", ");
  return typeof v === "object" ? JSON.stringify(v) : String(v as string | number);
}
