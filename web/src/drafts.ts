// What is typed into a form and not saved: it is there again after a reload, or when somebody
// whose session had ended signs in again.
import { recall, remember } from "./local";
import { user } from "./store";

// Draft is what was typed, with the thing as it was when somebody began.
export interface Draft<T, D> {
  of: T;
  typed: D;
}

const prefix = "draft.";
const keyOf = (id: string) => `${prefix}${user.peek()?.id}.${id}`;
const open = () => "open." + user.peek()?.id;

export const draftFor = <T, D>(id: string): Draft<T, D> | undefined => recall("localStorage", keyOf(id));

// keepDraft keeps a draft, or forgets it.
export function keepDraft<T, D>(id: string, draft: Draft<T, D> | undefined): void {
  remember("localStorage", keyOf(id), draft);
  remember("sessionStorage", open(), draft && id);
}

// openDraft is the id of what was in work in this page before it was loaded anew.
export const openDraft = (): string | undefined => recall("sessionStorage", open());

// forgetDrafts is for who signs out. Those of others stay.
export function forgetDrafts(user: string): void {
  try {
    for (const key of Object.keys(localStorage)) if (key.startsWith(`taskwire.${prefix}${user}.`)) localStorage.removeItem(key);
    for (const key of Object.keys(sessionStorage)) if (key.startsWith("taskwire.") && key.includes(user)) sessionStorage.removeItem(key);
  } catch {
    // the browser keeps nothing
  }
}
