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
  view: "today" | "upcoming" | "inbox" | "list" | "trash" | "operator";
  list?: string;
}

export const route = computed<Route>(() => {
  const [view, id] = hash.value.split("/");
  switch (view) {
    case "upcoming":
    case "inbox":
    case "trash":
    case "operator":
      return { view };
    case "list":
      return { view, list: id ?? "" };
  }
  return { view: "today" };
});

export function go(to: string): void {
  location.hash = "#/" + to;
}
