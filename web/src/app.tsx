// The page: who is not signed in signs in, who is sees tasks.
import { render } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { Account } from "./account";
import { draftFor, openDraft } from "./drafts";
import { Editor, edited } from "./editor";
import { Erasing } from "./erasing";
import { History, shownHistory } from "./history";
import { Help } from "./keys";
import { later } from "./later";
import { ListActions } from "./lists";
import { Invitations } from "./members";
import { Notifications } from "./notifications";
import { CameBack, comeBack } from "./providers";
import { go, menuOpen, route } from "./route";
import type { List, Task } from "./schema";
import { Search } from "./search";
import { Change, Select, Selection } from "./select";
import { Sidebar } from "./sidebar";
import { SignInAgain } from "./sign-in-again";
import { connected, inbox, lists, loaded, start, user } from "./store";
import { Assigned, ListView, Today, Upcoming } from "./tasks";
import { t } from "./texts";
import { Toasts } from "./toast";
import { Trash } from "./trash";
import { Decisions, Status, Waiting } from "./waiting";

const Settings = later(() => import("./parts").then((part) => part.Settings));
const Operator = later(() => import("./parts").then((part) => part.Operator));

function App() {
  if (user.value === undefined) return <main>{connected.value ? <p>{t.loading}</p> : <p role="status">{t.offline}</p>}</main>;
  return (
    <>
      {user.value === null ? <Account /> : <Shell key={user.value.id} />}
      <Toasts />
    </>
  );
}

// View is what stands below the heading.
function View({ list }: { list: List | undefined }) {
  const { view } = route.value;
  if (view === "settings") return <Settings />;
  if (view === "operator") return <Operator />;
  if (!loaded.value) return <p>{t.loading}</p>;
  switch (view) {
    case "today":
      return <Today />;
    case "upcoming":
      return <Upcoming />;
    case "assigned":
      return <Assigned />;
    case "search":
      return <Search />;
    case "notifications":
      return <Notifications />;
    case "trash":
      return <Trash />;
  }
  return list ? <ListView key={list.id} list={list} /> : null;
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
  // What was being typed when the page was loaded anew, or the session ended.
  useEffect(() => {
    const id = loaded.value && openDraft();
    if (id) edited.value ??= draftFor<Task, unknown>(id)?.of ?? null;
  }, [loaded.value]);
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
            {list && !list.is_inbox && <ListActions key={list.id} list={list} />}
            {at.view !== "trash" && at.view !== "notifications" && at.view !== "settings" && at.view !== "operator" && <Select />}
          </div>
          <Selection />
          <Status />
          <CameBack key={at.view + at.list} />
          <Erasing />
          <Invitations />
          <View list={list} />
        </main>
      </div>
      <Editor />
      <History />
      <Change />
      <Help />
      <Waiting />
      <Decisions />
      <SignInAgain />
    </>
  );
}

comeBack();
render(<App />, document.getElementById("app")!);
void start();
