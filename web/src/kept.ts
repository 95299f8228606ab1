// What this browser alone remembers for who is signed in: the API has no place for it.
import { effect, signal, type ReadonlySignal } from "@preact/signals";
import { user } from "./store";

// kept is a value by its name, and what sets it. What does not fit, such as of another version
// of the page, counts as none.
export function kept<T>(name: string, none: T, fits: (value: unknown) => boolean): [ReadonlySignal<T>, (next: T) => void] {
  const now = signal(none);
  const place = () => `taskwire.${name}.${user.peek()?.id}`;
  effect(() => {
    now.value = none;
    if (!user.value) return;
    try {
      const value: unknown = JSON.parse(localStorage.getItem(place()) ?? "null");
      if (fits(value)) now.value = value as T;
    } catch {
      // the browser keeps nothing, or somebody else has written there
    }
  });
  const keep = (next: T) => {
    now.value = next;
    try {
      localStorage.setItem(place(), JSON.stringify(next));
    } catch {
      // it is for this visit alone, then
    }
  };
  return [now, keep];
}
