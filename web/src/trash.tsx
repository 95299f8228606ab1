// What was deleted, and the way back.
import { useEffect, useState } from "preact/hooks";
import { request } from "./api";
import { pending } from "./commands";
import { sayMoment } from "./dates";
import type { Trashed, TrashPage } from "./schema";
import { lists, mayWrite, tasks, zone } from "./store";
import { t } from "./texts";
import { changing, complain, offerUndo, said } from "./toast";

export function Trash() {
  const [items, setItems] = useState<Trashed[] | null>(null);
  const [cursor, setCursor] = useState<string | null>(null);
  const [wrong, setWrong] = useState("");
  // It has changed when a task has come or gone, and the server has been told so.
  const size = tasks.value.size + lists.value.size;

  const load = async (from: string | null, before: Trashed[], still: () => boolean) => {
    try {
      const { data } = await request<TrashPage>("GET", "/api/trash?limit=50" + (from ? "&cursor=" + encodeURIComponent(from) : ""));
      if (!still()) return;
      setItems([...before, ...data.items]);
      setCursor(data.next_cursor);
      setWrong("");
    } catch (e) {
      if (still()) setWrong(said(e));
    }
  };
  useEffect(() => {
    let over = false;
    void load(null, [], () => !over);
    return () => {
      over = true;
    };
  }, [size, pending.value.length]);

  const restore = async (item: Trashed) => {
    try {
      const a = await changing(request("POST", `/api/trash/${item.id}/restore`));
      setItems((now) => now?.filter((i) => i.id !== item.id) ?? null);
      offerUndo(t.restored(item.title), a.requestId);
    } catch (e) {
      complain(e);
    }
  };
  return (
    <>
      {wrong !== "" && (
        <p class="wrong" role="alert">
          {wrong}
        </p>
      )}
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
              <button aria-label={`${t.restore}: ${item.title}`} onClick={() => void restore(item)}>
                {t.restore}
              </button>
            )}
          </li>
        ))}
      </ul>
      {cursor !== null && <button onClick={() => void load(cursor, items ?? [], () => true)}>{t.more}</button>}
    </>
  );
}
