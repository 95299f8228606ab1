// Fields with some values to choose from.
import { Field } from "./account";
import type { List } from "./schema";
import { sortedWith } from "./store";
import { t } from "./texts";

export function Choose<T extends string | number>(p: { id: string; label: string; value: T; options: readonly (readonly [T, string])[]; wrong?: string | undefined; disabled?: boolean; onChoose: (value: T) => void }) {
  return (
    <Field id={p.id} label={p.label} wrong={p.wrong}>
      <select id={p.id} value={p.value} disabled={p.disabled} aria-describedby={p.id + "-wrong"} onChange={(e) => p.onChoose(p.options[e.currentTarget.selectedIndex]![0])}>
        {p.options.map(([value, label]) => (
          <option key={value} value={value}>
            {label}
          </option>
        ))}
      </select>
    </Field>
  );
}

// listName is how a list is called; everybody has an inbox.
export const listName = (l: List) => (l.is_inbox ? t.inbox : l.name);

// listsFor are the lists to choose from for a task: those that take it, and the one that it is in.
export const listsFor = (had?: string) =>
  sortedWith(had)
    .filter((l) => l.id === had || l.role !== "viewer")
    .map((l) => [l.id, listName(l)] as const);
