// Parts of the page that few want, and none without a server: they are loaded when they are
// wanted.
import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { t } from "./texts";

// later is a part that is loaded when it is drawn for the first time.
export function later(load: () => Promise<ComponentType>): ComponentType {
  let Part: ComponentType | undefined;
  return function Later() {
    const [state, setState] = useState<"loading" | "there" | "failed">(Part ? "there" : "loading");
    useEffect(() => {
      if (Part) return;
      load().then(
        (loaded) => {
          Part = loaded;
          setState("there");
        },
        () => setState("failed"),
      );
    }, []);
    if (state === "there" && Part) return <Part />;
    if (state === "loading") return <p>{t.loading}</p>;
    return (
      <p role="alert">
        {t.notLoaded} <button onClick={() => location.reload()}>{t.reload}</button>
      </p>
    );
  };
}
