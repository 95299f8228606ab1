// The ways to sign in: a password, with a code where the account asks for one, a passkey, and
// the providers that there are.
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { Field } from "./account";
import { Failure, request } from "./api";
import { passkeysThere, saidAlso, signInByPasskey } from "./passkeys";
import { leaveFor, useProviders } from "./providers";
import type { Credentials, SignedIn, User } from "./schema";
import { t } from "./texts";

// SignIn calls onDone with who has signed in. Without setEmail it is for one account alone.
export function SignIn(p: { email: string; setEmail?: (email: string) => void; onDone: (who: User) => void }) {
  const [password, setPassword] = useState("");
  const [code, setCode] = useState("");
  const [asksCode, setAsksCode] = useState(false);
  const [busy, setBusy] = useState(false);
  const [wrong, setWrong] = useState<unknown>(null);
  const [mailed, setMailed] = useState(false);
  const first = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => {
    if (asksCode || !p.setEmail) first.current?.focus();
  }, [asksCode]);
  const run = async (what: () => Promise<void>) => {
    setBusy(true);
    setWrong(null);
    setMailed(false);
    try {
      await what();
    } catch (e) {
      setWrong(e);
    }
    setBusy(false);
  };
  const byPassword = async () => {
    const body: Credentials = { email: p.email, password };
    if (asksCode) body.code = code;
    try {
      p.onDone((await request<SignedIn>("POST", "/api/auth/login", body)).data.user);
    } catch (e) {
      setCode("");
      if (!(e instanceof Failure) || e.code !== "second-factor-required") throw e;
      setAsksCode(true);
    }
  };
  const providers = useProviders();
  return (
    <>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          void run(byPassword);
        }}
      >
        {wrong !== null && (
          <p class="wrong" role="alert">
            {saidAlso(wrong)}
          </p>
        )}
        {asksCode ? (
          <Field id="code" label={t.code} hint={t.codeHint}>
            <input id="code" autocomplete="one-time-code" autocapitalize="characters" spellcheck={false} required maxLength={64} value={code} ref={first} aria-describedby="code-hint" onInput={(e) => setCode(e.currentTarget.value)} />
          </Field>
        ) : (
          <>
            <Field id="email" label={t.email}>
              <input id="email" type="email" autocomplete="username" required maxLength={320} readOnly={!p.setEmail} value={p.email} onInput={(e) => p.setEmail?.(e.currentTarget.value)} />
            </Field>
            <Field id="password" label={t.password}>
              <input id="password" type="password" autocomplete="current-password" required maxLength={200} value={password} ref={first} onInput={(e) => setPassword(e.currentTarget.value)} />
            </Field>
          </>
        )}
        <p class="buttons">
          <button class="primary" disabled={busy}>
            {t.signIn}
          </button>
          {asksCode && (
            <button type="button" onClick={() => setAsksCode(false)}>
              {t.anotherWay}
            </button>
          )}
        </p>
      </form>
      {wrong instanceof Failure && wrong.code === "address-unverified" && (
        <button
          disabled={busy}
          onClick={() =>
            void run(async () => {
              await request("POST", "/api/auth/verify/resend", { email: p.email });
              setMailed(true);
            })
          }
        >
          {t.sendAgain}
        </button>
      )}
      <p role="status">{mailed && t.mailSent(p.email)}</p>
      {!asksCode && (passkeysThere || providers.length > 0) && (
        <p class="buttons">
          {passkeysThere && (
            <button disabled={busy} onClick={() => void run(async () => p.onDone((await signInByPasskey()).user))}>
              {t.signInByPasskey}
            </button>
          )}
          {providers.map((one) => (
            <button key={one.id} disabled={busy} onClick={() => void run(() => leaveFor(one.url))}>
              {t.signInAt(one.name)}
            </button>
          ))}
        </p>
      )}
    </>
  );
}
