// How the suite is, for its operators, and what could not be handled.
import { useEffect, useRef, useState } from "preact/hooks";
import { Field } from "./account";
import { request } from "./api";
import { sayMoment } from "./dates";
import { Dialog } from "./dialog";
import { Buttons, Wrong } from "./form";
import { usePages } from "./pages";
import type { DeadLetter, OperatorState, Settled } from "./schema";
import { recently } from "./sign-in-again";
import { zone } from "./store";
import { t } from "./settings-texts";
import { changing, said } from "./toast";

const every = 10_000; // milliseconds, while somebody looks

const moment = (at: string | null) => (at === null ? t.never : sayMoment(at, zone.value));

export function Operator() {
  const [state, setState] = useState<OperatorState | null>(null);
  const [wrong, setWrong] = useState("");
  const [done, setDone] = useState("");
  const [round, setRound] = useState(0); // in which something was done
  const status = useRef<HTMLParagraphElement>(null);
  useEffect(() => {
    if (round > 0) status.current?.focus(); // what had it goes with the letter
    let over = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = async () => {
      clearTimeout(timer);
      if (document.hidden) return;
      try {
        const { data } = await request<OperatorState>("GET", "/api/operator/state");
        if (over) return;
        setState(data);
        setWrong("");
      } catch (e) {
        if (over) return;
        setWrong(said(e));
      }
      clearTimeout(timer);
      timer = setTimeout(() => void look(), every);
    };
    const seen = () => void look();
    seen();
    document.addEventListener("visibilitychange", seen);
    return () => {
      over = true;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", seen);
    };
  }, [round]);
  const settled = (text: string) => {
    setDone(text);
    setRound(round + 1);
  };
  return (
    <>
      <Wrong text={wrong} />
      <p role="status" tabIndex={-1} ref={status}>
        {done}
      </p>
      {state === null ? (
        wrong === "" && <p>{t.loading}</p>
      ) : (
        <>
          <Progress state={state} />
          {state.consumers.map((c) => !c.available && <p class="wrong">{t.isAway(c.service)}</p>)}
          {state.feed.waits_since !== null && <p class="wrong">{t.feedWaits(moment(state.feed.waits_since))}</p>}
          <p class={state.reconcile.gaps > 0 ? "wrong" : ""}>{t.reconciled(moment(state.reconcile.ended_at), state.reconcile.gaps)}</p>
          <ul>
            {state.reconcile.checks.map((c) => c.missing > 0 && <li lang="en">{`${c.missing}: ${c.check}`}</li>)}
          </ul>
          <h2>{t.deadLetters}</h2>
          {state.consumers.every((c) => c.dead_letters === 0) && <p class="empty">{t.noDeadLetters}</p>}
          {state.consumers.map((c) => c.dead_letters > 0 && <Letters key={c.service} service={c.service} count={c.dead_letters} round={round} onSettled={settled} />)}
        </>
      )}
    </>
  );
}

function Progress({ state }: { state: OperatorState }) {
  const row = (topic: string, who: string, upTo: string | null, left: string, late: boolean) => (
    <tr key={topic + who}>
      <th scope="row">{topic}</th>
      <td>{who}</td>
      <td>{moment(upTo)}</td>
      <td class={late ? "wrong" : ""}>{left}</td>
    </tr>
  );
  return (
    <div class="wide" role="region" aria-label={t.state} tabIndex={0}>
      <table>
        <thead>
          <tr>
            <th scope="col">{t.topic}</th>
            <th scope="col">{t.service}</th>
            <th scope="col">{t.upTo}</th>
            <th scope="col">{t.rest}</th>
          </tr>
        </thead>
        <tbody>
          {state.topics.map((p) => [
            row(p.topic, t.publishes, p.newest_published_at, p.unpublished === 0 ? t.allPublished : t.unpublished(p.unpublished, moment(p.oldest_unpublished_at)), p.unpublished > 0),
            ...state.consumers.map((c) => {
              const h = c.topics.find((h) => h.topic === p.topic);
              const behind = Math.round(h?.behind_seconds ?? 0);
              return h && row(p.topic, c.service, h.handled_up_to, behind === 0 ? t.upToDate : t.behind(behind), behind > 0);
            }),
          ])}
        </tbody>
      </table>
    </div>
  );
}

// Letters reads them anew when there are more or fewer, or something was done with one.
function Letters(p: { service: string; count: number; round: number; onSettled: (text: string) => void }) {
  const [asked, setAsked] = useState<{ letter: DeadLetter; act: "replay" | "discard" } | null>(null);
  const path = `/api/operator/dead-letters/${p.service}`;
  const { items, more, wrong } = usePages<DeadLetter>(path, [p.count, p.round]);
  return (
    <section>
      <h3>{t.deadLettersOf(p.service, p.count)}</h3>
      <Wrong text={wrong} />
      <ul class="tasks">
        {items?.map((letter) => (
          <li key={letter.id} class="task">
            <span class="what">
              <span>{`${t.letter(letter.id)} · ${letter.topic} · ${letter.type}`}</span>
              <span dir="auto">{letter.reason}</span>
              <span class="meta">{t.came(moment(letter.received_at), letter.replays)}</span>
            </span>
            <button aria-label={`${t.replay}: ${p.service}, ${t.letter(letter.id)}`} onClick={() => setAsked({ letter, act: "replay" })}>
              {t.replay}
            </button>
            <button aria-label={`${t.discardLetter}: ${p.service}, ${t.letter(letter.id)}`} onClick={() => setAsked({ letter, act: "discard" })}>
              {t.discardLetter}
            </button>
          </li>
        ))}
      </ul>
      {more && <button onClick={more}>{t.more}</button>}
      {asked && (
        <Confirm
          path={`${path}/${asked.letter.id}/${asked.act}`}
          title={`${asked.act === "replay" ? t.replay : t.discardLetter}: ${p.service}, ${t.letter(asked.letter.id)}`}
          discard={asked.act === "discard"}
          onClose={() => setAsked(null)}
          onSettled={p.onSettled}
        />
      )}
    </section>
  );
}

function Confirm(p: { path: string; title: string; discard: boolean; onClose: () => void; onSettled: (text: string) => void }) {
  const [reason, setReason] = useState("");
  const [busy, setBusy] = useState(false);
  const [wrong, setWrong] = useState("");
  const act = async () => {
    setBusy(true);
    setWrong("");
    try {
      const { data } = await recently(() => changing(request<Settled>("POST", p.path, p.discard ? { reason } : undefined)));
      const text = t.outcomes[data.outcome]!;
      if (data.outcome === "failed") setWrong(`${text} ${data.reason}`);
      else {
        p.onClose();
        p.onSettled(text);
      }
    } catch (e) {
      setWrong(said(e));
    }
    setBusy(false);
  };
  return (
    <Dialog title={p.title} onClose={p.onClose}>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          void act();
        }}
      >
        <p>{p.discard ? t.discardLead : t.replayLead}</p>
        {p.discard && (
          <Field id="reason" label={t.reason}>
            <input id="reason" dir="auto" required maxLength={500} value={reason} onInput={(e) => setReason(e.currentTarget.value)} />
          </Field>
        )}
        <Wrong text={wrong} />
        <Buttons does={p.discard ? t.discardLetter : t.replay} disabled={busy} onCancel={p.onClose} />
      </form>
    </Dialog>
  );
}
