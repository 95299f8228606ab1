// What is told to somebody whose account is about to go.
import { request } from "./api";
import { sayMoment } from "./dates";
import { recently } from "./sign-in-again";
import { user, zone } from "./store";
import { t } from "./texts";
import { complain, tell } from "./toast";

// Erasing says that the account goes, and keeps it, wherever its user is.
export function Erasing() {
  const at = user.value?.erase_at;
  if (!at) return null;
  const keep = async () => {
    await request("POST", "/api/auth/me/restore");
    if (user.value) user.value = { ...user.value, erase_at: null };
  };
  return (
    <div class="notice">
      <p>{t.erasedAt(sayMoment(at, zone.value))}</p>
      <button onClick={() => void recently(keep).then(() => tell(t.accountKept), complain)}>{t.keepAccount}</button>
    </div>
  );
}
