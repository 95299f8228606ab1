// The second factor: an application that shows codes, and codes for when it is lost.
import { useState } from "preact/hooks";
import { Field } from "./account";
import { request } from "./api";
import { Copy } from "./copy";
import { Buttons, useForm } from "./form";
import { qr } from "./qr";
import type { RecoveryCodes, SecondFactor, TOTP } from "./schema";
import { act, useRead } from "./settings";
import { t } from "./settings-texts";
import { tell } from "./toast";

// Code is a text to scan, dark on light whatever the page is: applications read no other.
function Code({ text }: { text: string }) {
  const rows = qr(text);
  if (!rows) return null; // it is too long
  const size = rows.length + 8;
  return (
    <svg role="img" aria-label={t.secretPicture} width="224" height="224" viewBox={`-4 -4 ${size} ${size}`} shape-rendering="crispEdges">
      <rect x="-4" y="-4" width={size} height={size} fill="#fff" />
      <path fill="#000" d={rows.map((row, y) => row.map((dark, x) => (dark ? `M${x} ${y}h1v1h-1z` : "")).join("")).join("")} />
    </svg>
  );
}

export function SecondFactorSettings() {
  const [there, read] = useRead<SecondFactor>("/api/auth/totp");
  const [begun, setBegun] = useState<TOTP>();
  const [recovery, setRecovery] = useState<string[]>();
  const [code, setCode] = useState("");
  const form = useForm("code");
  return (
    <section>
      <h2>{t.secondFactor}</h2>
      <p class="hint">{t.secondFactorLead}</p>
      {recovery ? (
        <>
          <p>{t.recoveryLead}</p>
          <ul class="codes" aria-label={t.recoveryCodes}>
            {recovery.map((one) => (
              <li key={one}>
                <code>{one}</code>
              </li>
            ))}
          </ul>
          <p class="buttons">
            <Copy text={recovery.join("\n")} />
            <button onClick={() => setRecovery(undefined)}>{t.kept}</button>
          </p>
        </>
      ) : there?.enabled ? (
        <>
          <p>{t.secondFactorOn(there.recovery_codes_left)}</p>
          <button onClick={() => confirm(t.secondFactorOffSure) && void act(() => request("DELETE", "/api/auth/totp")).then(read)}>{t.secondFactorOff}</button>
        </>
      ) : begun ? (
        <form
          onSubmit={(e) => {
            e.preventDefault();
            void form.send(async () => {
              const { data } = await request<RecoveryCodes>("POST", "/api/auth/totp/confirm", { code: code.replace(/\s/g, "") });
              setRecovery(data.recovery_codes);
              setBegun(undefined);
              setCode("");
              tell(t.secondFactorAdded);
              read();
            });
          }}
        >
          {form.alert}
          <p>{t.secretLead}</p>
          <Code text={begun.url} />
          <p>
            <code id="secret">{begun.secret.replace(/(.{4})(?=.)/g, "$1 ")}</code>
          </p>
          <p class="buttons">
            <Copy text={begun.secret} />
            <a class="button" href={begun.url}>
              {t.openApp}
            </a>
          </p>
          <Field id="totp" label={t.code} wrong={form.at("code")}>
            <input id="totp" inputMode="numeric" autocomplete="one-time-code" required pattern="[0-9 ]{6,9}" maxLength={9} value={code} aria-describedby="totp-wrong" onInput={(e) => setCode(e.currentTarget.value)} />
          </Field>
          <Buttons does={t.turnOn} disabled={form.busy} onCancel={() => setBegun(undefined)} />
        </form>
      ) : (
        there && <button onClick={() => void act(async () => setBegun((await request<TOTP>("POST", "/api/auth/totp")).data))}>{t.setUp}</button>
      )}
    </section>
  );
}
