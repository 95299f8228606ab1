// Signing in, and what leads there.
import { useState } from "preact/hooks";
import { Failure, request } from "./api";
import { browserZone } from "./dates";
import { CameBack } from "./providers";
import type { Registration, SignedIn } from "./schema";
import { SignIn } from "./sign-in";
import { enter } from "./store";
import { t } from "./texts";
import { said } from "./toast";

type Mode = "signIn" | "register" | "forgot";

export function Account() {
  const [mode, setMode] = useState<Mode>("signIn");
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const [name, setName] = useState("");
  const [busy, setBusy] = useState(false);
  const [wrong, setWrong] = useState<unknown>(null);
  const [mailed, setMailed] = useState("");

  const turn = (to: Mode) => {
    setMode(to);
    setWrong(null);
    setMailed("");
  };
  const run = async (what: () => Promise<void>) => {
    setBusy(true);
    setWrong(null);
    setMailed("");
    try {
      await what();
    } catch (e) {
      setWrong(e);
    }
    setBusy(false);
  };
  const send = () =>
    run(async () => {
      if (mode === "forgot") {
        await request("POST", "/api/auth/forgot", { email });
        setMailed(email);
        return;
      }
      const who: Registration = { email, password, timezone: browserZone };
      if (name.trim() !== "") who.name = name.trim();
      const a = await request<SignedIn | undefined>("POST", "/api/auth/register", who);
      if (a.status === 201 && a.data) enter(a.data.user);
      else setMailed(email);
    });

  const fields = wrong instanceof Failure ? (wrong.problem?.errors ?? []) : [];
  const at = (field: string) => fields.find((f) => f.location === "body." + field)?.message;
  return (
    <main class="account">
      <p class="brand">taskwire</p>
      <h1>{{ signIn: t.signIn, register: t.register, forgot: t.forgot }[mode]}</h1>
      <CameBack />
      {mode === "signIn" ? (
        <SignIn email={email} setEmail={setEmail} onDone={enter} />
      ) : (
        <form
          onSubmit={(e) => {
            e.preventDefault();
            void send();
          }}
        >
          {mode === "forgot" && <p>{t.forgotLead}</p>}
          {wrong !== null && (
            <p class="wrong" role="alert">
              {fields.length > 0 && fields.every((f) => ["body.email", "body.password", "body.name"].includes(f.location)) ? t.failed : said(wrong)}
            </p>
          )}
          <Field id="email" label={t.email} wrong={at("email")}>
            <input id="email" type="email" autocomplete="username" required maxLength={320} value={email} aria-describedby="email-wrong" onInput={(e) => setEmail(e.currentTarget.value)} />
          </Field>
          {mode === "register" && (
            <Field id="name" label={`${t.name} (${t.optional})`} wrong={at("name")}>
              <input id="name" autocomplete="name" maxLength={200} value={name} aria-describedby="name-wrong" onInput={(e) => setName(e.currentTarget.value)} />
            </Field>
          )}
          {mode === "register" && (
            <Field id="password" label={t.password} hint={t.passwordRules} wrong={at("password")}>
              <input
                id="password"
                type="password"
                autocomplete="new-password"
                required
                minLength={10}
                maxLength={200}
                value={password}
                aria-describedby="password-hint password-wrong"
                onInput={(e) => setPassword(e.currentTarget.value)}
              />
            </Field>
          )}
          <button class="primary" disabled={busy}>
            {mode === "register" ? t.register : t.sendLink}
          </button>
        </form>
      )}
      <p role="status">{mailed !== "" && t.mailSent(mailed)}</p>
      <p class="turns">
        {mode === "signIn" ? (
          <>
            <button class="link" onClick={() => turn("register")}>
              {t.register}
            </button>
            <button class="link" onClick={() => turn("forgot")}>
              {t.forgot}
            </button>
          </>
        ) : (
          <button class="link" onClick={() => turn("signIn")}>
            {t.back}
          </button>
        )}
      </p>
    </main>
  );
}

// Field is a label, an input, and what is wrong with what is in it.
export function Field(p: { id: string; label: string; hint?: string | undefined; wrong?: string | undefined; children: preact.ComponentChildren }) {
  return (
    <div class="field">
      <label for={p.id}>{p.label}</label>
      {p.children}
      <p class="hint" id={p.id + "-hint"} hidden={!p.hint}>
        {p.hint}
      </p>
      <p class="wrong" id={p.id + "-wrong"} hidden={!p.wrong}>
        {p.wrong}
      </p>
    </div>
  );
}
