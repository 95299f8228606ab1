// The parts of a task, in their order. What is done here is done at once.
import { useState } from "preact/hooks";
import { request } from "./api";
import { deleteTask, inOrder, moveTask, setComplete } from "./changes";
import { edited } from "./editor";
import type { Task, TaskInput } from "./schema";
import { putTask, tasks } from "./store";
import { t } from "./texts";
import { changing, complain, offerUndo } from "./toast";

async function addSubtask(parent: Task, title: string): Promise<boolean> {
  try {
    const input: TaskInput = { title, parent_id: parent.id };
    const a = await changing(request<Task>("POST", "/api/tasks", input));
    putTask(a.data);
    offerUndo(t.added(title, []), a.requestId);
    return true;
  } catch (e) {
    complain(e);
    return false;
  }
}

// focusSubtask puts the focus on a subtask once it is drawn, or else on the field for a new one.
export function focusSubtask(id: string | undefined): void {
  requestAnimationFrame(() => {
    const rows = [...document.querySelectorAll<HTMLElement>("dialog [data-subtask]")];
    (rows.find((row) => row.dataset.subtask === id)?.querySelector<HTMLElement>(".title") ?? document.getElementById("add-subtask"))?.focus();
  });
}

export function Subtasks({ task, writable, onOpen }: { task: Task; writable: boolean; onOpen: (subtask: Task) => void }) {
  const [text, setText] = useState("");
  const parts = inOrder([...tasks.value.values()].filter((one) => one.parent_id === task.id));
  if (parts.length === 0 && !writable) return null;
  const beside = (id: string) => {
    const at = parts.findIndex((one) => one.id === id);
    return (parts[at + 1] ?? parts[at - 1])?.id;
  };
  return (
    <section class="subtasks" aria-labelledby="subtasks">
      <h3 id="subtasks">{t.subtasks}</h3>
      {parts.length > 1 && writable && <p class="hint">{t.subtasksHint}</p>}
      <ul class="tasks">
        {parts.map((part) => (
          <li
            key={part.id}
            class="task"
            data-subtask={part.id}
            onKeyDown={(e) => {
              const by = e.key === "ArrowUp" ? -1 : e.key === "ArrowDown" ? 1 : 0;
              if (!e.altKey || by === 0 || !writable) return;
              e.preventDefault();
              void moveTask(part, by);
              focusSubtask(part.id);
            }}
          >
            <input type="checkbox" checked={part.is_complete} disabled={!writable} aria-label={t.complete(part.title)} onChange={() => void setComplete(part, !part.is_complete)} />
            <button class="title what" dir="auto" onClick={() => onOpen(part)}>
              {part.title}
            </button>
            {writable && (
              <button
                class="quiet"
                aria-label={`${t.delete}: ${part.title}`}
                onClick={() => {
                  const next = beside(part.id);
                  void deleteTask(part);
                  focusSubtask(next);
                }}
              >
                ×
              </button>
            )}
          </li>
        ))}
      </ul>
      {writable && (
        <form
          class="add"
          onSubmit={(e) => {
            e.preventDefault();
            const title = text.trim();
            if (title === "") return;
            setText("");
            void addSubtask(task, title).then((ok) => ok || setText((typed) => (typed === "" ? title : title + " " + typed)));
          }}
        >
          <input id="add-subtask" dir="auto" autocomplete="off" aria-label={t.addSubtask} placeholder={t.addSubtask} maxLength={200} value={text} onInput={(e) => setText(e.currentTarget.value)} />
          <button>{t.add}</button>
        </form>
      )}
    </section>
  );
}

// Parent leads back to the task that one is a part of.
export function Parent({ task, mayLeave }: { task: Task; mayLeave: () => boolean }) {
  const parent = tasks.value.get(task.parent_id ?? "");
  if (!parent) return null;
  return (
    <button
      type="button"
      class="link"
      onClick={() => {
        if (!mayLeave()) return;
        edited.value = parent;
        focusSubtask(task.id);
      }}
    >
      {t.partOf} <bdi>{parent.title}</bdi>
    </button>
  );
}
