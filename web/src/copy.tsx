// What is shown once is copied with one click.
import { useState } from "preact/hooks";
import { t } from "./texts";

export function Copy({ text }: { text: string }) {
  const [said, setSaid] = useState("");
  if (!navigator.clipboard) return null; // where the page came unencrypted
  return (
    <>
      <button type="button" onClick={() => void navigator.clipboard.writeText(text).then(() => setSaid(t.copied), () => setSaid(t.failed))}>
        {t.copy}
      </button>
      <span role="status">{said}</span>
    </>
  );
}
