// What this browser alone remembers for who is signed in: the API has no place for it.
import { effect, signal, type ReadonlySignal } from "@preact/signals";
import { recall, remember } from "./local";
import { user } from "./store";

// kept is a value by its name, and what sets it. What does not fit, such as of another version
// of the page, counts as none.
export function kept<T>(name: string, none: T, fits: (value: unknown) => boolean): [ReadonlySignal<T>, (next: T) => void] {
  const now = signal(none);
  const place = () => `${name}.${user.peek()?.id}`;
  effect(() => {
    now.value = none;
    if (!user.value) return;
    const value = recall<unknown>("localStorage", place());
    if (fits(value)) now.value = value as T;
  });
  const keep = (next: T) => {
    now.value = next;
    remember("localStorage", place(), next);
  };
  return [now, keep];
}
