// What concerns who is signed in: reminders, and comments that are for them.
import { computed, signal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { request } from "./api";
import { sayMoment } from "./dates";
import { edited } from "./editor";
import { Wrong } from "./form";
import type { Notification, NotificationPage } from "./schema";
import { commentListeners, tasks, user, zone } from "./store";
import { t } from "./texts";
import { complain, said } from "./toast";

// unread counts those that have not been read.
export const unread = signal(0);
const items = signal<readonly Notification[] | null>(null);
const cursor = signal<string | null>(null); // of those that come behind items
const wrong = signal("");

const pollEvery = 30_000;
const perPage = 30;

const who = computed(() => user.value?.id);
let asked = 0; // counts what was asked and marked: an answer from before is left aside

// look asks for the newest ones.
async function look(): Promise<void> {
  const mine = ++asked;
  try {
    const { data } = await request<NotificationPage>("GET", "/api/notifications?limit=" + perPage);
    if (mine !== asked) return;
    const ids = new Set(data.items.map((n) => n.id));
    const known = items.peek() ?? [];
    // They go on with those that are known, unless more have come than a page has.
    const last = data.items.at(-1)?.id;
    const from = known.findIndex((n) => n.id === last);
    if (from >= 0 && data.next_cursor !== null) {
      items.value = [...data.items, ...known.slice(from + 1).filter((n) => !ids.has(n.id))];
    } else {
      items.value = data.items;
      cursor.value = data.next_cursor;
    }
    unread.value = data.unread;
    wrong.value = "";
  } catch (e) {
    if (mine === asked) wrong.value = said(e);
  }
}

async function more(): Promise<void> {
  const from = cursor.peek();
  try {
    const { data } = await request<NotificationPage>("GET", `/api/notifications?limit=${perPage}&cursor=${encodeURIComponent(from!)}`);
    if (from !== cursor.peek()) return;
    items.value = [...(items.peek() ?? []), ...data.items];
    cursor.value = data.next_cursor;
  } catch (e) {
    complain(e);
  }
}

// Nobody looks at a page that is hidden; one that is seen again asks at once.
let timer: ReturnType<typeof setTimeout> | undefined;
function poll(wait: number, then = pollEvery): void {
  clearTimeout(timer);
  timer = undefined;
  if (!who.peek() || document.hidden) return;
  timer = setTimeout(() => {
    timer = undefined;
    void look().finally(() => timer === undefined && poll(then));
  }, wait);
}
document.addEventListener("visibilitychange", () => poll(0));
who.subscribe(() => {
  asked++;
  items.value = cursor.value = null;
  unread.value = 0;
  wrong.value = "";
  poll(0);
});
// Who is mentioned in a comment is told of it a moment after the comment has come, or two.
commentListeners.add((changes) => changes?.some((c) => c.op === "put") && poll(1_000, 4_000));

function put(now: Notification): void {
  items.value = items.peek()?.map((n) => (n.id === now.id ? now : n)) ?? null;
}

async function mark(n: Notification, read: boolean): Promise<void> {
  if ((n.read_at !== null) === read) return;
  try {
    const { data } = await request<Notification>("PATCH", "/api/notifications/" + n.id, { read });
    asked++;
    put(data);
    unread.value = Math.max(0, unread.peek() + (read ? -1 : 1));
  } catch (e) {
    complain(e);
  }
}

async function markAll(): Promise<void> {
  try {
    await request("POST", "/api/notifications/read-all");
    poll(0);
  } catch (e) {
    complain(e);
  }
}

// say is what a notification tells, in words.
function say(n: Notification): string {
  if (n.kind === "reminder") return t.reminderOf(n.due_at && sayMoment(n.due_at, zone.value));
  const name = n.author?.name || t.someone;
  return n.mentioned ? t.mentionedBy(name) : t.commentedBy(name);
}

export function Notifications() {
  const [all, next] = [items.value, cursor.value];
  const [busy, setBusy] = useState(false);
  useEffect(() => poll(0), []);
  return (
    <>
      <Wrong text={wrong.value} />
      {all === null ? wrong.value === "" && <p>{t.loading}</p> : all.length === 0 && <p class="empty">{t.noNotifications}</p>}
      {unread.value > 0 && <button onClick={() => void markAll()}>{t.markAllRead}</button>}
      <ul class="tasks notifications">
        {all?.map((n) => (
          <One key={n.id} n={n} />
        ))}
      </ul>
      {next !== null && (
        <button
          disabled={busy}
          onClick={() => {
            setBusy(true);
            void more().finally(() => setBusy(false));
          }}
        >
          {t.more}
        </button>
      )}
    </>
  );
}

function One({ n }: { n: Notification }) {
  const task = tasks.value.get(n.task_id);
  const isNew = n.read_at === null;
  return (
    <li class={isNew ? "task new" : "task"}>
      <span class="what">
        {task ? (
          <button
            class="title"
            dir="auto"
            onClick={() => {
              edited.value = task;
              void mark(n, true);
            }}
          >
            {n.title}
          </button>
        ) : (
          <span class="title" dir="auto">
            {n.title}
          </span>
        )}
        <span class="meta">
          {isNew && <strong>{t.unread}</strong>}
          <span dir="auto">{say(n)}</span>
          <time dateTime={n.created_at}>{sayMoment(n.created_at, zone.value)}</time>
          {!task && <span>{t.notificationGone}</span>}
        </span>
      </span>
      <button class="quiet" aria-label={`${isNew ? t.markRead : t.markUnread}: ${n.title}`} onClick={() => void mark(n, isNew)}>
        {isNew ? t.markRead : t.markUnread}
      </button>
    </li>
  );
}
