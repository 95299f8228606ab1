// API tokens: what programs act with, each for what it says and for no longer.
import { useLayoutEffect, useState } from "preact/hooks";
import { Field } from "./account";
import { request } from "./api";
import { listName } from "./choose";
import { Copy } from "./copy";
import { instant, plusDays, wall } from "./dates";
import { Dialog } from "./dialog";
import { Buttons, useForm } from "./form";
import type { APIToken, CreatedToken, TokenInput, TokenPage } from "./schema";
import { act, moment, useRead } from "./settings";
import { lists, sortedLists, zone } from "./store";
import { t } from "./settings-texts";

type Scope = TokenInput["scopes"][number];
const scopes = Object.keys(t.scopes) as Scope[];

export function Tokens() {
  const [first, read] = useRead<TokenPage>("/api/auth/tokens?limit=200");
  const [making, setMaking] = useState(false);
  const forLists = (one: APIToken) => one.list_ids?.map((id) => { const l = lists.value.get(id); return l && listName(l); }).filter(Boolean).join(", ");
  return (
    <section>
      <h2>{t.tokens}</h2>
      <p class="hint">{t.tokensLead}</p>
      <ul class="rows">
        {first?.items.map((one) => (
          <li key={one.id}>
            <span class="what">
              <span dir="auto">{one.name}</span>
              <span class="meta">
                <span>{one.scopes.map((scope) => t.scopes[scope as Scope] ?? scope).join(", ")}</span> {one.list_ids && <span dir="auto">{forLists(one)}</span>}{" "}
                <span>{Date.parse(one.expires_at) < Date.now() ? t.expired(moment(one.expires_at)) : t.expires(moment(one.expires_at))}</span> <span>{one.last_used_at ? t.lastUsed(moment(one.last_used_at)) : t.neverUsed}</span>
              </span>
            </span>
            <button aria-label={`${t.revoke}: ${one.name}`} onClick={() => confirm(t.removeSure(one.name)) && void act(() => request("DELETE", "/api/auth/tokens/" + one.id)).then(read)}>
              {t.revoke}
            </button>
          </li>
        ))}
      </ul>
      <button onClick={() => setMaking(true)}>{t.newToken} …</button>
      {making && (
        <NewToken
          onMade={read}
          onClose={() => setMaking(false)}
        />
      )}
    </section>
  );
}

const standardLife = 90; // days, as the API has it
const longestLife = 364; // a day of the zone can end later than a year from now

function NewToken(p: { onMade: () => void; onClose: () => void }) {
  const [today] = useState(() => wall(Date.now(), zone.value).day);
  const [name, setName] = useState("");
  const [may, setMay] = useState<Scope[]>([]);
  const [restricted, setRestricted] = useState(false);
  const [only, setOnly] = useState<string[]>([]);
  const [until, setUntil] = useState(plusDays(today, standardLife));
  const [made, setMade] = useState<CreatedToken>();
  const form = useForm("name", "scopes", "list_ids", "expires_at");
  const toggled = <T,>(all: T[], one: T): T[] => (all.includes(one) ? all.filter((o) => o !== one) : [...all, one]);
  const make = async () => {
    const input: TokenInput = { name: name.trim(), scopes: may, expires_at: instant(until, "23:59", zone.value).toISOString() };
    if (restricted) input.list_ids = only;
    setMade((await request<CreatedToken>("POST", "/api/auth/tokens", input)).data);
    p.onMade();
  };
  useLayoutEffect(() => {
    if (made) document.getElementById("token")?.focus(); // it is shown once: also to who hears it
  }, [made]);
  if (made)
    return (
      <Dialog title={t.newToken} onClose={p.onClose}>
        <Field id="token" label={made.name} hint={t.tokenOnce}>
          <input id="token" readOnly spellcheck={false} value={made.token} aria-describedby="token-hint" onFocus={(e) => e.currentTarget.select()} />
        </Field>
        <p class="buttons">
          <Copy text={made.token} />
          <button onClick={p.onClose}>{t.kept}</button>
        </p>
      </Dialog>
    );
  return (
    <Dialog title={t.newToken} onClose={p.onClose}>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          void form.send(make);
        }}
      >
        {form.alert}
        <Field id="token-name" label={t.tokenName} wrong={form.at("name")}>
          <input id="token-name" dir="auto" required maxLength={100} value={name} aria-describedby="token-name-wrong" onInput={(e) => setName(e.currentTarget.value)} />
        </Field>
        <fieldset>
          <legend>{t.mayDo}</legend>
          {scopes.map((scope) => (
            <label class="switch" key={scope}>
              <input type="checkbox" checked={may.includes(scope)} onChange={() => setMay(toggled(may, scope))} />
              {t.scopes[scope]}
            </label>
          ))}
        </fieldset>
        <fieldset>
          <legend>{t.lists}</legend>
          <label class="switch">
            <input type="checkbox" checked={restricted} onChange={() => setRestricted(!restricted)} />
            {t.theseListsAlone}
          </label>
          {restricted &&
            sortedLists.value.map((l) => (
              <label class="switch inner" key={l.id}>
                <input type="checkbox" checked={only.includes(l.id)} onChange={() => setOnly(toggled(only, l.id))} />
                <span dir="auto">{listName(l)}</span>
              </label>
            ))}
        </fieldset>
        <Field id="until" label={t.until} wrong={form.at("expires_at")}>
          <input id="until" type="date" required min={today} max={plusDays(today, longestLife)} value={until} aria-describedby="until-wrong" onInput={(e) => setUntil(e.currentTarget.value)} />
        </Field>
        <Buttons does={t.create} disabled={form.busy || may.length === 0 || (restricted && only.length === 0)} onCancel={p.onClose} />
      </form>
    </Dialog>
  );
}
