// What a form does about its request: it is sent once, and what was wrong is said at its field.
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { Failure } from "./api";
import { saidAlso } from "./passkeys";
import { recently } from "./sign-in-again";
import { t } from "./texts";

// Buttons end a form: what it does, or nothing, or what else there is.
export function Buttons(p: { does: string; disabled?: boolean; onCancel: () => void; children?: ComponentChildren }) {
  return (
    <p class="buttons">
      <button class="primary" disabled={p.disabled}>
        {p.does}
      </button>
      <button type="button" onClick={p.onCancel}>
        {t.cancel}
      </button>
      {p.children}
    </p>
  );
}

// Wrong says what was wrong, if anything was.
export function Wrong({ text }: { text: string }) {
  return text === "" ? null : (
    <p class="wrong" role="alert" dir="auto">
      {text}
    </p>
  );
}

// useForm is for the fields of a body that the form has.
export function useForm(...known: string[]) {
  const [busy, setBusy] = useState(false);
  const [wrong, setWrong] = useState<unknown>(null);
  const fields = wrong instanceof Failure ? (wrong.problem?.errors ?? []) : [];
  const at = (field: string) => fields.find((f) => f.location === "body." + field)?.message;
  // send has something done, with another sign-in where that is asked for; it returns
  // whether it was done.
  const send = async (what: () => Promise<unknown>): Promise<boolean> => {
    setBusy(true);
    setWrong(null);
    try {
      await recently(what);
      return true;
    } catch (e) {
      setWrong(e);
      return false;
    } finally {
      setBusy(false);
    }
  };
  const alert = wrong !== null && (
    <p class="wrong" role="alert">
      {fields.length > 0 && fields.every((f) => known.some((k) => f.location === "body." + k)) ? t.failed : saidAlso(wrong)}
    </p>
  );
  return { busy, at, send, alert };
}
