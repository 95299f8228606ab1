// The views and lists, and the way out.
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { request } from "./api";
import { makeList } from "./changes";
import { helpShown } from "./keys";
import { go, menuOpen, route } from "./route";
import { inbox, leave, sortedLists, user } from "./store";
import { dueToday, openIn, overdue } from "./tasks";
import { t } from "./texts";
import { complain } from "./toast";

async function signOut(): Promise<void> {
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
  const link = (to: string, text: string, count: number, current: boolean) => (
    <li key={to}>
      <a href={"#/" + to} aria-current={current ? "page" : undefined} onClick={() => (menuOpen.value = false)}>
        <span dir="auto">{text}</span>
        {count > 0 && (
          <span class="count">
            <span aria-hidden="true">{count}</span>
            <span class="unseen">{t.openTasks(count)}</span>
          </span>
        )}
      </a>
    </li>
  );
  return (
    <nav id="menu" aria-label={t.views} class={menuOpen.value ? "open" : ""}>
      <ul>
        {link("today", t.today, overdue.value.length + dueToday.value.length, at.view === "today")}
        {link("upcoming", t.upcoming, 0, at.view === "upcoming")}
        {link("inbox", t.inbox, openIn.value.get(inbox.value?.id ?? "") ?? 0, at.view === "inbox")}
      </ul>
      <h2>{t.lists}</h2>
      <ul>{sortedLists.value.filter((l) => !l.is_inbox).map((l) => link("list/" + l.id, l.name, openIn.value.get(l.id) ?? 0, at.list === l.id))}</ul>
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
      <ul>
        {link("trash", t.trash, 0, at.view === "trash")}
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
