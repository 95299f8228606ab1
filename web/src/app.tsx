// The page: who is not signed in signs in, who is sees tasks.
import { render } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { Account, Field } from "./account";
import { deleteList, renameList } from "./changes";
import { Dialog } from "./dialog";
import { Editor, edited } from "./editor";
import { History, shownHistory } from "./history";
import { Help } from "./keys";
import { Operator } from "./operator";
import { go, menuOpen, route } from "./route";
import type { List } from "./schema";
import { Sidebar } from "./sidebar";
import { connected, inbox, lists, loaded, start, user } from "./store";
import { ListView, Today, Upcoming } from "./tasks";
import { t } from "./texts";
import { Toasts } from "./toast";
import { Trash } from "./trash";

function App() {
  if (user.value === undefined) return <main>{connected.value ? <p>{t.loading}</p> : <p role="status">{t.offline}</p>}</main>;
  return (
    <>
      {user.value === null ? <Account /> : <Shell />}
      <Toasts />
    </>
  );
}

function Shell() {
  const at = route.value;
  const list = at.view === "inbox" ? inbox.value : at.view === "list" ? lists.value.get(at.list ?? "") : undefined;
  const title = at.view === "list" ? (list?.name ?? t.lists) : t[at.view];
  const heading = useRef<HTMLHeadingElement>(null);
  const first = useRef(true);
  // A list that is not there any more: somebody else has deleted it, or it was never ours.
  const lost = at.view === "list" ? loaded.value && !list : at.view === "operator" && !user.value?.is_operator;
  useEffect(() => {
    if (lost) go("today");
  }, [lost]);
  useEffect(() => {
    document.title = `${title} – taskwire`;
  }, [title]);
  // At once: who goes on with a key has the focus there.
  useLayoutEffect(() => {
    if (!first.current) heading.current?.focus();
    first.current = false;
  }, [at.view, at.list]);
  useEffect(
    () => () => {
      edited.value = null;
      shownHistory.value = null;
    },
    [],
  );
  return (
    <>
      <a
        class="skip"
        href="#main"
        onClick={(e) => {
          e.preventDefault();
          heading.current?.focus();
        }}
      >
        {t.skip}
      </a>
      <div class="shell">
        <header class="bar">
          <button aria-expanded={menuOpen.value} aria-controls="menu" onClick={() => (menuOpen.value = !menuOpen.value)}>
            {t.menu}
          </button>
          <span class="brand">taskwire</span>
        </header>
        <Sidebar />
        <main id="main">
          <div class="head">
            <h1 tabIndex={-1} ref={heading} dir="auto">
              {title}
            </h1>
            {list && !list.is_inbox && list.role === "owner" && <ListActions key={list.id} list={list} />}
          </div>
          <p class="offline" role="status">
            {!connected.value && t.offline}
          </p>
          {at.view === "operator" ? <Operator /> : !loaded.value ? <p>{t.loading}</p> : at.view === "today" ? <Today /> : at.view === "upcoming" ? <Upcoming /> : at.view === "trash" ? <Trash /> : list && <ListView key={list.id} list={list} />}
        </main>
      </div>
      <Editor />
      <History />
      <Help />
    </>
  );
}

function ListActions({ list }: { list: List }) {
  const [renaming, setRenaming] = useState(false);
  const [name, setName] = useState(list.name);
  return (
    <>
      <button
        onClick={() => {
          setName(list.name);
          setRenaming(true);
        }}
      >
        {t.rename}
      </button>
      <button onClick={() => void deleteList(list).then((gone) => gone && go("today"))}>{t.deleteList}</button>
      {renaming && (
        <Dialog title={t.renameList} onClose={() => setRenaming(false)}>
          <form
            onSubmit={(e) => {
              e.preventDefault();
              void renameList(list.id, { name: name.trim() }).then((ok) => ok && setRenaming(false));
            }}
          >
            <Field id="list-name" label={t.listName}>
              <input id="list-name" dir="auto" required maxLength={100} value={name} onInput={(e) => setName(e.currentTarget.value)} />
            </Field>
            <p class="buttons">
              <button class="primary">{t.rename}</button>
              <button type="button" onClick={() => setRenaming(false)}>
                {t.cancel}
              </button>
            </p>
          </form>
        </Dialog>
      )}
    </>
  );
}

render(<App />, document.getElementById("app")!);
void start();
