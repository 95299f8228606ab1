// All that the page says, in the languages that it knows.

const en = {
  today: "Today", upcoming: "Upcoming", inbox: "Inbox", trash: "Trash", overdue: "Overdue",
  menu: "Menu", lists: "Lists", views: "Views and lists", signOut: "Sign out", keys: "Keyboard shortcuts", skip: "Skip to the tasks",
  loading: "Loading …", offline: "Not connected. Trying again …",
  email: "E-mail address", password: "Password", name: "Name", optional: "optional",
  signIn: "Sign in", register: "Create an account", forgot: "Forgot your password?", back: "Back to sign in",
  passwordRules: "At least 10 characters of any kind, and nothing that others would guess.",
  forgotLead: "We send a link to set another password.", sendLink: "Send the link",
  mailSent: (to: string) => `If all is well, a mail is on its way to ${to}. Follow the link in it.`,
  sendAgain: "Send the mail again",
  newList: "New list", listName: "Name of the list", create: "Create", cancel: "Cancel", rename: "Rename", deleteList: "Delete list", renameList: "Rename the list",
  addTo: (list: string) => `Add a task to ${list}`, addToday: "Add a task for today", addTomorrow: "Add a task for tomorrow", add: "Add",
  complete: (title: string) => `Complete: ${title}`, actionsFor: (title: string) => `Actions for ${title}`,
  edit: "Edit", history: "History", moveUp: "Move up", moveDown: "Move down", delete: "Delete", completed: (n: number) => `Completed (${n})`,
  nothingToday: "Nothing is due. Add a task above, or press n.", nothingUpcoming: "Nothing is planned for the coming days.",
  nothingHere: "Nothing here yet. Add a task above, or press n.", nothingInTrash: "The trash is empty.",
  repeats: "repeats", openTasks: (n: number) => (n === 1 ? "1 open task" : `${n} open tasks`),
  editTask: "Edit task", title: "Title", description: "Description", dueDate: "Due date", dueTime: "Time", timeIn: (zone: string) => `Time (${zone})`,
  priority: "Priority", tags: "Tags", tagsHint: "Separated by commas", list: "List", repeat: "Repeat", rule: "Rule (RRULE)", save: "Save",
  discard: "Throw away what you have changed?", readOnly: "You may read this list, not change it.",
  taskGone: "This task is not there any more.",
  priorities: { none: "None", low: "Low", medium: "Medium", high: "High", urgent: "Urgent" },
  repeatings: { never: "Never", daily: "Every day", weekdays: "Every weekday (Monday to Friday)", weekly: "Every week", fortnightly: "Every two weeks", monthly: "Every month", yearly: "Every year", other: "Another rule …" },
  undo: "Undo", redo: "Redo", close: "Close", undone: "Undone.", redone: "Done again.",
  added: (title: string, understood: string[]) => `Added: ${title}` + (understood.length ? ` (${understood.join(", ")})` : ""), saved: "Saved.", deleted: (title: string) => `Deleted: ${title}`, restored: (title: string) => `Restored: ${title}`,
  done: (title: string) => `Completed: ${title}`, reopened: (title: string) => `Open again: ${title}`, moved: (title: string) => `Moved: ${title}`,
  listMade: (name: string) => `Made the list ${name}`, listRenamed: (name: string) => `Renamed to ${name}`,
  historyOf: (title: string) => `History of ${title}`, before: "before", after: "after", by: (who: string, when: string) => `${who}, ${when}`,
  undoThis: "Undo this", noHistory: "Nothing is recorded yet.", more: "Show more", shortened: "shortened", someone: "somebody",
  actions: {
    "task.created": "Created", "task.updated": "Changed", "task.completed": "Completed", "task.deleted": "Deleted", "task.restored": "Restored", "task.moved": "Moved", "task.purged": "Deleted for good",
  } as Record<string, string>,
  fields: {
    title: "Title", description: "Description", is_complete: "Done", priority: "Priority", tags: "Tags", due_at: "Due", all_day: "All day", timezone: "Time zone",
    reminders: "Reminders", recurrence: "Repeat", list_id: "List", position: "Place", assignee_id: "Assignee", parent_id: "Part of", completed_at: "Done at",
    occurrence: "Occurrence", series_id: "Series",
  } as Record<string, string>,
  yes: "yes", no: "no", nothing: "nothing",
  restore: "Restore", trashedWith: (n: number) => (n === 1 ? "with 1 task" : `with ${n} tasks`), deletedAt: (when: string) => `Deleted ${when}`,
  dayAndTime: (day: string, time: string) => `${day}, ${time}`,
  keyTable: {
    "j / k": "Next or previous task", x: "Complete or reopen the task", "e / Enter": "Edit the task", h: "History of the task", "#": "Delete the task",
    "Alt+↑ / Alt+↓": "Move the task up or down in its list", n: "New task", u: "Undo the last change", "g t / g u / g i": "Go to Today, Upcoming, Inbox", "?": "This list",
  } as Record<string, string>,
  singleKeys: "Shortcuts of a single key are on",
  failed: "That did not work.", noAnswer: "The server does not answer. Nothing has been changed; try again.",
  changedSince: (fields: string) => `It has been changed since (${fields}): not undone.`,
  problems: {} as Record<string, string>,

  // Offline.

  // Recurrence, reminders and subtasks.

  // Comments and notifications.

  // Settings and ways to sign in.

  // Members and invitations.

  // Search and selection.

  // The operator's corner.
  operator: "Operator", state: "How far each topic is", topic: "Topic", service: "Service", upTo: "Up to", rest: "What is left", never: "nothing yet",
  publishes: "task-api publishes", allPublished: "all published", unpublished: (n: number, since: string) => `${n} not published, the oldest of ${since}`,
  upToDate: "up to date", behind: (seconds: number) => `${seconds} s behind`, isAway: (service: string) => `${service} does not answer: how far it is, is not known.`,
  feedWaits: (since: string) => `Changes have waited for a transaction to end since ${since}: pages do not see them.`,
  reconciled: (when: string, gaps: number) => `Last reconcile: ${when}, ${gaps === 0 ? "no gaps" : gaps === 1 ? "1 gap" : `${gaps} gaps`}.`,
  deadLetters: "Dead letters", deadLettersOf: (service: string, n: number) => `${service}: ${n}`, noDeadLetters: "None that is known.",
  letter: (id: number) => `No. ${id}`, came: (when: string, replays: number) => `came ${when}` + (replays === 0 ? "" : `, replayed ${replays === 1 ? "once" : `${replays} times`} in vain`),
  replay: "Replay", discardLetter: "Discard", reason: "Reason", replayLead: "The service handles the event again, now. If that works, the letter is resolved.", discardLead: "The event will have no effect. The letter stays on record, with your reason.",
  outcomes: {
    replayed: "Replayed.", discarded: "Discarded.", resolved: "Somebody else has resolved it before.", failed: "It failed again, and stays open:",
  } as Record<string, string>,
};

type Texts = typeof en;

const de: Texts = {
  today: "Heute", upcoming: "Demnächst", inbox: "Eingang", trash: "Papierkorb", overdue: "Überfällig",
  menu: "Menü", lists: "Listen", views: "Ansichten und Listen", signOut: "Abmelden", keys: "Tastenkürzel", skip: "Zu den Aufgaben",
  loading: "Wird geladen …", offline: "Keine Verbindung. Neuer Versuch …",
  email: "E-Mail-Adresse", password: "Passwort", name: "Name", optional: "freiwillig",
  signIn: "Anmelden", register: "Konto anlegen", forgot: "Passwort vergessen?", back: "Zurück zur Anmeldung",
  passwordRules: "Mindestens 10 beliebige Zeichen, und nichts, was andere erraten.",
  forgotLead: "Wir schicken einen Link, mit dem ein anderes Passwort gesetzt wird.", sendLink: "Link schicken",
  mailSent: (to) => `Wenn alles stimmt, ist eine Mail an ${to} unterwegs. Bitte dem Link darin folgen.`,
  sendAgain: "Mail noch einmal schicken",
  newList: "Neue Liste", listName: "Name der Liste", create: "Anlegen", cancel: "Abbrechen", rename: "Umbenennen", deleteList: "Liste löschen", renameList: "Liste umbenennen",
  addTo: (list) => `Aufgabe in ${list} anlegen`, addToday: "Aufgabe für heute anlegen", addTomorrow: "Aufgabe für morgen anlegen", add: "Anlegen",
  complete: (title) => `Erledigen: ${title}`, actionsFor: (title) => `Aktionen für ${title}`,
  edit: "Bearbeiten", history: "Verlauf", moveUp: "Nach oben", moveDown: "Nach unten", delete: "Löschen", completed: (n) => `Erledigt (${n})`,
  nothingToday: "Nichts ist fällig. Oben eine Aufgabe anlegen, oder n drücken.", nothingUpcoming: "Für die nächsten Tage ist nichts geplant.",
  nothingHere: "Noch nichts da. Oben eine Aufgabe anlegen, oder n drücken.", nothingInTrash: "Der Papierkorb ist leer.",
  repeats: "wiederholt", openTasks: (n) => (n === 1 ? "1 offene Aufgabe" : `${n} offene Aufgaben`),
  editTask: "Aufgabe bearbeiten", title: "Titel", description: "Beschreibung", dueDate: "Fällig am", dueTime: "Uhrzeit", timeIn: (zone) => `Uhrzeit (${zone})`,
  priority: "Priorität", tags: "Schlagwörter", tagsHint: "Durch Kommas getrennt", list: "Liste", repeat: "Wiederholen", rule: "Regel (RRULE)", save: "Speichern",
  discard: "Die Änderungen verwerfen?", readOnly: "Diese Liste ist für dich nur zum Lesen.",
  taskGone: "Diese Aufgabe gibt es nicht mehr.",
  priorities: { none: "Keine", low: "Niedrig", medium: "Mittel", high: "Hoch", urgent: "Dringend" },
  repeatings: { never: "Nie", daily: "Jeden Tag", weekdays: "Jeden Werktag (Montag bis Freitag)", weekly: "Jede Woche", fortnightly: "Alle zwei Wochen", monthly: "Jeden Monat", yearly: "Jedes Jahr", other: "Andere Regel …" },
  undo: "Rückgängig", redo: "Wiederherstellen", close: "Schließen", undone: "Rückgängig gemacht.", redone: "Wiederhergestellt.",
  added: (title, understood) => `Angelegt: ${title}` + (understood.length ? ` (${understood.join(", ")})` : ""), saved: "Gespeichert.", deleted: (title) => `Gelöscht: ${title}`, restored: (title) => `Zurückgeholt: ${title}`,
  done: (title) => `Erledigt: ${title}`, reopened: (title) => `Wieder offen: ${title}`, moved: (title) => `Verschoben: ${title}`,
  listMade: (name) => `Liste ${name} angelegt`, listRenamed: (name) => `Umbenannt in ${name}`,
  historyOf: (title) => `Verlauf von ${title}`, before: "vorher", after: "nachher", by: (who, when) => `${who}, ${when}`,
  undoThis: "Dies rückgängig machen", noHistory: "Noch ist nichts verzeichnet.", more: "Mehr zeigen", shortened: "gekürzt", someone: "jemand",
  actions: {
    "task.created": "Angelegt", "task.updated": "Geändert", "task.completed": "Erledigt", "task.deleted": "Gelöscht", "task.restored": "Zurückgeholt", "task.moved": "Verschoben", "task.purged": "Endgültig gelöscht",
  },
  fields: {
    title: "Titel", description: "Beschreibung", is_complete: "Erledigt", priority: "Priorität", tags: "Schlagwörter", due_at: "Fällig", all_day: "Ganztägig", timezone: "Zeitzone",
    reminders: "Erinnerungen", recurrence: "Wiederholen", list_id: "Liste", position: "Platz", assignee_id: "Zuständig", parent_id: "Teil von", completed_at: "Erledigt am",
    occurrence: "Termin", series_id: "Serie",
  },
  yes: "ja", no: "nein", nothing: "nichts",
  restore: "Zurückholen", trashedWith: (n) => (n === 1 ? "mit 1 Aufgabe" : `mit ${n} Aufgaben`), deletedAt: (when) => `Gelöscht ${when}`,
  dayAndTime: (day, time) => `${day}, ${time}`,
  keyTable: {
    "j / k": "Nächste oder vorige Aufgabe", x: "Aufgabe erledigen oder wieder öffnen", "e / Enter": "Aufgabe bearbeiten", h: "Verlauf der Aufgabe", "#": "Aufgabe löschen",
    "Alt+↑ / Alt+↓": "Aufgabe in ihrer Liste nach oben oder unten", n: "Neue Aufgabe", u: "Letzte Änderung rückgängig machen", "g t / g u / g i": "Zu Heute, Demnächst, Eingang", "?": "Diese Liste",
  },
  singleKeys: "Kürzel mit einer einzigen Taste sind an",
  failed: "Das ging nicht.", noAnswer: "Der Server antwortet nicht. Nichts wurde geändert; bitte noch einmal versuchen.",
  changedSince: (fields) => `Inzwischen geändert (${fields}): nicht rückgängig gemacht.`,
  problems: {
    "wrong-password": "E-Mail-Adresse oder Passwort stimmen nicht.", "email-taken": "Mit dieser Adresse gibt es schon ein Konto.", "address-unverified": "Die Adresse ist noch nicht bestätigt: bitte dem Link in der Mail folgen.",
    "too-many-attempts": "Zu viele Versuche. Bitte später noch einmal.", "too-many-requests": "Zu viele Anfragen. Bitte später noch einmal.", "registration-closed": "Hier kann sich nicht jeder ein Konto anlegen.",
    "account-blocked": "Das Konto ist gesperrt.", "read-only": "Diese Liste ist nur zum Lesen.", "owners-only": "Das darf nur, wem die Liste gehört.", "not-found": "Das gibt es nicht (mehr).", unavailable: "Ein Teil des Dienstes ist gerade nicht da. Bitte später noch einmal.",
    "sign-in-again": "Dafür bitte noch einmal anmelden.", "not-undoable": "Das kann nicht rückgängig gemacht werden.", "limit-reached": "Mehr davon kann es nicht geben.",
  },

  // Offline.

  // Recurrence, reminders and subtasks.

  // Comments and notifications.

  // Settings and ways to sign in.

  // Members and invitations.

  // Search and selection.

  // The operator's corner.
  operator: "Betrieb", state: "Wie weit jedes Topic ist", topic: "Topic", service: "Dienst", upTo: "Bis", rest: "Was noch fehlt", never: "noch nichts",
  publishes: "task-api veröffentlicht", allPublished: "alles veröffentlicht", unpublished: (n, since) => `${n} nicht veröffentlicht, das älteste von ${since}`,
  upToDate: "auf dem Stand", behind: (seconds) => `${seconds} s zurück`, isAway: (service) => `${service} antwortet nicht: Wie weit der Dienst ist, ist nicht bekannt.`,
  feedWaits: (since) => `Änderungen warten seit ${since} auf das Ende einer Transaktion: Die Seiten sehen sie nicht.`,
  reconciled: (when, gaps) => `Letzter Abgleich: ${when}, ${gaps === 0 ? "keine Lücken" : gaps === 1 ? "1 Lücke" : `${gaps} Lücken`}.`,
  deadLetters: "Nicht verarbeitet (Dead Letters)", deadLettersOf: (service, n) => `${service}: ${n}`, noDeadLetters: "Keine bekannt.",
  letter: (id) => `Nr. ${id}`, came: (when, replays) => `gekommen ${when}` + (replays === 0 ? "" : `, ${replays}-mal vergeblich wiederholt`),
  replay: "Wiederholen", discardLetter: "Verwerfen", reason: "Grund", replayLead: "Der Dienst verarbeitet das Ereignis jetzt noch einmal. Gelingt das, ist es erledigt.", discardLead: "Das Ereignis bleibt ohne Wirkung. Es bleibt mit deinem Grund aufgehoben.",
  outcomes: { replayed: "Wiederholt.", discarded: "Verworfen.", resolved: "Das hat schon jemand anderes erledigt.", failed: "Es ging wieder schief, und bleibt offen:" },
};

const languages: Record<string, Texts> = { en, de };

// The first of the browser's languages that the page knows; dates are written as the browser
// would have them, where that is the same language.
const preferred = navigator.languages.find((l) => l.slice(0, 2).toLowerCase() in languages) ?? "en";
export const locale = preferred;
export const t: Texts = languages[preferred.slice(0, 2).toLowerCase()]!;
document.documentElement.lang = preferred;
