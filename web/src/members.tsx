// Who is in a list, and who is asked to be.
import { effect, signal } from "@preact/signals";
import { useState } from "preact/hooks";
import { Field } from "./account";
import { Failure, request } from "./api";
import { Dialog } from "./dialog";
import { useForm } from "./form";
import { go } from "./route";
import type { Invitation, InvitationInput, InvitationPage, List, Member } from "./schema";
import { dropList, putList, user } from "./store";
import { t } from "./texts";
import { complain, tell } from "./toast";

type Role = List["role"];
const roles = ["viewer", "editor", "owner"] as const;

function Roles(p: { id: string; label?: string; value: Role; disabled?: boolean; onChange: (role: Role) => void }) {
  return (
    <select id={p.id} aria-label={p.label} aria-describedby={p.label ? undefined : p.id + "-hint"} value={p.value} disabled={p.disabled} onChange={(e) => p.onChange(e.currentTarget.value as Role)}>
      {roles.map((role) => (
        <option key={role} value={role}>
          {t.roles[role]}
        </option>
      ))}
    </select>
  );
}

// Members shows who is in a list; its owners change that there, and whoever is in it leaves.
export function Members({ list, onClose }: { list: List; onClose: () => void }) {
  const [email, setEmail] = useState("");
  const [role, setRole] = useState<Role>("editor");
  const form = useForm("email", "role");
  const rules = list.role === "owner";
  const path = `/api/lists/${list.id}/members`;
  const change = (what: () => Promise<unknown>) =>
    form.send(async () => {
      await what();
      putList((await request<List>("GET", `/api/lists/${list.id}`)).data);
    });
  const remove = (m: Member) => confirm(t.removeSure(m.name || m.email)) && void change(() => request("DELETE", m.invitation_id ? `/api/invitations/${m.invitation_id}` : `${path}/${m.user_id}`));
  const leave = async () => {
    if (!confirm(t.leaveSure(list.name))) return;
    const left = await form.send(() => request("DELETE", `${path}/${user.value?.id}`));
    if (!left) return;
    onClose();
    dropList(list.id);
    go("today");
    tell(t.left(list.name));
  };
  return (
    <Dialog title={t.membersOf(list.name)} onClose={onClose}>
      {form.alert}
      <ul class="rows">
        {list.members.map((m) => {
          const me = m.user_id === user.value?.id;
          const called = m.name || m.email || t.someone;
          return (
            <li key={m.user_id ?? m.email}>
              <span class="what">
                <span dir="auto">
                  {called} {me && `(${t.you})`}
                </span>
                <span class="meta">
                  {m.name && <span dir="auto">{m.email}</span>} {m.state === "invited" && <span>{t.invited}</span>} {(!rules || m.state === "invited") && <span>{t.roles[m.role]}</span>}
                </span>
              </span>
              {rules && m.state === "active" && (
                <Roles id={"role-" + m.user_id} label={t.roleOf(called)} value={m.role} disabled={form.busy} onChange={(next) => void change(() => request("PATCH", `${path}/${m.user_id}`, { role: next }))} />
              )}
              {me ? (
                <button disabled={form.busy} onClick={() => void leave()}>
                  {t.leave}
                </button>
              ) : (
                rules && (
                  <button disabled={form.busy} aria-label={`${m.state === "invited" ? t.takeBack : t.remove}: ${called}`} onClick={() => remove(m)}>
                    {m.state === "invited" ? t.takeBack : t.remove}
                  </button>
                )
              )}
            </li>
          );
        })}
      </ul>
      {rules && (
        <form
          onSubmit={(e) => {
            e.preventDefault();
            const body: InvitationInput = { email: email.trim(), role };
            void change(() => request<Invitation>("POST", path, body)).then((ok) => ok && setEmail(""));
          }}
        >
          <div class="pair">
            <Field id="invite" label={t.inviteAddress} wrong={form.at("email")}>
              <input id="invite" type="email" required maxLength={254} autocomplete="off" value={email} aria-describedby="invite-wrong" onInput={(e) => setEmail(e.currentTarget.value)} />
            </Field>
            <Field id="invite-role" label={t.role} hint={t.roleHints[role]}>
              <Roles id="invite-role" value={role} onChange={setRole} />
            </Field>
          </div>
          <button class="primary" disabled={form.busy}>
            {t.invite}
          </button>
        </form>
      )}
    </Dialog>
  );
}

// invitations are those that wait for an answer of who is signed in.
const invitations = signal<Invitation[]>([]);

async function readInvitations(): Promise<void> {
  const who = user.peek()?.id;
  if (!who || document.hidden) return;
  try {
    const { data } = await request<InvitationPage>("GET", "/api/invitations");
    if (user.peek()?.id === who) invitations.value = data.items;
  } catch {
    // with the next look at the page
  }
}

effect(() => {
  if (user.value) void readInvitations();
  else invitations.value = [];
});
addEventListener("focus", () => void readInvitations());
document.addEventListener("visibilitychange", () => void readInvitations());

export function Invitations() {
  const answer = async (one: Invitation, accept: boolean) => {
    try {
      const { data } = await request<List>("POST", `/api/invitations/${one.id}/${accept ? "accept" : "decline"}`);
      if (accept) {
        putList(data);
        go("list/" + data.id);
        tell(t.joined(data.name));
      }
    } catch (e) {
      complain(e);
      if (!(e instanceof Failure) || e.status !== 404) return; // taken back meanwhile
    }
    invitations.value = invitations.peek().filter((o) => o.id !== one.id);
  };
  if (invitations.value.length === 0) return null;
  return (
    <section class="notice" aria-label={t.invitations}>
      <ul class="rows">
        {invitations.value.map((one) => (
          <li key={one.id}>
            <span class="what" dir="auto">
              {t.invitesYou(one.invited_by.name || one.invited_by.email || t.someone, one.list_name, t.roles[one.role])}
            </span>
            <button class="primary" aria-label={`${t.accept}: ${one.list_name}`} onClick={() => void answer(one, true)}>
              {t.accept}
            </button>
            <button aria-label={`${t.decline}: ${one.list_name}`} onClick={() => void answer(one, false)}>
              {t.decline}
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
