// Lists that the API answers in pages: the first when it is looked for, others when somebody
// asks for more.
import { useEffect, useState } from "preact/hooks";
import { request } from "./api";
import { said } from "./toast";

interface Page<T> {
  items: T[];
  next_cursor: string | null;
}

export interface Pages<T> {
  items: T[] | null; // null until the first page is there
  drop: (gone: (item: T) => boolean) => void;
  more: (() => void) | undefined; // none where there is no more
  wrong: string; // what went wrong, in words
}

// usePages reads a list from its beginning, and again when one of the inputs has changed. Its
// address has no query.
export function usePages<T>(address: string, inputs: unknown[]): Pages<T> {
  const [items, setItems] = useState<T[] | null>(null);
  const [cursor, setCursor] = useState<string | null>(null);
  const [wrong, setWrong] = useState("");
  const load = async (from: string | null, before: T[], still: () => boolean) => {
    try {
      const { data } = await request<Page<T>>("GET", `${address}?limit=50${from ? "&cursor=" + encodeURIComponent(from) : ""}`);
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
  }, [address, ...inputs]);
  return {
    items,
    drop: (gone) => setItems((now) => now?.filter((i) => !gone(i)) ?? null),
    more: cursor === null ? undefined : () => void load(cursor, items ?? [], () => true),
    wrong,
  };
}
