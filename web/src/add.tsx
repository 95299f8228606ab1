// The field for a new task.
import { useState } from "preact/hooks";
import { quickAdd } from "./changes";
import { t } from "./texts";

export function Add({ label, list, day }: { label: string; list?: string; day?: string }) {
  const [text, setText] = useState("");
  const add = async () => {
    const what = text.trim();
    if (what === "") return;
    setText(""); // who types fast goes on with the next one
    // What could not be added comes back, before what was typed meanwhile.
    if (!(await quickAdd(what, list, day))) setText((now) => (now === "" ? what : what + " " + now));
  };
  return (
    <form
      class="add"
      onSubmit={(e) => {
        e.preventDefault();
        void add();
      }}
    >
      <input id="add" dir="auto" autocomplete="off" aria-label={label} placeholder={label} maxLength={200} value={text} onInput={(e) => setText(e.currentTarget.value)} />
      <button>{t.add}</button>
    </form>
  );
}
