// Where the page is: what stands behind # in its address.
import { computed, signal } from "@preact/signals";

const read = () => location.hash.replace(/^#\/?/, "") || "today";
const hash = signal(read());
addEventListener("hashchange", () => {
  hash.value = read();
  menuOpen.value = false;
});

// menuOpen is whether the sidebar is shown where there is no room for it beside the tasks.
export const menuOpen = signal(false);

export interface Route {
  view: "today" | "upcoming" | "assigned" | "search" | "inbox" | "list" | "notifications" | "trash" | "settings" | "operator";
  list?: string;
  params: URLSearchParams;
}

export const route = computed<Route>(() => {
  const [path, query] = hash.value.split("?", 2);
  const params = new URLSearchParams(query);
  const [view, id] = path!.split("/");
  switch (view) {
    case "upcoming":
    case "assigned":
    case "search":
    case "inbox":
    case "notifications":
    case "trash":
    case "settings":
    case "operator":
      return { view, params };
    case "list":
      return { view, list: id ?? "", params };
  }
  return { view: "today", params };
});

export function go(to: string): void {
  location.hash = "#/" + to;
  hash.value = read(); // the browser says so later: what is typed meanwhile is meant for there
}

// refine goes on from where the page is, such as with each letter that is typed: Back does not
// lead through them.
export function refine(to: string): void {
  history.replaceState(history.state, "", "#/" + to);
  hash.value = read();
}
