// A dialog is over everything until it is closed. The browser keeps the focus in it.
import type { ComponentChildren } from "preact";
import { useId, useLayoutEffect, useRef } from "preact/hooks";
import { t } from "./texts";
import { Toasts } from "./toast";

// Dialog calls onClose when it has been closed, also by Escape; mayClose can refuse that.
export function Dialog(p: { title: string; onClose: () => void; mayClose?: () => boolean; children: ComponentChildren }) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId(); // one dialog can be over another
  useLayoutEffect(() => {
    const before = document.activeElement;
    const dialog = ref.current;
    dialog?.showModal();
    return () => {
      dialog?.close(); // nothing outside can have the focus before
      // What had it may have been drawn anew meanwhile.
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  const leave = () => {
    if (p.mayClose?.() ?? true) p.onClose();
  };
  return (
    <dialog
      ref={ref}
      aria-labelledby={id}
      onCancel={(e) => {
        if (!(p.mayClose?.() ?? true)) e.preventDefault();
      }}
      onClose={(e) => {
        if (e.currentTarget.isConnected) p.onClose(); // else it was closed because it goes
      }}
    >
      <header>
        <h2 id={id} dir="auto">
          {p.title}
        </h2>
        <button type="button" class="quiet" aria-label={t.close} onClick={leave}>
          ×
        </button>
      </header>
      {p.children}
      <Toasts /> {/* those of the page can not be reached from here */}
    </dialog>
  );
}
