// What people say about a task. Comments are asked for when the task is open, and follow the
// feed from there; the page keeps them no longer.
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { Field } from "./account";
import { request } from "./api";
import { sayMoment } from "./dates";
import { Wrong } from "./form";
import { recall, remember } from "./local";
import { Markdown } from "./markdown";
import type { Comment, CommentPage, FeedChange, Member, Task } from "./schema";
import { commentListeners, connected, lists, mayWrite, tasks, user, zone } from "./store";
import { t } from "./texts";
import { changing, complain, offerUndo, said } from "./toast";

// drafts are what was typed and not sent, by the task or the comment that it is for: whoever
// closes a task by mistake, or loads the page anew, finds it again.
const keyOf = (draft: string) => `draft.${user.peek()?.id}.comment.${draft}`;
const drafts = {
  get: (draft: string) => recall<string>("localStorage", keyOf(draft)),
  set: (draft: string, text: string | undefined) => remember("localStorage", keyOf(draft), text),
};

type All = ReadonlyMap<string, Comment>;

// with has a comment as it is now; null for one that is gone.
function withComment(all: All, id: string, now: Comment | null): All {
  const next = new Map(all);
  if (now) next.set(id, now);
  else next.delete(id);
  return next;
}

const inTime = (a: Comment, b: Comment): number => Date.parse(a.created_at) - Date.parse(b.created_at) || (a.id < b.id ? -1 : 1);

export function Comments({ task }: { task: Task }) {
  const [all, setAll] = useState<All | null>(null);
  const [wrong, setWrong] = useState("");
  // later is what has become of comments since they were last asked for: the answer may be older.
  const later = useRef(new Map<string, Comment | null>());
  const heading = useRef<HTMLHeadingElement>(null);
  const list = tasks.value.get(task.id)?.list_id ?? task.list_id;
  const members = lists.value.get(list)?.members ?? [];
  const writable = mayWrite(list) && tasks.value.has(task.id);

  const take = (id: string, now: Comment | null) => {
    later.current.set(id, now);
    setAll((known) => known && withComment(known, id, now));
  };
  const load = async () => {
    const since = (later.current = new Map<string, Comment | null>());
    try {
      let found: All = new Map();
      let cursor: string | null = "";
      // All of them: the server has a limit for a task.
      while (cursor !== null) {
        const page: { data: CommentPage } = await request<CommentPage>("GET", `/api/tasks/${task.id}/comments?limit=200&cursor=${encodeURIComponent(cursor)}`);
        if (since !== later.current) return; // asked for anew meanwhile
        found = new Map([...found, ...page.data.items.map((c) => [c.id, c] as const)]);
        cursor = page.data.next_cursor;
      }
      for (const [id, now] of since) found = withComment(found, id, now);
      setAll(found);
      setWrong("");
    } catch (e) {
      if (since === later.current) setWrong(said(e));
    }
  };
  useEffect(() => {
    const hear = (changes: FeedChange[] | null) => {
      if (!changes) return void load();
      for (const c of changes) {
        const now = c.op === "put" ? (c.data as Comment) : null;
        // One that is gone from a list may have moved with its task.
        if (now ? now.task_id === task.id : c.list_id === (tasks.peek().get(task.id)?.list_id ?? c.list_id)) take(c.id, now);
      }
    };
    commentListeners.add(hear);
    return () => {
      commentListeners.delete(hear);
      later.current = new Map();
    };
  }, [task.id]);
  useEffect(() => {
    if (connected.value || all === null) void load(); // also when the server is back
  }, [task.id, connected.value]);

  const add = async (text: string) => {
    const a = await changing(request<Comment>("POST", `/api/tasks/${task.id}/comments`, { text }));
    take(a.data.id, a.data);
    offerUndo(t.commented, a.requestId);
  };
  const edit = async (id: string, text: string) => {
    const a = await changing(request<Comment>("PATCH", `/api/comments/${id}`, { text }));
    take(id, a.data);
    offerUndo(t.saved, a.requestId);
  };
  const remove = async (id: string) => {
    try {
      const a = await changing(request("DELETE", `/api/comments/${id}`));
      take(id, null);
      offerUndo(t.commentDeleted, a.requestId);
      heading.current?.focus(); // the button is gone
    } catch (e) {
      complain(e);
    }
  };
  const owner = lists.value.get(list)?.role === "owner";
  return (
    <section class="comments" aria-labelledby="comments">
      <h3 id="comments" tabIndex={-1} ref={heading}>
        {t.comments}
      </h3>
      <Wrong text={wrong} />
      {all === null ? wrong === "" && <p>{t.loading}</p> : all.size === 0 && <p class="hint">{t.noComments}</p>}
      <ol>
        {[...(all?.values() ?? [])].sort(inTime).map((c) => (
          <One key={c.id} comment={c} members={members} mine={writable && c.author.user_id === user.value?.id} deletable={writable && owner} edit={edit} remove={remove} />
        ))}
      </ol>
      {writable && <Write draft={task.id} text="" label={t.writeComment} action={t.comment} members={members} send={add} />}
    </section>
  );
}

function One(p: { comment: Comment; members: Member[]; mine: boolean; deletable: boolean; edit: (id: string, text: string) => Promise<void>; remove: (id: string) => Promise<void> }) {
  const { id, author, text, created_at, edited_at } = p.comment;
  const [editing, setEditing] = useState(p.mine && drafts.get(id) !== undefined);
  const [busy, setBusy] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const was = useRef(editing);
  useLayoutEffect(() => {
    if (was.current && !editing) button.current?.focus();
    was.current = editing;
  }, [editing]);
  const name = author.name || p.members.find((m) => m.user_id === author.user_id)?.email || t.someone;
  const begins = text.length > 60 ? text.slice(0, 60) + "…" : text; // for who hears the buttons alone
  return (
    <li>
      <p class="meta">
        <strong dir="auto">{name}</strong> <time dateTime={created_at}>{sayMoment(created_at, zone.value)}</time>
        {edited_at !== null && ` · ${t.editedAt(sayMoment(edited_at, zone.value))}`}
      </p>
      {editing && p.mine ? (
        <Write draft={id} text={text} label={t.editComment} action={t.saveComment} members={p.members} send={(now) => p.edit(id, now)} onClose={() => setEditing(false)} />
      ) : (
        <>
          <Markdown text={text} below={3} />
          {(p.mine || p.deletable) && (
            <p class="buttons">
              {p.mine && (
                <button type="button" class="link" ref={button} aria-label={`${t.edit}: ${begins}`} onClick={() => setEditing(true)}>
                  {t.edit}
                </button>
              )}
              <button
                type="button"
                class="link"
                disabled={busy}
                aria-label={`${t.delete}: ${begins}`}
                onClick={() => {
                  setBusy(true);
                  void p.remove(id).finally(() => setBusy(false));
                }}
              >
                {t.delete}
              </button>
            </p>
          )}
        </>
      )}
    </li>
  );
}

// mention is an @ that begins a word and what was typed behind it, up to the caret.
const mention = /(?:^|[^\p{L}\p{N}._%+\-@])@([^\s@]*(?:@[^\s@]*)?)$/u;

// most is how many members are offered at a time.
const most = 8;

// Write is a field for a comment. Behind an @ it offers the members of the list.
function Write(p: { draft: string; text: string; label: string; action: string; members: Member[]; send: (text: string) => Promise<void>; onClose?: () => void }) {
  const [text, setText] = useState(drafts.get(p.draft) ?? p.text);
  const [busy, setBusy] = useState(false);
  const [wrong, setWrong] = useState("");
  const [typed, setTyped] = useState<string | null>(null); // behind the @ at the caret; null for none
  const [at, setAt] = useState(0); // the member that Enter takes
  const field = useRef<HTMLTextAreaElement>(null);
  const caret = useRef<number | null>(null);
  useLayoutEffect(() => {
    if (p.onClose) field.current?.focus();
  }, []);
  useLayoutEffect(() => {
    if (caret.current !== null) field.current?.setSelectionRange(caret.current, caret.current);
    caret.current = null;
  }, [text]);

  const wanted = typed?.toLowerCase();
  const offered =
    wanted === undefined
      ? []
      : p.members.filter((m) => m.state === "active" && m.user_id !== user.value?.id && m.email.toLowerCase() !== wanted && (m.email.toLowerCase().includes(wanted) || m.name.toLowerCase().includes(wanted))).slice(0, most);
  const chosen = Math.min(at, offered.length - 1);

  const keep = (now: string) => {
    setText(now);
    drafts.set(p.draft, now === p.text ? undefined : now);
  };
  const look = () => {
    const { selectionStart, selectionEnd, value } = field.current!;
    const found = selectionStart === selectionEnd ? mention.exec(value.slice(Math.max(0, selectionStart - 300), selectionStart)) : null;
    setTyped(found?.[1] ?? null);
    setAt(0);
  };
  const choose = (m: Member) => {
    const end = field.current!.selectionStart;
    const begin = end - typed!.length;
    caret.current = begin + m.email.length + 1;
    keep(text.slice(0, begin) + m.email + " " + text.slice(end).replace(/^ /, ""));
    setTyped(null);
  };
  const send = async () => {
    if (text.trim() === "" || busy) return;
    setBusy(true);
    setWrong("");
    try {
      await p.send(text);
      drafts.set(p.draft, undefined);
      setText(p.text);
      p.onClose?.();
    } catch (e) {
      setWrong(said(e));
    }
    setBusy(false);
  };
  const onKeyDown = (e: KeyboardEvent) => {
    if (e.isComposing) return;
    if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) return void send();
    if (offered.length === 0) return;
    if (e.key === "ArrowDown") setAt((chosen + 1) % offered.length);
    else if (e.key === "ArrowUp") setAt((chosen + offered.length - 1) % offered.length);
    else if (e.key === "Enter" || (e.key === "Tab" && !e.shiftKey)) choose(offered[chosen]!);
    else if (e.key === "Escape") setTyped(null);
    else return;
    e.preventDefault(); // Escape leaves the task open
  };
  const [id, options] = ["comment-" + p.draft, "mention-" + p.draft];
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        void send();
      }}
    >
      <Field id={id} label={p.label} hint={t.commentHint} wrong={wrong}>
        <textarea
          id={id}
          ref={field}
          dir="auto"
          readOnly={busy}
          rows={3}
          maxLength={10000}
          value={text}
          aria-describedby={`${id}-hint ${id}-wrong`}
          aria-autocomplete="list"
          aria-haspopup="listbox"
          aria-controls={offered.length > 0 ? options : undefined}
          aria-activedescendant={offered.length > 0 ? `${options}-${chosen}` : undefined}
          onInput={(e) => {
            keep(e.currentTarget.value);
            look();
          }}
          onKeyDown={onKeyDown}
          onClick={look}
          onBlur={() => setTyped(null)}
        />
        <p class="unseen" role="status">
          {offered.length > 0 && t.membersOffered(offered.length)}
        </p>
        {offered.length > 0 && (
          <ul class="offered" role="listbox" id={options} aria-label={t.mention} onMouseDown={(e) => e.preventDefault() /* the focus stays in the field */}>
            {offered.map((m, i) => (
              <li key={m.email} role="option" id={`${options}-${i}`} aria-selected={i === chosen} onClick={() => choose(m)}>
                {m.name !== "" && <span dir="auto">{m.name}</span>} <span class="meta">{m.email}</span>
              </li>
            ))}
          </ul>
        )}
      </Field>
      <p class="buttons">
        <button disabled={busy || text.trim() === ""}>{p.action}</button>
        {p.onClose && (
          <button
            type="button"
            onClick={() => {
              drafts.set(p.draft, undefined);
              p.onClose!();
            }}
          >
            {t.cancel}
          </button>
        )}
      </p>
    </form>
  );
}
