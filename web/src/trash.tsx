// What was deleted, and the way back.
import { pending } from "./commands";
import { sayMoment } from "./dates";
import { Wrong } from "./form";
import { restore } from "./outbox";
import { usePages } from "./pages";
import type { Trashed } from "./schema";
import { lists, mayWrite, tasks, zone } from "./store";
import { t } from "./texts";
import { changing, complain, offerUndo, tell } from "./toast";

export function Trash() {
  // It has changed when a task has come or gone, and the server has been told so.
  const { items, drop, more, wrong } = usePages<Trashed>("/api/trash", [tasks.value.size + lists.value.size, pending.value.length]);

  const bringBack = async (item: Trashed) => {
    try {
      const by = await changing(restore(item.id, `/api/${item.kind}s/${item.id}`));
      drop((i) => i.id === item.id);
      (by ? offerUndo : tell)(t.restored(item.title), by);
    } catch (e) {
      complain(e);
    }
  };
  return (
    <>
      <Wrong text={wrong} />
      {items === null ? wrong === "" && <p>{t.loading}</p> : items.length === 0 && <p class="empty">{t.nothingInTrash}</p>}
      <ul class="tasks">
        {items?.map((item) => (
          <li key={item.id} class="task">
            <span class="what">
              <span dir="auto">{item.title}</span>
              <span class="meta">
                {t.deletedAt(sayMoment(item.deleted_at, zone.value))}
                {item.kind === "list" && ` · ${t.list} ${t.trashedWith(item.tasks)}`}
              </span>
            </span>
            {(item.kind === "list" || mayWrite(item.list_id)) && (
              <button aria-label={`${t.restore}: ${item.title}`} onClick={() => void bringBack(item)}>
                {t.restore}
              </button>
            )}
          </li>
        ))}
      </ul>
      {more && <button onClick={more}>{t.more}</button>}
    </>
  );
}
