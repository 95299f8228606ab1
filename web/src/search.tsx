// Searching in all that the page knows, which is all that one may see; and searches by name.
import { computed } from "@preact/signals";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { listName } from "./choose";
import { dayOf, isOverdue, plusDays, todayIn } from "./dates";
import { kept } from "./kept";
import { go, menuOpen, refine, route } from "./route";
import { flat, Rows } from "./rows";
import type { Task } from "./schema";
import { lists, sortedWith, tasks, user, zone } from "./store";
import { byDueOrNever } from "./tasks";
import { locale, t } from "./texts";

const letters: Record<string, string> = { ß: "ss", ø: "o", ł: "l", đ: "d", ħ: "h", ŧ: "t", ı: "i", æ: "ae", œ: "oe", ς: "σ" };

// foldText makes texts equal that differ in case, accents, width or Unicode form alone, as the
// API's search has it.
function foldText(text: string): string {
  if (/^[\x00-\x7f]*$/.test(text)) return text.toLowerCase();
  return text
    .normalize("NFKD")
    .replace(/(?=\p{Mn})[\p{Script=Inherited}\p{Script=Hebrew}]/gu, (mark) => (mark === "\u3099" || mark === "\u309a" ? mark : ""))
    .toLowerCase()
    .replace(/[ßøłđħŧıæœς]/g, (letter) => letters[letter]!)
    .normalize("NFC");
}

const texts = new WeakMap<Task, string>();

function textOf(task: Task): string {
  let text = texts.get(task);
  if (text === undefined) texts.set(task, (text = foldText(task.title + "\n" + task.description)));
  return text;
}

const fields = ["q", "list", "tag", "priority", "due", "assignee", "done"] as const;
type Wanted = Partial<Record<(typeof fields)[number], string>>;

// wanted is what is searched for, as the address has it.
const wanted = computed<Wanted>(() => Object.fromEntries(fields.flatMap((f) => (route.value.params.get(f) ? [[f, route.value.params.get(f)!]] : []))));

const asQuery = (w: Wanted) => new URLSearchParams(fields.flatMap((f) => (w[f] ? [[f, w[f]]] : []))).toString();

function isDue(task: Task, due: string): boolean {
  const [day, today] = [dayOf(task, zone.value), todayIn(zone.value)];
  switch (due) {
    case "overdue":
      return isOverdue(task, zone.value);
    case "today":
      return day === today;
    case "week":
      return day >= today && day < plusDays(today, 7);
  }
  return day === "";
}

function fits(task: Task, w: Wanted, words: string[]): boolean {
  return (
    (w.done === "any" || task.is_complete === (w.done === "yes")) &&
    (!w.list || task.list_id === w.list) &&
    (!w.tag || task.tags.includes(w.tag)) &&
    (!w.priority || task.priority === w.priority) &&
    (!w.due || isDue(task, w.due)) &&
    (!w.assignee || (task.assignee_id ?? "none") === (w.assignee === "me" ? user.value?.id : w.assignee)) &&
    words.every((word) => textOf(task).includes(word))
  );
}

const found = computed(() => {
  const w = wanted.value;
  const words = foldText(w.q ?? "").split(/\s+/).filter((word) => word !== "");
  if (asQuery(w) === "") return [];
  const some = [...tasks.value.values()].filter((task) => fits(task, w, words));
  return some.sort((a, b) => Number(a.is_complete) - Number(b.is_complete) || byDueOrNever(a, b));
});
const groups = computed(() => [{ key: "found", items: flat(found.value) }]);

const tags = computed(() => [...new Set([...tasks.value.values()].flatMap((task) => task.tags))].sort(new Intl.Collator(locale).compare));

// others are the members of lists, without who is signed in.
const others = computed(() => {
  const names = new Map<string, string>();
  for (const list of lists.value.values()) for (const m of list.members) if (m.user_id !== null && m.user_id !== user.value?.id) names.set(m.user_id, m.name || m.email);
  return [...names];
});

interface Saved {
  name: string;
  query: string;
}
const mostSaved = 50;
const [saved, keepSaved] = kept<Saved[]>("filters", [], (v) => Array.isArray(v) && v.every((f) => typeof f?.name === "string" && typeof f?.query === "string"));

let asked = false; // for the field, which has the focus once it is drawn

// search opens the search, in a list if one is looked at, and its field.
export function search(list?: string): void {
  const field = document.getElementById("search");
  if (field) return field.focus();
  asked = true;
  go("search" + (list ? "?list=" + list : ""));
}

function Choice(p: { field: keyof Wanted; label: string; options: (readonly [string, string])[] }) {
  return (
    <div class="field">
      <label for={"by-" + p.field}>{p.label}</label>
      <select id={"by-" + p.field} value={wanted.value[p.field] ?? ""} onChange={(e) => go("search?" + asQuery({ ...wanted.value, [p.field]: e.currentTarget.value }))}>
        {p.options.map(([value, name]) => (
          <option key={value} value={value}>
            {name}
          </option>
        ))}
      </select>
    </div>
  );
}

export function Search() {
  const w = wanted.value;
  const field = useRef<HTMLInputElement>(null);
  const [text, setText] = useState(w.q ?? "");
  const [name, setName] = useState("");
  const query = asQuery(w);
  const here = saved.value.find((f) => f.query === query);
  // Back, or a search by name, is another text than what was typed.
  useLayoutEffect(() => setText((now) => (now.trim() === (w.q ?? "") ? now : (w.q ?? ""))), [w.q]);
  useLayoutEffect(() => {
    if (asked) queueMicrotask(() => field.current?.focus()); // once the view has put it on its heading
    asked = false;
  }, []);
  const s = t.searching;
  return (
    <>
      <form role="search" aria-label={t.search} onSubmit={(e) => e.preventDefault()}>
        <div class="field">
          <label for="search">{s.text}</label>
          <input
            id="search"
            type="search"
            dir="auto"
            maxLength={200}
            autocomplete="off"
            value={text}
            ref={field}
            onInput={(e) => {
              setText(e.currentTarget.value);
              refine("search?" + asQuery({ ...w, q: e.currentTarget.value.trim() }));
            }}
          />
        </div>
        <div class="pair">
          <Choice field="list" label={t.list} options={[["", s.any], ...sortedWith(w.list).map((l) => [l.id, listName(l)] as const)]} />
          <Choice field="tag" label={s.tag} options={[["", s.any], ...[...new Set([...tags.value, ...(w.tag ? [w.tag] : [])])].map((tag) => [tag, tag] as const)]} />
          <Choice field="priority" label={t.priority} options={[["", s.any], ...Object.entries(t.priorities)]} />
          <Choice field="due" label={s.due} options={[["", s.any], ...Object.entries(s.dues)]} />
          <Choice field="assignee" label={t.fields.assignee_id!} options={[["", s.any], ["me", s.me], ["none", s.nobody], ...others.value]} />
          <Choice field="done" label={s.state} options={[["", s.open], ["yes", s.done], ["any", s.any]]} />
        </div>
      </form>
      {query !== "" &&
        (here ? (
          <p>
            <button onClick={() => keepSaved(saved.value.filter((f) => f !== here))}>{s.forget(here.name)}</button>
          </p>
        ) : (
          <form
            class="add"
            onSubmit={(e) => {
              e.preventDefault();
              if (name.trim() !== "") keepSaved([...saved.value.filter((f) => f.name !== name.trim()), { name: name.trim(), query }].slice(-mostSaved));
              setName("");
            }}
          >
            <input dir="auto" required maxLength={100} autocomplete="off" aria-label={s.name} placeholder={s.name} value={name} onInput={(e) => setName(e.currentTarget.value)} />
            <button>{s.save}</button>
          </form>
        ))}
      <p role="status" class="hint">
        {query === "" ? s.how : s.found(found.value.length)}
      </p>
      <Rows groups={groups.value} withList />
    </>
  );
}

// SavedSearches are the links to those that have a name.
export function SavedSearches() {
  if (saved.value.length === 0) return null;
  const at = route.value.view === "search" ? asQuery(wanted.value) : null;
  return (
    <>
      <h2>{t.searching.saved}</h2>
      <ul>
        {saved.value.map((f) => (
          <li key={f.name}>
            <a href={"#/search?" + f.query} aria-current={f.query === at ? "page" : undefined} onClick={() => (menuOpen.value = false)}>
              <span dir="auto">{f.name}</span>
            </a>
          </li>
        ))}
      </ul>
    </>
  );
}
