// What is shown once is copied with one click.
import { t } from "./texts";
import { complain, tell } from "./toast";

export function Copy({ text }: { text: string }) {
  if (!navigator.clipboard) return null; // where the page came unencrypted
  return (
    <button type="button" onClick={() => void navigator.clipboard.writeText(text).then(() => tell(t.copied), complain)}>
      {t.copy}
    </button>
  );
}
