// Passkeys: keys that a device keeps, asked for by the browser's own dialogs.
import { request } from "./api";
import type { Passkey, PasskeyOptions, SignedIn } from "./schema";
import { t } from "./texts";
import { said } from "./toast";

// passkeysThere is whether this browser has them, in words that we speak.
export const passkeysThere = typeof PublicKeyCredential === "function" && "parseRequestOptionsFromJSON" in PublicKeyCredential;

const saidBy = (credential: Credential | null) => ({ credential: (credential as PublicKeyCredential).toJSON() });

// signInByPasskey throws a DOMException where the browser has shown none, such as when its
// dialog was closed.
export async function signInByPasskey(): Promise<SignedIn> {
  const { data } = await request<PasskeyOptions>("POST", "/api/auth/passkeys/login/begin");
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(data.publicKey as unknown as PublicKeyCredentialRequestOptionsJSON);
  const shown = await navigator.credentials.get({ publicKey });
  return (await request<SignedIn>("POST", "/api/auth/passkeys/login/finish", saidBy(shown))).data;
}

// addPasskey has the browser make one; it throws a DOMException as signInByPasskey does.
export async function addPasskey(name: string): Promise<void> {
  const { data } = await request<PasskeyOptions>("POST", "/api/auth/passkeys/register/begin");
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(data.publicKey as unknown as PublicKeyCredentialCreationOptionsJSON);
  const made = await navigator.credentials.create({ publicKey });
  await request<Passkey>("POST", "/api/auth/passkeys/register/finish", { ...saidBy(made), name });
}

// saidAlso is a failure in words, also one of the browser's with a passkey.
export function saidAlso(e: unknown): string {
  if (!(e instanceof DOMException)) return said(e);
  return e.name === "SecurityError" ? t.noPasskeysHere : t.noPasskey;
}
