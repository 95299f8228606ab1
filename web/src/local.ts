// What this browser keeps of a user, in a database of its own: nobody who signs in later
// sees it. Where the browser keeps nothing the page works all the same, while it is open.

export type Store = "rows" | "meta" | "outbox" | "kept";

const name = (user: string) => "taskwire." + user;

export class Local {
  constructor(private readonly db: IDBDatabase | null) {}

  close(): void {
    this.db?.close();
  }

  // write runs one transaction: all of it is kept, or nothing.
  write(stores: Store[], f: (store: (s: Store) => IDBObjectStore) => void): Promise<void> {
    return new Promise((done, failed) => {
      if (!this.db) return failed(new Error("this browser keeps nothing"));
      const tx = this.db.transaction(stores, "readwrite");
      tx.oncomplete = () => done();
      tx.onabort = () => failed(tx.error);
      f((s) => tx.objectStore(s));
    });
  }

  // swap puts what f makes of a thing in its place, or takes it out, and returns what was
  // there. Two pages that do so at once do it one after the other.
  async swap<T>(s: Store, key: string, f: (now: T) => T | undefined): Promise<T | undefined> {
    let was: T | undefined;
    await this.write([s], (store) => {
      const get = store(s).get(key) as IDBRequest<T | undefined>;
      get.onsuccess = () => {
        if ((was = get.result) === undefined) return;
        const next = f(was);
        if (next === undefined) store(s).delete(key);
        else if (next !== was) store(s).put(next);
      };
    });
    return was;
  }

  all<T>(s: Store): Promise<T[]> {
    return new Promise((done, failed) => {
      if (!this.db) return done([]);
      const asked = this.db.transaction(s).objectStore(s).getAll();
      asked.onsuccess = () => done(asked.result as T[]);
      asked.onerror = () => failed(asked.error);
    });
  }

  // seen is what a page has written of the server, with its place in the feed and the build of
  // that page: of one moment, while another page may be writing.
  seen<T>(): Promise<{ rows: T[]; place: string; build: string }> {
    return new Promise((done, failed) => {
      if (!this.db) return done({ rows: [], place: "", build: "" });
      const tx = this.db.transaction(["rows", "meta"]);
      const [rows, meta] = [tx.objectStore("rows").getAll(), tx.objectStore("meta")];
      const [place, build] = [meta.get("place"), meta.get("build")];
      tx.oncomplete = () => done({ rows: rows.result, place: place.result ?? "", build: build.result ?? "" });
      tx.onabort = () => failed(tx.error);
    });
  }
}

// openLocal opens what is kept of a user.
export function openLocal(user: string): Promise<Local> {
  return new Promise((done) => {
    try {
      const opening = indexedDB.open(name(user), 1);
      opening.onupgradeneeded = () => {
        const db = opening.result;
        db.createObjectStore("rows").createIndex("list", "list_id");
        db.createObjectStore("meta");
        db.createObjectStore("outbox", { keyPath: "id" }); // ids are in the order in which they were made
        db.createObjectStore("kept", { keyPath: "key" });
      };
      opening.onsuccess = () => {
        const db = opening.result;
        db.onversionchange = () => db.close(); // another page signs out
        done(new Local(db));
      };
      opening.onerror = opening.onblocked = () => done(new Local(null));
    } catch {
      done(new Local(null));
    }
  });
}

// forgetLocal deletes what is kept of a user.
export function forgetLocal(user: string): void {
  try {
    indexedDB.deleteDatabase(name(user));
  } catch {
    // then nothing was kept
  }
}

// recall and remember are for little things of this browser, by localStorage or the like.
export function recall<T>(of: "localStorage" | "sessionStorage", key: string): T | undefined {
  try {
    return (JSON.parse(window[of].getItem("taskwire." + key) ?? "null") as T | null) ?? undefined;
  } catch {
    return undefined; // the browser keeps nothing
  }
}

export function remember(of: "localStorage" | "sessionStorage", key: string, value: unknown): void {
  try {
    if (value === undefined) window[of].removeItem("taskwire." + key);
    else window[of].setItem("taskwire." + key, JSON.stringify(value));
  } catch {
    // it is for this visit alone, then
  }
}

let last = 0;

// newId is a UUID of version 7. Later ones of this page sort behind it, and, after is a
// time, behind what was made until then.
export function newId(after = 0): string {
  last = Math.max(Date.now(), last + 1, after + 1);
  const b = crypto.getRandomValues(new Uint8Array(10));
  b[0] = (b[0]! & 0x0f) | 0x70;
  b[2] = (b[2]! & 0x3f) | 0x80;
  const hex = last.toString(16).padStart(12, "0") + [...b].map((n) => n.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

// madeAt is when an id was made.
export const madeAt = (id: string): number => parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
