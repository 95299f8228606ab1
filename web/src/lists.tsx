// What people do about a list as a whole: its members, what it is called, and where it is.
import { useState } from "preact/hooks";
import { Field } from "./account";
import { request } from "./api";
import { deleteList, renameList } from "./changes";
import { Dialog } from "./dialog";
import { Buttons } from "./form";
import { Members } from "./members";
import { go } from "./route";
import type { List, ListMove, ListPatch } from "./schema";
import { putList, sortedLists } from "./store";
import { t } from "./texts";
import { complain, tell } from "./toast";

// besides are the lists that are shown with a list, in the user's order.
const besides = (list: List): List[] => sortedLists.value.filter((l) => !l.is_inbox && l.group === list.group);

// moveList moves a list by one place among those of its group. The order is the user's own,
// and nothing that can be undone.
export async function moveList(list: List, by: 1 | -1): Promise<void> {
  const all = besides(list);
  const other = all[all.findIndex((l) => l.id === list.id) + by];
  if (!other) return;
  const move: ListMove = by < 0 ? { before: other.id } : { after: other.id };
  try {
    putList((await request<List>("POST", `/api/lists/${list.id}/move`, move)).data);
    tell(t.moved(list.name));
  } catch (e) {
    complain(e);
  }
}

export function ListActions({ list }: { list: List }) {
  const [open, setOpen] = useState<"" | "members" | "settings">("");
  const close = () => setOpen("");
  return (
    <>
      {list.is_archived && <span class="meta">{t.archived}</span>}
      <button onClick={() => setOpen("members")}>
        {t.members} <span class="count">({list.members.length})</span>
      </button>
      <button onClick={() => setOpen("settings")}>{t.listSettings}</button>
      {list.role === "owner" && <button onClick={() => void deleteList(list).then((gone) => gone && go("today"))}>{t.deleteList}</button>}
      {open === "members" && <Members list={list} onClose={close} />}
      {open === "settings" && <ListSettings list={list} onClose={close} />}
    </>
  );
}

const firstColor = "#0b5cad"; // of the page, where a list has none yet

function ListSettings({ list, onClose }: { list: List; onClose: () => void }) {
  const [was] = useState(list);
  const [name, setName] = useState(was.name);
  const [color, setColor] = useState(was.color);
  const [group, setGroup] = useState(was.group ?? "");
  const [archived, setArchived] = useState(was.is_archived);
  const rules = list.role === "owner";
  const all = besides(list);
  const at = all.findIndex((l) => l.id === list.id);
  const groups = new Set(sortedLists.value.map((l) => l.group).filter((g) => g !== null));
  const save = async () => {
    const patch: ListPatch = {};
    if (name.trim() !== was.name) patch.name = name.trim();
    if (color !== was.color) patch.color = color;
    if (archived !== was.is_archived) patch.is_archived = archived;
    const shared = Object.keys(patch).length > 0;
    if (group.trim() !== (was.group ?? "")) patch.group = group.trim() || null;
    if (shared) {
      if (!(await renameList(list.id, patch))) return;
    } else if ("group" in patch) {
      try {
        putList((await request<List>("PATCH", `/api/lists/${list.id}`, patch)).data);
      } catch (e) {
        return complain(e);
      }
      tell(t.saved);
    }
    onClose();
  };
  return (
    <Dialog title={t.listSettings} onClose={onClose}>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          void save();
        }}
      >
        <fieldset disabled={!rules}>
          <Field id="list-name" label={t.listName}>
            <input id="list-name" dir="auto" required maxLength={100} value={name} onInput={(e) => setName(e.currentTarget.value)} />
          </Field>
          <label class="switch">
            <input type="checkbox" checked={color !== null} onChange={() => setColor(color === null ? (was.color ?? firstColor) : null)} />
            {t.hasColor}
          </label>
          {color !== null && (
            <Field id="list-color" label={t.color}>
              <input id="list-color" type="color" value={color} onInput={(e) => setColor(e.currentTarget.value)} />
            </Field>
          )}
          <label class="switch">
            <input type="checkbox" checked={archived} onChange={() => setArchived(!archived)} />
            {t.archive}
          </label>
        </fieldset>
        <Field id="list-group" label={`${t.group} (${t.optional})`} hint={t.groupHint}>
          <input id="list-group" dir="auto" list="groups" maxLength={100} autocomplete="off" value={group} aria-describedby="list-group-hint" onInput={(e) => setGroup(e.currentTarget.value)} />
        </Field>
        <datalist id="groups">
          {[...groups].map((one) => (
            <option key={one} value={one} />
          ))}
        </datalist>
        <Buttons does={t.save} onCancel={onClose}>
          <button type="button" disabled={at <= 0} onClick={() => void moveList(list, -1)}>
            {t.moveUp}
          </button>
          <button type="button" disabled={at < 0 || at === all.length - 1} onClick={() => void moveList(list, 1)}>
            {t.moveDown}
          </button>
        </Buttons>
      </form>
    </Dialog>
  );
}
