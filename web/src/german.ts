// What the server says of a request that it refuses, in German: its own words are English. This
// is loaded once it has said something.
import type { Problem } from "./schema";

// problems are by the code of a problem, which never changes.
const problems: Record<string, string> = {
  "wrong-password": "E-Mail-Adresse oder Passwort stimmen nicht.", "email-taken": "Mit dieser Adresse gibt es schon ein Konto.", "address-unverified": "Die Adresse ist noch nicht bestätigt: bitte dem Link in der Mail folgen.",
  "too-many-attempts": "Zu viele Versuche. Bitte später noch einmal.", "too-many-requests": "Zu viele Anfragen. Bitte später noch einmal.", "registration-closed": "Hier kann sich nicht jeder ein Konto anlegen.",
  "account-blocked": "Das Konto ist gesperrt.", "read-only": "Diese Liste ist nur zum Lesen.", "owners-only": "Das darf nur, wem die Liste gehört.", "authors-only": "Das hat jemand anderes geschrieben.",
  "not-found": "Das gibt es nicht (mehr).", unavailable: "Ein Teil des Dienstes ist gerade nicht da. Bitte später noch einmal.", internal: "Der Server hat einen Fehler gemacht. Bitte noch einmal versuchen.",
  "sign-in-again": "Dafür bitte noch einmal anmelden.", "not-undoable": "Das kann nicht rückgängig gemacht werden.", "limit-reached": "Mehr davon kann es nicht geben.", "body-too-large": "Das ist zu viel auf einmal.",
  "last-occurrence": "Das ist der letzte Termin der Regel: erledigen, oder löschen.", "not-recurring": "Die Aufgabe wiederholt sich nicht.", "already-complete": "Dieser Termin ist schon erledigt.",
  "already-followed": "Auf diesen Termin ist schon einer gefolgt.", "in-trash": "Es liegt im Papierkorb: bitte von dort zurückholen.", "task-changed": "Die Aufgabe wurde inzwischen geändert.", "list-changed": "Die Liste wurde inzwischen geändert.",
  "wrong-code": "Der Code stimmt nicht oder wurde schon verwendet. Bitte den nächsten.", "second-factor-required": "Der Passkey hat nicht gefragt, wer du bist: bitte mit Passwort und Code anmelden.", "wrong-passkey": "Dieser Passkey gehört zu keinem Konto hier.",
  "second-factor-exists": "Es gibt schon einen zweiten Faktor.", "last-way-in": "Dann könntest du dich nicht mehr anmelden: erst ein Passwort setzen oder einen anderen Weg anlegen.", "sign-in-not-begun": "Das hat zu lange gedauert. Bitte noch einmal.",
  "last-owner": "Die Liste gehört sonst niemandem: gib sie erst jemand anderem auch.", "already-member": "Wer diese Adresse hat, ist schon Mitglied.", "private-inbox": "Der Eingang gehört dir allein.", invalid: "Etwas davon geht so nicht.",
};

const guessed = "nimm etwas, das niemand errät.";

// fields are by what the server says of one part of a request, as it is written there.
const fields: Record<string, string> = {
  // Whatever it is.
  "expected length >= %d": "Zu kurz: mindestens $1 Zeichen.",
  "expected length <= %d": "Zu lang: höchstens $1 Zeichen.",
  "expected array length >= %d": "Zu wenige: mindestens $1.",
  "expected array length <= %d": "Zu viele: höchstens $1.",
  "expected number >= %v": "Zu klein: mindestens $1.",
  "expected number <= %v": "Zu groß: höchstens $1.",
  "expected string to be RFC 3339 date": "Das ist kein Datum.",
  "expected string to be RFC 3339 date-time": "Das ist kein Zeitpunkt.",
  "expected string to be RFC 5322 email: %v": "Das ist keine E-Mail-Adresse.",
  "expected required property %s to be present": "Das fehlt.",
  "must be valid UTF-8 without NUL characters": "Darin ist ein Zeichen, das nicht geht.",
  "must lie in the years 1900 to 9000": "Nur die Jahre 1900 bis 9000 gehen.",
  "must have 1 to 100 characters": "Es müssen 1 bis 100 Zeichen sein.",
  "can not be cleared": "Das fehlt.",

  // Accounts.
  "must be an email address, such as ada@example.org": "Das ist keine E-Mail-Adresse.",
  "is taken": "Mit dieser Adresse gibt es schon ein Konto.",
  "must have 10 to 200 characters": "Es müssen 10 bis 200 Zeichen sein.",
  "is the address; choose one that nobody would guess": "Das ist die Adresse: " + guessed,
  "is the name; choose one that nobody would guess": "Das ist der Name: " + guessed,
  "is a word of this place; choose one that nobody would guess": "Das Wort kommt von hier: " + guessed,
  "is one of the passwords that are tried first; choose another": "Das ist eines der Passwörter, die zuerst versucht werden: nimm ein anderes.",
  "is not your password": "Das ist nicht dein Passwort.",
  "is not your password any more": "Das ist nicht mehr dein Passwort.",
  "there is none: you sign in elsewhere": "Du hast keines: du meldest dich woanders an.",
  "is not the code that your application shows now; see whether its clock is right": "Diesen Code zeigt deine App jetzt nicht: geht ihre Uhr richtig?",
  "must name one at least": "Mindestens eines davon.",
  "must name 1 to %d lists, or be left out for all": "Es müssen 1 bis $1 Listen sein.",
  "must be in the future, and at most a year from now": "Es muss in der Zukunft liegen, höchstens in einem Jahr.",

  // Tasks, lists and comments.
  "must not be blank": "Das fehlt.",
  "must not be longer than %d characters": "Zu lang: höchstens $1 Zeichen.",
  "must have 1 to 10,000 characters, and not only spaces": "Es müssen 1 bis 10.000 Zeichen sein, und nicht nur Leerzeichen.",
  "must be #rrggbb": "Das ist keine Farbe.",
  "is not for the inbox": "Das geht mit dem Eingang nicht.",
  "is none of your lists": "Das ist keine deiner Listen.",
  "is no member of the list": "Wer das ist, ist nicht Mitglied der Liste.",
  "there can be %d": "Es gehen höchstens $1.",
  "there can be %d of all members together": "Es gehen höchstens $1, die aller Mitglieder zusammen.",
  "each must have 1 to 50 characters and not be blank": "Jedes muss 1 bis 50 Zeichen haben, und nicht nur Leerzeichen.",
  "needs a due_at to count from": "Dafür braucht es ein Datum, zu dem es fällig ist.",
  "before_due needs a due_at to count from": "Dafür braucht es ein Datum, zu dem es fällig ist.",
  "must not be longer than 366 days": "Es gehen höchstens 366 Tage.",
  "%s is not an IANA time zone": "Diese Zeitzone gibt es nicht.",

  // Rules.
  "must not be empty": "Das fehlt.",
  "must not be longer than %d bytes": "Zu lang: höchstens $1 Zeichen.",
  'must be the value alone, without "RRULE:"': "Es muss ohne „RRULE:“ dastehen.",
  "%s is not of the form NAME=VALUE": "$1 ist nicht von der Form NAME=WERT.",
  "%s is given twice": "$1 steht zweimal da.",
  "%s is not a part of a rule": "$1 ist kein Teil einer Regel.",
  "%s is not supported: the time of day is that of the due date": "$1 geht nicht: die Uhrzeit ist die der Fälligkeit.",
  "%s is not supported: see month_end": "$1 geht nicht: siehe die Sonderfälle.",
  "%s must be a number between %d and %d": "$1 muss eine Zahl von $2 bis $3 sein.",
  "%s: %s must lie between 1 and %d": "$1: $2 muss zwischen 1 und $3 liegen.",
  "%s: %s must lie between 1 and %d or -%d and -1": "$1: $2 muss zwischen 1 und $3 oder -$4 und -1 liegen.",
  "%s in BYDAY is not a day like MO or -1FR": "$1 in BYDAY ist kein Tag wie MO oder -1FR.",
  "the number in BYDAY must lie between 1 and %d or -%d and -1": "Die Zahl in BYDAY muss zwischen 1 und $1 oder -$2 und -1 liegen.",
  "BYDAY may have a number with FREQ=MONTHLY or FREQ=YEARLY only": "In BYDAY geht eine Zahl nur mit FREQ=MONTHLY oder FREQ=YEARLY.",
  "BYDAY must not have a number together with BYWEEKNO": "In BYDAY geht mit BYWEEKNO keine Zahl.",
  "BYMONTHDAY must not be given with FREQ=WEEKLY": "BYMONTHDAY geht nicht mit FREQ=WEEKLY.",
  "BYSETPOS needs another BY part to choose from": "BYSETPOS braucht einen anderen Teil mit BY, aus dem es wählt.",
  "BYWEEKNO needs FREQ=YEARLY": "BYWEEKNO braucht FREQ=YEARLY.",
  "BYYEARDAY needs FREQ=YEARLY": "BYYEARDAY braucht FREQ=YEARLY.",
  "COUNT and UNTIL must not be given together": "COUNT und UNTIL gehen nicht zusammen.",
  "FREQ is missing": "FREQ fehlt.",
  "FREQ must be DAILY, WEEKLY, MONTHLY or YEARLY": "FREQ muss DAILY, WEEKLY, MONTHLY oder YEARLY sein.",
  "UNTIL lies before the first due date": "UNTIL liegt vor dem ersten Termin.",
  "UNTIL must be a date like 20271231, or a time like 20271231T080000Z": "UNTIL muss ein Datum wie 20271231 oder ein Zeitpunkt wie 20271231T080000Z sein.",
  "yields no date in the %d years after %s": "In den $1 Jahren nach dem $2 gibt es keinen Termin.",
};

const patterns = Object.entries(fields).map(([said, text]) => [new RegExp("^" + said.replace(/[^\w%]/g, "\\$&").replace(/%d/g, "(\\d+)").replace(/%[a-z]/g, "(.+)") + "$"), text] as const);

// inGerman puts German words in the place of those that there are some for.
export function inGerman(p: Problem): void {
  p.detail = problems[p.type.slice(p.type.lastIndexOf("/") + 1)] ?? p.detail ?? p.title;
  for (const e of p.errors ?? []) {
    const [said, text] = patterns.find(([said]) => said.test(e.message)) ?? [];
    if (said) e.message = e.message.replace(said, text!);
  }
}
