// The views and lists, and the way out.
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { request } from "./api";
import { makeList } from "./changes";
import { helpShown } from "./keys";
import { dragged } from "./drag";
import { moveList } from "./lists";
import { unread } from "./notifications";
import { go, menuOpen, route } from "./route";
import type { List } from "./schema";
import { SavedSearches } from "./search";
import { inbox, leave, lists, mayWrite, sortedLists, user } from "./store";
import { dueToday, openIn, overdue } from "./tasks";
import { t } from "./texts";
import { complain } from "./toast";
import { mayLeave } from "./waiting";

async function signOut(): Promise<void> {
  if (!mayLeave()) return;
  try {
    await request("POST", "/api/auth/logout");
    leave();
  } catch (e) {
    complain(e); // the cookie is still there
  }
}

export function Sidebar() {
  const at = route.value;
  const [making, setMaking] = useState(false);
  const [name, setName] = useState("");
  const field = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => {
    if (making) field.current?.focus();
  }, [making]);
  const make = async () => {
    const made = await makeList({ name: name.trim() });
    if (!made) return;
    setMaking(false);
    setName("");
    go("list/" + made.id);
  };
  const link = (to: string, text: string, count: number, current: boolean, list?: List, counted = t.openTasks) => (
    <li key={to}>
      <a href={"#/" + to} aria-current={current ? "page" : undefined} {...(list && mayWrite(list.id) ? { "data-list": list.id } : {})} class={list && dragged.value?.over === list.id ? "drop" : ""} onClick={() => (menuOpen.value = false)}>
        <span dir="auto">
          {list?.color && <span class="dot" style={{ backgroundColor: list.color }} />}
          {text}
        </span>
        {count > 0 && (
          <span class="count">
            <span aria-hidden="true">{count}</span>
            <span class="unseen">{counted(count)}</span>
          </span>
        )}
      </a>
    </li>
  );
  const listLink = (l: List) => link("list/" + l.id, l.name, openIn.value.get(l.id) ?? 0, at.list === l.id, l);
  // Alt and an arrow move a list, as they move a task.
  const moveByKey = (e: KeyboardEvent) => {
    const by = !e.altKey ? 0 : e.key === "ArrowUp" ? -1 : e.key === "ArrowDown" ? 1 : 0;
    const a = (e.target as Element).closest<HTMLAnchorElement>("a");
    const list = lists.peek().get(a?.hash.replace("#/list/", "") ?? "");
    if (by === 0 || !a || !list) return;
    e.preventDefault();
    void moveList(list, by).then(() => a.focus()); // it may have been taken out and put back
  };
  const own = sortedLists.value.filter((l) => !l.is_inbox);
  const groups = new Set(own.map((l) => l.group).filter((g) => g !== null));
  const archived = [...lists.value.values()].filter((l) => l.is_archived).sort((a, b) => a.name.localeCompare(b.name));
  const ofGroup = (group: string | null) => (
    <ul>
      {own
        .filter((l) => l.group === group)
        .map(listLink)}
    </ul>
  );
  return (
    <nav id="menu" aria-label={t.views} class={menuOpen.value ? "open" : ""}>
      <ul>
        {link("today", t.today, overdue.value.length + dueToday.value.length, at.view === "today")}
        {link("upcoming", t.upcoming, 0, at.view === "upcoming")}
        {link("inbox", t.inbox, openIn.value.get(inbox.value?.id ?? "") ?? 0, at.view === "inbox", inbox.value)}
        {link("assigned", t.assigned, 0, at.view === "assigned")}
        {link("search", t.search, 0, at.view === "search")}
        {link("notifications", t.notifications, unread.value, at.view === "notifications", undefined, t.unreadCount)}
      </ul>
      <h2>{t.lists}</h2>
      <div onKeyDown={moveByKey}>
        {ofGroup(null)}
        {[...groups].map((group) => (
          <section key={group}>
            <h3 dir="auto">{group}</h3>
            {ofGroup(group)}
          </section>
        ))}
      </div>
      {archived.length > 0 && (
        <details>
          <summary>{t.archivedLists(archived.length)}</summary>
          <ul>{archived.map(listLink)}</ul>
        </details>
      )}
      {making ? (
        <form
          class="add"
          onSubmit={(e) => {
            e.preventDefault();
            void make();
          }}
          onKeyDown={(e) => {
            if (e.key === "Escape") setMaking(false);
          }}
        >
          <input dir="auto" required maxLength={100} aria-label={t.listName} placeholder={t.listName} value={name} ref={field} onInput={(e) => setName(e.currentTarget.value)} />
          <button>{t.create}</button>
          <button type="button" onClick={() => setMaking(false)}>
            {t.cancel}
          </button>
        </form>
      ) : (
        <button class="link" onClick={() => setMaking(true)}>
          + {t.newList}
        </button>
      )}
      <SavedSearches />
      <ul>
        {link("trash", t.trash, 0, at.view === "trash")}
        {link("settings", t.settings, 0, at.view === "settings")}
        {user.value?.is_operator && link("operator", t.operator, 0, at.view === "operator")}
      </ul>
      <p class="who" dir="auto">
        {user.value?.name || user.value?.email}
      </p>
      <button class="link" onClick={() => (helpShown.value = true)}>
        {t.keys}
      </button>
      <button class="link" onClick={() => void signOut()}>
        {t.signOut}
      </button>
    </nav>
  );
}
