// What matters most asks for a sign-in of the last minutes. Whoever asks for it by recently
// has it done once that is so, and knows nothing of it.
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { Failure } from "./api";
import { Dialog } from "./dialog";
import { SignIn } from "./sign-in";
import { enter, user } from "./store";
import { t } from "./texts";

// answer waits for whether somebody signs in again.
const answer = signal<((again: boolean) => void) | null>(null);

function signInAgain(): Promise<boolean> {
  answer.peek()?.(false);
  return new Promise((resolve) => {
    answer.value = (again) => {
      answer.value = null;
      resolve(again);
    };
  });
}

// recently does what may ask for a recent sign-in, and does it again after that. Where
// nobody signs in it throws the refusal.
export async function recently<T>(what: () => Promise<T>): Promise<T> {
  try {
    return await what();
  } catch (e) {
    if (!(e instanceof Failure) || e.code !== "sign-in-again" || !(await signInAgain())) throw e;
    return what();
  }
}

export function SignInAgain() {
  useEffect(() => () => answer.peek()?.(false), []); // whoever asked is not there any more
  const done = answer.value;
  const who = user.value;
  return (
    done &&
    who && (
      <Dialog title={t.signInAgain} onClose={() => done(false)}>
        <p>{t.signInAgainLead}</p>
        <SignIn
          email={who.email}
          onDone={(now) => {
            if (now.id === who.id) user.value = now;
            else enter(now); // a passkey can be somebody else's
            done(now.id === who.id);
          }}
        />
      </Dialog>
    )
  );
}
