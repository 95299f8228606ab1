// What the settings and the operator's corner say: they are loaded when they are wanted, and
// their texts with them.
import { t as others } from "./texts";

const en = {
  profile: "Profile", zoneHint: "Where your days begin. Type to search.", unverified: "not confirmed", newEmail: "New address", changeEmail: "Change the address",
  newEmailHint: "We send a link there, and tell the old address. You keep that until you follow the link.", currentPassword: "Password until now", newPassword: "New password",
  changePassword: "Change the password", passwordChanged: "The password is changed, and your other devices are signed out.", noPassword: "Send me a link to set a password",
  secondFactor: "Second factor", secondFactorLead: "Signing in with your password then also asks for a code that an application on your telephone shows.", setUp: "Set up …",
  secretLead: "Scan the picture with your application, or type the secret into it, and then type here the code that it shows.", secretPicture: "QR code of the secret", openApp: "Open in an application", turnOn: "Turn on", secondFactorAdded: "Signing in asks for a code now.",
  secondFactorOn: (n: number) => `It is on. ${n === 1 ? "1 recovery code is" : `${n} recovery codes are`} left.`, secondFactorOff: "Turn off",
  secondFactorOffSure: "Turn the second factor off? Its recovery codes go with it.", recoveryCodes: "Recovery codes",
  recoveryLead: "Keep these recovery codes where you find them without your telephone. Each signs in once instead of a code. They are not shown again.", passkeys: "Passkeys",
  passkeysLead: "A passkey on your device signs you in without a password.", passkey: "Passkey", passkeyName: "Name of the passkey", addPasskey: "Add a passkey",
  passkeyAdded: "The passkey signs you in from now on.", backedUp: "shared by several devices", since: (when: string) => `since ${when}`, lastUsed: (when: string) => `last used ${when}`,
  lastSeen: (when: string) => `last seen ${when}`, neverUsed: "never used", identities: "Sign-in elsewhere", linkTo: (name: string) => `Link ${name}`, unlink: "Unlink",
  sessions: "Devices that are signed in", thisDevice: "this one", unknownDevice: "Unknown device", signOutOthers: "Sign out all others", othersSignedOut: "All other devices are signed out.",
  tokens: "API tokens", tokensLead: "For programs of yours. A token does what you allow it, until you revoke it or it expires.", newToken: "New token", tokenName: "What it is for",
  mayDo: "What it may do", theseListsAlone: "These lists alone", tokenOnce: "Copy it now: it is not shown again.", revoke: "Revoke", expires: (when: string) => `expires ${when}`,
  expired: (when: string) => `expired ${when}`,
  scopes: {
    "tasks:read": "Read tasks", "tasks:write": "Change tasks", "lists:read": "Read lists", "lists:write": "Change lists", "audit:read": "Read the history", notifications: "Notifications", "account:read": "Read your profile", webhooks: "Webhooks", caldav: "Calendar programs (CalDAV)",
  },
  mine: "Your data", exportLead: "All that there is of you, in a ZIP archive.", export: "Export", exported: "The export is saved.", erase: "Delete the account",
  eraseLead: "You can have your account and all that is in it deleted.",
  eraseMeans: "All your other devices are signed out at once. After some days the account goes for good: your lists that nobody else owns with all that is in them, also for others who are in them, and your comments. In lists that somebody else owns your tasks stay, without your name. Until then you can sign in and call it back.",
  topic: "Topic", service: "Service", upTo: "Up to", rest: "What is left", publishes: "task-api publishes", allPublished: "all published",
  unpublished: (n: number, since: string) => `${n} not published, the oldest of ${since}`, upToDate: "up to date", behind: (seconds: number) => `${seconds} s behind`,
  isAway: (service: string) => `${service} does not answer: how far it is, is not known.`,
  feedWaits: (since: string) => `Changes have waited for a transaction to end since ${since}: pages do not see them.`,
  reconciled: (when: string, gaps: number) => `Last reconcile: ${when}, ${gaps === 0 ? "no gaps" : gaps === 1 ? "1 gap" : `${gaps} gaps`}.`, deadLetters: "Dead letters",
  deadLettersOf: (service: string, n: number) => `${service}: ${n}`, noDeadLetters: "None that is known.", letter: (id: number) => `No. ${id}`,
  came: (when: string, replays: number) => `came ${when}` + (replays === 0 ? "" : `, replayed ${replays === 1 ? "once" : `${replays} times`} in vain`), replay: "Replay", discardLetter: "Discard",
  reason: "Reason", replayLead: "The service handles the event again, now. If that works, the letter is resolved.",
  discardLead: "The event will have no effect. The letter stays on record, with your reason.",
  outcomes: {
    replayed: "Replayed.", discarded: "Discarded.", resolved: "Somebody else has resolved it before.", failed: "It failed again, and stays open:",
  } as Record<string, string>,
};

const de: typeof en = {
  profile: "Profil", zoneHint: "Wo deine Tage beginnen. Zum Suchen tippen.", unverified: "nicht bestätigt", newEmail: "Neue Adresse", changeEmail: "Adresse ändern",
  newEmailHint: "Wir schicken einen Link dorthin und sagen es der alten Adresse. Sie gilt, bis du dem Link folgst.", currentPassword: "Bisheriges Passwort", newPassword: "Neues Passwort",
  changePassword: "Passwort ändern", passwordChanged: "Das Passwort ist geändert, deine anderen Geräte sind abgemeldet.", noPassword: "Link zum Setzen eines Passworts schicken",
  secondFactor: "Zweiter Faktor", secondFactorLead: "Die Anmeldung mit Passwort fragt dann auch nach einem Code, den eine App auf deinem Telefon zeigt.", setUp: "Einrichten …",
  secretLead: "Scanne das Bild mit deiner App, oder gib das Geheimnis in sie ein, und tippe dann hier den Code ab, den sie zeigt.", secretPicture: "QR-Code des Geheimnisses", openApp: "In einer App öffnen", turnOn: "Einschalten",
  secondFactorAdded: "Die Anmeldung fragt jetzt nach einem Code.", secondFactorOn: (n) => `Er ist eingeschaltet. ${n === 1 ? "1 Ersatzcode ist" : `${n} Ersatzcodes sind`} übrig.`,
  secondFactorOff: "Ausschalten", secondFactorOffSure: "Den zweiten Faktor ausschalten? Seine Ersatzcodes gehen mit.", recoveryCodes: "Ersatzcodes",
  recoveryLead: "Bewahre diese Ersatzcodes dort auf, wo du sie ohne dein Telefon findest. Jeder meldet einmal statt eines Codes an. Sie werden nicht noch einmal gezeigt.", passkeys: "Passkeys",
  passkeysLead: "Ein Passkey auf deinem Gerät meldet dich ohne Passwort an.", passkey: "Passkey", passkeyName: "Name des Passkeys", addPasskey: "Passkey anlegen",
  passkeyAdded: "Der Passkey meldet dich ab jetzt an.", backedUp: "auf mehreren Geräten", since: (when) => `seit ${when}`, lastUsed: (when) => `zuletzt benutzt ${when}`,
  lastSeen: (when) => `zuletzt gesehen ${when}`, neverUsed: "nie benutzt", identities: "Anmeldung bei anderen", linkTo: (name) => `Mit ${name} verknüpfen`, unlink: "Verknüpfung lösen",
  sessions: "Angemeldete Geräte", thisDevice: "dieses", unknownDevice: "Unbekanntes Gerät", signOutOthers: "Alle anderen abmelden", othersSignedOut: "Alle anderen Geräte sind abgemeldet.",
  tokens: "API-Tokens", tokensLead: "Für deine Programme. Ein Token darf, was du ihm erlaubst, bis du es widerrufst oder es abläuft.", newToken: "Neues Token", tokenName: "Wofür es ist",
  mayDo: "Was es darf", theseListsAlone: "Nur diese Listen", tokenOnce: "Jetzt kopieren: Es wird nicht noch einmal gezeigt.", revoke: "Widerrufen", expires: (when) => `läuft ab ${when}`,
  expired: (when) => `abgelaufen ${when}`,
  scopes: {
    "tasks:read": "Aufgaben lesen", "tasks:write": "Aufgaben ändern", "lists:read": "Listen lesen", "lists:write": "Listen ändern", "audit:read": "Den Verlauf lesen", notifications: "Mitteilungen", "account:read": "Dein Profil lesen", webhooks: "Webhooks", caldav: "Kalenderprogramme (CalDAV)",
  },
  mine: "Deine Daten", exportLead: "Alles, was es von dir gibt, in einem ZIP-Archiv.", export: "Exportieren", exported: "Der Export ist gespeichert.", erase: "Konto löschen",
  eraseLead: "Du kannst dein Konto mit allem, was darin ist, löschen lassen.",
  eraseMeans: "Alle deine anderen Geräte werden sofort abgemeldet. Nach einigen Tagen geht das Konto endgültig: deine Listen, die sonst niemandem gehören, mit allem darin, auch für andere darin, und deine Kommentare. In Listen, die auch anderen gehören, bleiben deine Aufgaben ohne deinen Namen. Bis dahin kannst du dich anmelden und es zurückholen.",
  topic: "Topic", service: "Dienst", upTo: "Bis", rest: "Was noch fehlt", publishes: "task-api veröffentlicht", allPublished: "alles veröffentlicht",
  unpublished: (n, since) => `${n} nicht veröffentlicht, das älteste von ${since}`, upToDate: "auf dem Stand", behind: (seconds) => `${seconds} s zurück`,
  isAway: (service) => `${service} antwortet nicht: Wie weit der Dienst ist, ist nicht bekannt.`,
  feedWaits: (since) => `Änderungen warten seit ${since} auf das Ende einer Transaktion: Die Seiten sehen sie nicht.`,
  reconciled: (when, gaps) => `Letzter Abgleich: ${when}, ${gaps === 0 ? "keine Lücken" : gaps === 1 ? "1 Lücke" : `${gaps} Lücken`}.`, deadLetters: "Nicht verarbeitet (Dead Letters)",
  deadLettersOf: (service, n) => `${service}: ${n}`, noDeadLetters: "Keine bekannt.", letter: (id) => `Nr. ${id}`,
  came: (when, replays) => `gekommen ${when}` + (replays === 0 ? "" : `, ${replays}-mal vergeblich wiederholt`), replay: "Wiederholen", discardLetter: "Verwerfen", reason: "Grund",
  replayLead: "Der Dienst verarbeitet das Ereignis jetzt noch einmal. Gelingt das, ist es erledigt.", discardLead: "Das Ereignis bleibt ohne Wirkung. Es bleibt mit deinem Grund aufgehoben.",
  outcomes: { replayed: "Wiederholt.", discarded: "Verworfen.", resolved: "Das hat schon jemand anderes erledigt.", failed: "Es ging wieder schief, und bleibt offen:" },
};

declare const LANGUAGE: "en" | "de";
export const t = { ...others, ...(LANGUAGE === "de" ? de : en) };
