// What people set for themselves: who they are, how they sign in, and who else may.
import { useEffect, useState } from "preact/hooks";
import { Field } from "./account";
import { Failure, refusal, request } from "./api";
import { sayMoment } from "./dates";
import { Dialog } from "./dialog";
import { useForm } from "./form";
import { leaveFor, useProviders } from "./providers";
import type { IdentityList, PasskeyList, PasswordChange, Problem, ProfilePatch, SessionList, ToBeErased, User } from "./schema";
import { addPasskey, passkeysThere } from "./passkeys";
import { SecondFactorSettings } from "./second-factor";
import { user, zone } from "./store";
import { t } from "./settings-texts";
import { complain, tell } from "./toast";
import { recently } from "./sign-in-again";
import { Tokens } from "./tokens";

// useRead reads what a section is about, and again when it is asked to.
export function useRead<T>(path: string): [T | undefined, () => void] {
  const [data, setData] = useState<T>();
  const read = () => void request<T>("GET", path).then((a) => setData(a.data), complain);
  useEffect(read, [path]);
  return [data, read];
}

// act has something done that no form asks for, and says what went wrong.
export async function act(what: () => Promise<unknown>): Promise<boolean> {
  try {
    await recently(what);
    return true;
  } catch (e) {
    complain(e);
    return false;
  }
}

export function Settings() {
  return (
    <div class="settings">
      <Profile />
      <Address />
      <Password />
      <SecondFactorSettings />
      {passkeysThere && <Passkeys />}
      <Identities />
      <Sessions />
      <Tokens />
      <Mine />
    </div>
  );
}

export const moment = (at: string): string => sayMoment(at, zone.value);

function Profile() {
  const [name, setName] = useState(user.value?.name ?? "");
  const [place, setPlace] = useState(zone.value);
  const form = useForm("name", "timezone");
  return (
    <section>
      <h2>{t.profile}</h2>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          const patch: ProfilePatch = { name: name.trim(), timezone: place };
          void form.send(async () => (user.value = (await request<User>("PATCH", "/api/auth/me", patch)).data)).then((ok) => ok && tell(t.saved));
        }}
      >
        {form.alert}
        <div class="pair">
          <Field id="own-name" label={`${t.name} (${t.optional})`} wrong={form.at("name")}>
            <input id="own-name" dir="auto" autocomplete="name" maxLength={200} value={name} aria-describedby="own-name-wrong" onInput={(e) => setName(e.currentTarget.value)} />
          </Field>
          <Field id="zone" label={t.zone} hint={t.zoneHint} wrong={form.at("timezone")}>
            <input id="zone" list="zones" required maxLength={64} spellcheck={false} autocomplete="off" value={place} aria-describedby="zone-hint zone-wrong" onInput={(e) => setPlace(e.currentTarget.value)} />
          </Field>
        </div>
        <datalist id="zones">
          {(Intl.supportedValuesOf?.("timeZone") ?? []).map((one) => (
            <option key={one} value={one} />
          ))}
        </datalist>
        <button disabled={form.busy}>{t.save}</button>
      </form>
    </section>
  );
}

function Address() {
  const now = user.value;
  const [email, setEmail] = useState("");
  const [mailed, setMailed] = useState("");
  const form = useForm("email");
  const send = (to: string, method: string, path: string) => {
    setMailed("");
    return form.send(() => request(method, path, { email: to })).then((ok) => ok && setMailed(to));
  };
  return (
    <section>
      <h2>{t.email}</h2>
      <p>
        <span dir="auto">{now?.email}</span> {now && !now.verified && <span class="meta">({t.unverified})</span>}
      </p>
      {now && !now.verified && (
        <button disabled={form.busy} onClick={() => void send(now.email, "POST", "/api/auth/verify/resend")}>
          {t.sendAgain}
        </button>
      )}
      <form
        onSubmit={(e) => {
          e.preventDefault();
          void send(email.trim(), "PATCH", "/api/auth/me");
        }}
      >
        {form.alert}
        <Field id="new-email" label={t.newEmail} hint={t.newEmailHint} wrong={form.at("email")}>
          <input id="new-email" type="email" autocomplete="email" required maxLength={254} value={email} aria-describedby="new-email-hint new-email-wrong" onInput={(e) => setEmail(e.currentTarget.value)} />
        </Field>
        <button disabled={form.busy}>{t.changeEmail}</button>
        <p role="status">{mailed !== "" && t.mailSent(mailed)}</p>
      </form>
    </section>
  );
}

function Password() {
  const [current, setCurrent] = useState("");
  const [next, setNext] = useState("");
  const [mailed, setMailed] = useState("");
  const form = useForm("current", "new");
  return (
    <section>
      <h2>{t.password}</h2>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          const body: PasswordChange = { current, new: next };
          void form
            .send(() => request("POST", "/api/auth/password", body))
            .then((ok) => {
              if (!ok) return;
              setCurrent("");
              setNext("");
              tell(t.passwordChanged);
            });
        }}
      >
        {form.alert}
        <input type="email" autocomplete="username" value={user.value?.email} readOnly hidden />
        <div class="pair">
          <Field id="current-password" label={t.currentPassword} wrong={form.at("current")}>
            <input id="current-password" type="password" autocomplete="current-password" required maxLength={200} value={current} aria-describedby="current-password-wrong" onInput={(e) => setCurrent(e.currentTarget.value)} />
          </Field>
          <Field id="new-password" label={t.newPassword} hint={t.passwordRules} wrong={form.at("new")}>
            <input id="new-password" type="password" autocomplete="new-password" required minLength={10} maxLength={200} value={next} aria-describedby="new-password-hint new-password-wrong" onInput={(e) => setNext(e.currentTarget.value)} />
          </Field>
        </div>
        <p class="buttons">
          <button disabled={form.busy}>{t.changePassword}</button>
          <button
            type="button"
            class="link"
            disabled={form.busy}
            onClick={() => {
              const email = user.value?.email ?? "";
              void form.send(() => request("POST", "/api/auth/forgot", { email })).then((ok) => ok && setMailed(email));
            }}
          >
            {t.noPassword}
          </button>
        </p>
        <p role="status">{mailed !== "" && t.mailSent(mailed)}</p>
      </form>
    </section>
  );
}

function Passkeys() {
  const [all, read] = useRead<PasskeyList>("/api/auth/passkeys");
  const [name, setName] = useState("");
  const form = useForm("name");
  return (
    <section>
      <h2>{t.passkeys}</h2>
      <p class="hint">{t.passkeysLead}</p>
      <ul class="rows">
        {all?.items.map((one) => {
          const called = one.name || t.passkey;
          return (
            <li key={one.id}>
              <span class="what">
                <span dir="auto">{called}</span>
                <span class="meta">
                  {t.since(moment(one.created_at))} {one.last_used_at && <span>{t.lastUsed(moment(one.last_used_at))}</span>} {one.backed_up && <span>{t.backedUp}</span>}
                </span>
              </span>
              <button aria-label={`${t.remove}: ${called}`} onClick={() => confirm(t.removeSure(called)) && void act(() => request("DELETE", "/api/auth/passkeys/" + one.id)).then(read)}>
                {t.remove}
              </button>
            </li>
          );
        })}
      </ul>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          void form
            .send(() => addPasskey(name.trim()))
            .then((ok) => {
              if (!ok) return;
              setName("");
              tell(t.passkeyAdded);
              read();
            });
        }}
      >
        {form.alert}
        <Field id="passkey-name" label={`${t.passkeyName} (${t.optional})`} wrong={form.at("name")}>
          <input id="passkey-name" dir="auto" maxLength={100} value={name} aria-describedby="passkey-name-wrong" onInput={(e) => setName(e.currentTarget.value)} />
        </Field>
        <button disabled={form.busy}>{t.addPasskey}</button>
      </form>
    </section>
  );
}

// host is who an issuer is, for people.
function host(issuer: string): string {
  try {
    return new URL(issuer).host;
  } catch {
    return issuer;
  }
}

function Identities() {
  const [all, read] = useRead<IdentityList>("/api/auth/identities");
  const providers = useProviders();
  if (providers.length === 0 && !all?.items.length) return null;
  return (
    <section>
      <h2>{t.identities}</h2>
      <ul class="rows">
        {all?.items.map((one) => {
          const called = [one.email, host(one.issuer)].filter(Boolean).join(", ");
          return (
            <li key={one.id}>
              <span class="what">
                <span dir="auto">{called}</span>
                <span class="meta">{t.since(moment(one.created_at))}</span>
              </span>
              <button aria-label={`${t.unlink}: ${called}`} onClick={() => confirm(t.removeSure(called)) && void act(() => request("DELETE", "/api/auth/identities/" + one.id)).then(read)}>
                {t.unlink}
              </button>
            </li>
          );
        })}
      </ul>
      <p class="buttons">
        {providers.map((one) => (
          <button key={one.id} onClick={() => void act(() => leaveFor(one.url + "?link=true"))}>
            {t.linkTo(one.name)}
          </button>
        ))}
      </p>
    </section>
  );
}

// What browsers and systems have in what they call themselves; the first that is there counts,
// since many name others besides.
const browsers = { "Firefox/": "Firefox", "Edg/": "Edge", "OPR/": "Opera", "Chrome/": "Chrome", "Safari/": "Safari" };
const systems = { Android: "Android", iPhone: "iPhone", iPad: "iPad", Windows: "Windows", "Mac OS": "macOS", CrOS: "ChromeOS", Linux: "Linux" };

function device(agent: string): string {
  const first = (of: Record<string, string>) => Object.entries(of).find(([mark]) => agent.includes(mark))?.[1];
  return [first(browsers), first(systems)].filter(Boolean).join(", ") || agent || t.unknownDevice;
}

function Sessions() {
  const [all, read] = useRead<SessionList>("/api/auth/sessions");
  return (
    <section>
      <h2>{t.sessions}</h2>
      <ul class="rows">
        {all?.items.map((one) => (
          <li key={one.id}>
            <span class="what">
              <span title={one.device} dir="auto">
                {device(one.device)} {one.current && <b>({t.thisDevice})</b>}
              </span>
              <span class="meta">
                <span dir="ltr">{one.ip}</span> <span>{t.since(moment(one.created_at))}</span> <span>{t.lastSeen(moment(one.last_seen_at))}</span>
              </span>
            </span>
            {!one.current && (
              <button aria-label={`${t.signOut}: ${device(one.device)}, ${one.ip}`} onClick={() => void act(() => request("DELETE", "/api/auth/sessions/" + one.id)).then(read)}>
                {t.signOut}
              </button>
            )}
          </li>
        ))}
      </ul>
      {all && all.items.length > 1 && (
        <button
          onClick={() =>
            void act(() => request("DELETE", "/api/auth/sessions")).then((ok) => {
              if (ok) tell(t.othersSignedOut);
              read();
            })
          }
        >
          {t.signOutOthers}
        </button>
      )}
    </section>
  );
}

// exported saves the archive that the server writes.
async function exported(): Promise<void> {
  let archive: Blob;
  try {
    const res = await fetch("/api/auth/export", { method: "POST", credentials: "same-origin" });
    if (!res.ok) throw await refusal(res.status, (await res.json().catch(() => null)) as Problem | null);
    archive = await res.blob();
  } catch (e) {
    throw e instanceof Failure ? e : new Failure(0, null); // it broke off
  }
  const a = document.createElement("a");
  a.href = URL.createObjectURL(archive);
  a.download = "taskwire.zip";
  a.click();
  setTimeout(() => URL.revokeObjectURL(a.href), 60_000); // the browser has it by then
}

function Mine() {
  const [busy, setBusy] = useState(false);
  const [erasing, setErasing] = useState(false);
  const form = useForm();
  return (
    <section>
      <h2>{t.mine}</h2>
      <p>{t.exportLead}</p>
      <button
        disabled={busy}
        onClick={() => {
          setBusy(true);
          void act(exported).then((ok) => {
            setBusy(false);
            if (ok) tell(t.exported);
          });
        }}
      >
        {t.export}
      </button>
      {!user.value?.erase_at && (
        <>
          <p>{t.eraseLead}</p>
          <button onClick={() => setErasing(true)}>{t.erase} …</button>
        </>
      )}
      {erasing && (
        <Dialog title={t.erase} onClose={() => setErasing(false)}>
          {form.alert}
          <p>{t.eraseMeans}</p>
          <p class="buttons">
            <button
              class="primary"
              disabled={form.busy}
              onClick={() =>
                void form
                  .send(async () => {
                    const { data } = await request<ToBeErased>("DELETE", "/api/auth/me");
                    if (user.value) user.value = { ...user.value, erase_at: data.erase_at };
                  })
                  .then((ok) => ok && setErasing(false))
              }
            >
              {t.erase}
            </button>
            <button onClick={() => setErasing(false)}>{t.cancel}</button>
          </p>
        </Dialog>
      )}
    </section>
  );
}
