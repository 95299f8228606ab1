// What has not reached the server yet, and what came back from there for somebody to decide.
import { computed, effect, signal } from "@preact/signals";
import { useState } from "preact/hooks";
import { Failure } from "./api";
import { revoke } from "./changes";
import { command, pending } from "./commands";
import { Dialog } from "./dialog";
import { newId } from "./local";
import { kept, late, release, savedNow, send, theirsNow, type Kept } from "./outbox";
import { connected, tasks } from "./store";
import { t } from "./texts";
import { said } from "./toast";
import { newPage } from "./version";

const opened = signal(false);
const listed = signal(false); // what waits
effect(() => {
  if (pending.value.length === 0) listed.value = false;
});
const delayed = computed(() => late.value || !connected.value);
const waitingTasks = computed(() => new Set(delayed.value ? pending.value.map((c) => c.task) : []));
const conflictTasks = computed(() => new Set(kept.value.map((k) => (k.what === "conflict" ? k.task : ""))));

// State says of a task whether it waits, has just been saved, or has two texts.
export function State({ id }: { id: string }) {
  if (conflictTasks.value.has(id)) {
    return (
      <button class="state wrong" onClick={() => (opened.value = true)}>
        ⚠ {t.twoTexts}
      </button>
    );
  }
  if (waitingTasks.value.has(id)) return <span class="state">◷ {t.waits}</span>;
  return savedNow.value.has(id) ? <span class="state">✓ {t.saved}</span> : null;
}

// Status says how the page and the server stand.
export function Status() {
  const n = pending.value.length;
  return (
    <>
      <p class="offline" role="status">
        {!connected.value && <span>{t.offline}</span>} {n > 0 && delayed.value && <span>{t.waiting(n)}</span>}
      </p>
      {n > 0 && delayed.value && (
        <p>
          <button onClick={() => (listed.value = true)}>{t.undo} …</button>
        </p>
      )}
      {kept.value.length > 0 && (
        <p>
          <button class="wrong" onClick={() => (opened.value = true)}>
            {t.decide(kept.value.length)}
          </button>
        </p>
      )}
      {newPage.value && (
        <p>
          {t.newPage} <button onClick={() => location.reload()}>{t.reload}</button>
        </p>
      )}
    </>
  );
}

// Waiting has what waits, the last change first, to undo what the server can not have yet:
// also what was done before a reload, of which no toast tells any more.
export function Waiting() {
  return (
    listed.value && (
      <Dialog title={t.waiting(pending.value.length)} onClose={() => (listed.value = false)}>
        <ul class="tasks">
          {pending.value.toReversed().map((c) => {
            const deed = `${t.deeds[c.op]}: ${c.title}`;
            return (
              <li key={c.id} class="task">
                <span class="what" dir="auto">
                  {deed}
                </span>
                {!c.tried && (
                  <button
                    aria-label={`${t.undo}: ${deed}`}
                    onClick={(e) => {
                      const all = e.currentTarget.closest("ul")!;
                      // Its own is gone by then: the one before that is next.
                      void revoke(c).then(() => requestAnimationFrame(() => all.querySelector("button")?.focus()));
                    }}
                  >
                    {t.undo}
                  </button>
                )}
              </li>
            );
          })}
        </ul>
      </Dialog>
    )
  );
}

// Decisions has what somebody has to look at.
export function Decisions() {
  if (!opened.value || kept.value.length === 0) return null;
  return (
    <Dialog title={t.decisions} onClose={() => (opened.value = false)}>
      {kept.value.map((k) => (k.what === "conflict" ? <Conflict key={k.key + k.mine} of={k} /> : <Refused key={k.key} of={k} />))}
    </Dialog>
  );
}

function Text(p: { id: string; label: string; value: string; onInput?: (text: string) => void }) {
  return (
    <div class="field">
      <label for={p.id}>{p.label}</label>
      <textarea id={p.id} dir="auto" rows={3} readOnly={!p.onInput} value={p.value} onInput={(e) => p.onInput?.(e.currentTarget.value)} />
    </div>
  );
}

function Conflict({ of: k }: { of: Kept & { what: "conflict" } }) {
  const [mine, setMine] = useState(k.mine);
  const task = tasks.value.get(k.task);
  const theirs = (task && theirsNow(k)) ?? k.theirs;
  const use = () => {
    if (!task) return;
    release(k.key);
    void send(command({ op: "edit", patch: { [k.field]: mine }, base: { [k.field]: theirs } }, task));
  };
  return (
    <section aria-label={k.title}>
      <h3 dir="auto">{k.title}</h3>
      <p>{task ? t.changedByTwo(t.fields[k.field]!) : t.taskGone}</p>
      <Text id={k.key + "-mine"} label={t.yours} value={mine} onInput={setMine} />
      <Text id={k.key + "-theirs"} label={t.theirs} value={theirs} />
      <p class="buttons">
        {task && (
          <button class="primary" onClick={use}>
            {t.useYours}
          </button>
        )}
        <button onClick={() => release(k.key)}>{task ? t.keepTheirs : t.discardIt}</button>
      </p>
    </section>
  );
}

function Refused({ of: k }: { of: Kept & { what: "refused" } }) {
  const c = k.command;
  const text = c.op === "add" ? c.input.text : c.op === "edit" ? [c.patch.title, c.patch.description].filter(Boolean).join("\n\n") : "";
  return (
    <section aria-label={k.title}>
      <h3 dir="auto">{k.title}</h3>
      <p>{t.refused(t.deeds[c.op], said(new Failure(k.failure.status, k.failure.problem)))}</p>
      {text !== "" && <Text id={k.key} label={t.yours} value={text} />}
      <p class="buttons">
        <button
          onClick={() => {
            release(k.key);
            void send({ ...c, id: newId(), tried: false });
          }}
        >
          {t.tryAgain}
        </button>
        <button onClick={() => release(k.key)}>{t.discardIt}</button>
      </p>
    </section>
  );
}

// mayLeave asks before what nobody else has is deleted.
export function mayLeave(): boolean {
  const n = pending.peek().length + kept.peek().length;
  return n === 0 || confirm(t.signOutWaiting(n));
}
