// The README's tour, by the client that openapi-typescript makes.
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

declare const process: { env: Record<string, string | undefined> };

type Task = components["schemas"]["Task"];
type Problem = components["schemas"]["Problem"];

const baseUrl = process.env["API"] ?? "";
const anonymous = createClient<paths>({ baseUrl });

/** The answer's body, or the problem as an error. */
function got<T>({ data, error }: { data?: T; error?: Problem }): T {
  if (error !== undefined || data === undefined) {
    throw new Error(JSON.stringify(error));
  }
  return data;
}

/** Waits for what follows a change: events take a moment. */
async function eventually<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  for (const deadline = Date.now() + 60_000; Date.now() < deadline; ) {
    const found = await look();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`not there: ${what}`);
}

const email = `ada-ts-${Date.now()}@example.org`;
const { token, user } = got(
  await anonymous.POST("/api/auth/register", {
    body: { email, password: "correct horse battery", timezone: "Europe/Berlin" },
  }),
);
const api = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${token}` } });

const task: Task = got(
  await api.POST("/api/tasks", {
    body: {
      title: "Water the orchids",
      due_at: "2030-03-30T09:00:00+01:00",
      recurrence: { rrule: "FREQ=WEEKLY" },
      reminders: [{ at: new Date().toISOString() }],
    },
  }),
);
if (task.user_id !== user.id || task.parent_id !== null || task.recurrence?.basis !== "due") {
  throw new Error(JSON.stringify(task));
}
const path = { id: task.id };

await eventually("the notification", async () => got(await api.GET("/api/notifications")).items[0]);
const done = got(await api.PATCH("/api/tasks/{id}/complete", { params: { path }, body: { is_complete: true } }));
if (done.completed_at === null) throw new Error("it is not complete");

const next = await eventually("the next occurrence", async () =>
  got(await api.GET("/api/tasks", { params: { query: { is_complete: "false" } } })).items[0],
);
if (next.due_at !== "2030-04-06T07:00:00Z") throw new Error(JSON.stringify(next));
await eventually("its history", async () => {
  const history = got(await api.GET("/api/tasks/{id}/history", { params: { path } }));
  return history.items.find((entry) => entry.action === "task.completed");
});
await eventually("the ledger", async () => {
  const ledger = got(await api.GET("/api/tasks/{id}/occurrences", { params: { path } }));
  return ledger.items.find((occurrence) => occurrence.status === "open" && occurrence.task_id === next.id);
});

const { data, error } = await api.PATCH("/api/tasks/{id}", {
  params: { path, header: { "If-Match": '"1"' } },
  body: { title: "Late" },
});
if (data !== undefined || error.type !== "/problems/task-changed") throw new Error(JSON.stringify(error));
console.log("toured");
