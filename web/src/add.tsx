// The field for a new task. What the server would understand of the text is shown below it,
// and each part can be kept as text.
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { request } from "./api";
import { quickAdd } from "./changes";
import { recall, remember } from "./local";
import type { QuickAddInput, QuickAddPreview, QuickAddSpan } from "./schema";
import { user } from "./store";
import { t } from "./texts";

// Whoever types is not asked after each key, and hears what was understood once they pause.
const askAfter = 250;
const sayAfter = 1_000;

// A part is what was understood as one thing: a time belongs to the date or rule beside it.
interface Part {
  start: number;
  end: number;
  kind: QuickAddSpan["kind"];
}

const due = ["date", "time", "recurrence"];

function partsOf(text: string, spans: QuickAddSpan[]): Part[] {
  const parts: Part[] = [];
  for (const { start, end, kind } of spans) {
    const before = parts.at(-1);
    if (before && due.includes(kind) && due.includes(before.kind) && text.slice(before.end, start).trim() === "") {
      before.end = end;
      if (before.kind === "time" || kind === "recurrence") before.kind = kind;
    } else {
      parts.push({ start, end, kind });
    }
  }
  return parts;
}

// asText has a part mean nothing but itself: each of its words is escaped.
const asText = (text: string, part: Part): string => text.slice(0, part.start) + text.slice(part.start, part.end).replace(/#"[^"]*"\S*|\S+/g, "\\$&") + text.slice(part.end);

const nothing = { of: "", parts: [] as Part[] };

export function Add({ label, list, day }: { label: string; list?: string; day?: string }) {
  const draft = `add.${user.peek()?.id}.${list ?? label}`;
  const [text, setText] = useState(() => recall<string>("sessionStorage", draft) ?? "");
  useLayoutEffect(() => remember("sessionStorage", draft, text || undefined), [text]); // before who types can be elsewhere
  const [understood, setUnderstood] = useState(nothing); // of a text, which may be gone
  const [heard, setHeard] = useState("");
  const field = useRef<HTMLInputElement>(null);

  useEffect(() => {
    const what = text.trim();
    if (what === "") return setUnderstood(nothing);
    let over = false;
    const timer = setTimeout(async () => {
      const input: QuickAddInput = { text, dry_run: true };
      if (list) input.list_id = list;
      if (day) input.due_on = day;
      let parts: Part[] = [];
      try {
        parts = partsOf(text, (await request<QuickAddPreview>("POST", "/api/quick-add", input)).data.spans);
      } catch {
        // Without an answer nothing is shown; the task can be added all the same.
      }
      if (!over) setUnderstood({ of: text, parts });
    }, askAfter);
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [text, list, day]);

  // Those of the text before stay until the next answer where they are still there, so that
  // nothing flickers.
  const now = understood.of === text;
  const parts = text.trim() === "" ? [] : understood.parts.filter((p) => now || text.startsWith(understood.of.slice(0, p.end)));
  const words = (p: Part) => text.slice(p.start, p.end);
  const all = parts.length > 0 ? t.understood(parts.map(words).join(", ")) : "";
  useEffect(() => {
    const timer = setTimeout(() => setHeard(all), all === "" ? 0 : sayAfter);
    return () => clearTimeout(timer);
  }, [all]);

  const keepAsText = (part: Part) => {
    const next = asText(text, part);
    const caret = part.end + next.length - text.length;
    setText(next);
    setUnderstood(nothing);
    field.current!.value = next; // so that the caret can be behind the part now
    field.current!.setSelectionRange(caret, caret);
    field.current!.focus();
  };
  const add = async () => {
    const what = text.trim();
    if (what === "") return;
    setText(""); // who types fast goes on with the next one
    // What could not be added comes back, before what was typed meanwhile.
    if (await quickAdd(what, list, day)) return;
    if (field.current) setText((now) => (now === "" ? what : what + " " + now));
    else remember("sessionStorage", draft, [what, recall<string>("sessionStorage", draft)].filter(Boolean).join(" ")); // whoever adds is somewhere else by now
  };
  return (
    <>
      <form
        class="add"
        onSubmit={(e) => {
          e.preventDefault();
          void add();
        }}
      >
        <input
          id="add"
          ref={field}
          dir="auto"
          autocomplete="off"
          aria-label={label}
          placeholder={label}
          maxLength={200}
          value={text}
          onInput={(e) => setText(e.currentTarget.value)}
          onBeforeInput={(e) => {
            const { selectionStart: at, selectionEnd } = e.currentTarget;
            const part = now && at === selectionEnd && understood.parts.find((p) => p.end === at);
            if (e.inputType !== "deleteContentBackward" || !part || e.isComposing) return;
            e.preventDefault();
            keepAsText(part);
          }}
        />
        <button>{t.add}</button>
      </form>
      {parts.length > 0 && (
        <ul class="chips" aria-label={t.understoodParts}>
          {parts.map((p) => (
            <li key={p.start}>
              <span class="meta">{t.spanKinds[p.kind]}</span> <span dir="auto">{words(p)}</span>
              <button type="button" class="quiet" aria-label={t.keepAsText(words(p))} onClick={() => keepAsText(p)}>
                ×
              </button>
            </li>
          ))}
        </ul>
      )}
      <p class="unseen" role="status">
        {heard}
      </p>
    </>
  );
}
