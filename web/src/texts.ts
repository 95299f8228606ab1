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
  newList: "New list", listName: "Name of the list", create: "Create", cancel: "Cancel", deleteList: "Delete list", 
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
    "Alt+↑ / Alt+↓": "Move the task, or in the menu the list, up or down", n: "New task", u: "Undo the last change", "g t / g u / g i": "Go to Today, Upcoming, Inbox", "?": "This list",
  } as Record<string, string>,
  singleKeys: "Shortcuts of a single key are on",
  failed: "That did not work.", noAnswer: "The server does not answer. Nothing has been changed; try again.",
  changedSince: (fields: string) => `It has been changed since (${fields}): not undone.`,
  problems: {} as Record<string, string>,

  // Offline.

  // Recurrence, reminders and subtasks.

  // Comments and notifications.

  // Settings and ways to sign in.
  settings: "Settings", profile: "Profile", zone: "Time zone", zoneHint: "Where your days begin. Type to search.",
  unverified: "not confirmed", newEmail: "New address", changeEmail: "Change the address",
  newEmailHint: "We send a link there, and tell the old address. You keep that until you follow the link.",
  currentPassword: "Password until now", newPassword: "New password", changePassword: "Change the password", passwordChanged: "The password is changed, and your other devices are signed out.",
  noPassword: "Send me a link to set a password",
  secondFactor: "Second factor", secondFactorLead: "Signing in with your password then also asks for a code that an application on your telephone shows.",
  setUp: "Set up …", secretLead: "Add this secret to your application, and type the code that it shows then.", openApp: "Open in an application", turnOn: "Turn on",
  secondFactorAdded: "Signing in asks for a code now.", secondFactorOn: (n: number) => `It is on. ${n === 1 ? "1 recovery code is" : `${n} recovery codes are`} left.`, secondFactorOff: "Turn off", secondFactorOffSure: "Turn the second factor off? Its recovery codes go with it.",
  recoveryCodes: "Recovery codes", recoveryLead: "Keep these recovery codes where you find them without your telephone. Each signs in once instead of a code. They are not shown again.", kept: "I have kept it",
  copy: "Copy", copied: "Copied.",
  passkeys: "Passkeys", passkeysLead: "A passkey on your device signs you in without a password.", passkey: "Passkey", passkeyName: "Name of the passkey", addPasskey: "Add a passkey", passkeyAdded: "The passkey signs you in from now on.",
  noPasskey: "The browser has used no passkey.", noPasskeysHere: "Passkeys do not work at this address.", backedUp: "shared by several devices",
  since: (when: string) => `since ${when}`, lastUsed: (when: string) => `last used ${when}`, lastSeen: (when: string) => `last seen ${when}`, neverUsed: "never used",
  remove: "Remove", removeSure: (what: string) => `Remove ${what}?`,
  identities: "Sign-in elsewhere", linkTo: (name: string) => `Link ${name}`, unlink: "Unlink",
  sessions: "Devices that are signed in", thisDevice: "this one", unknownDevice: "Unknown device", signOutOthers: "Sign out all others", othersSignedOut: "All other devices are signed out.",
  tokens: "API tokens", tokensLead: "For programs of yours. A token does what you allow it, until you revoke it or it expires.", newToken: "New token", tokenName: "What it is for", mayDo: "What it may do",
  theseListsAlone: "These lists alone", until: "Valid until", tokenOnce: "Copy it now: it is not shown again.", revoke: "Revoke", expires: (when: string) => `expires ${when}`, expired: (when: string) => `expired ${when}`,
  scopes: {
    "tasks:read": "Read tasks", "tasks:write": "Change tasks", "lists:read": "Read lists", "lists:write": "Change lists", "audit:read": "Read the history", notifications: "Notifications", "account:read": "Read your profile", webhooks: "Webhooks", caldav: "Calendar programs (CalDAV)",
  },
  mine: "Your data", exportLead: "All that there is of you, in a ZIP archive.", export: "Export", exported: "The export is saved.",
  erase: "Delete the account", eraseLead: "You can have your account and all that is in it deleted.",
  eraseMeans: "All your other devices are signed out at once. After some days the account goes for good: your lists that nobody else owns with all that is in them, also for others who are in them, and your comments. In lists that somebody else owns your tasks stay, without your name. Until then you can sign in and call it back.",
  erasedAt: (when: string) => `Your account is deleted for good ${when}.`, keepAccount: "Keep the account", accountKept: "The account stays.",
  code: "Code", codeHint: "As your application shows it, or a recovery code.", anotherWay: "Back",
  signInByPasskey: "Sign in with a passkey", signInAt: (name: string) => `Sign in with ${name}`,
  signInAgain: "Sign in again", signInAgainLead: "What you ask for matters much, and your last sign-in is some time ago. It is done as soon as you have signed in again; if you do that elsewhere, ask for it once more then.",
  cameBack: {
    "link-first": "There is no account here for you at this provider. If you have one, sign in with your password and link the provider in the settings.", "identity-taken": "Your account at this provider is linked to another account here.",
    "provider-refused": "The provider has not signed you in.", "sign-in-not-begun": "That took too long, or was begun in another browser. Please try again.",
    "registration-closed": "Not everybody can get an account here.", "account-blocked": "The account is blocked.", "sign-in-again": "That took too long. Please try again.", unavailable: "The provider does not answer. Please try again later.",
  } as Record<string, string>,

  // Members and invitations.
  members: "Members", membersOf: (list: string) => `Members of ${list}`, you: "you", invited: "invited", role: "Role", roleOf: (who: string) => `Role of ${who}`,
  roles: { viewer: "Viewer", editor: "Editor", owner: "Owner" },
  roleHints: { viewer: "Reads the list.", editor: "Also changes its tasks.", owner: "Also changes the list and its members." },
  inviteAddress: "Invite by e-mail address", invite: "Invite", takeBack: "Take back", leave: "Leave", leaveSure: (list: string) => `Leave ${list}? Only an owner can bring you back.`, left: (list: string) => `You have left ${list}`,
  invitations: "Invitations", invitesYou: (who: string, list: string, role: string) => `${who} invites you to ${list} (${role})`, accept: "Accept", decline: "Decline", joined: (list: string) => `You are in ${list} now`,
  listSettings: "List settings", hasColor: "Has a color", color: "Color", group: "Group", groupHint: "Under what you keep the list. Only you see it.", archive: "Archived: put away for all its members", archived: "archived", archivedLists: (n: number) => `Archived (${n})`,

  // Search and selection.

  // The operator's corner.
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
  newList: "Neue Liste", listName: "Name der Liste", create: "Anlegen", cancel: "Abbrechen", deleteList: "Liste löschen", 
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
    "Alt+↑ / Alt+↓": "Die Aufgabe, oder im Menü die Liste, nach oben oder unten", n: "Neue Aufgabe", u: "Letzte Änderung rückgängig machen", "g t / g u / g i": "Zu Heute, Demnächst, Eingang", "?": "Diese Liste",
  },
  singleKeys: "Kürzel mit einer einzigen Taste sind an",
  failed: "Das ging nicht.", noAnswer: "Der Server antwortet nicht. Nichts wurde geändert; bitte noch einmal versuchen.",
  changedSince: (fields) => `Inzwischen geändert (${fields}): nicht rückgängig gemacht.`,
  problems: {
    "wrong-password": "E-Mail-Adresse oder Passwort stimmen nicht.", "email-taken": "Mit dieser Adresse gibt es schon ein Konto.", "address-unverified": "Die Adresse ist noch nicht bestätigt: bitte dem Link in der Mail folgen.",
    "too-many-attempts": "Zu viele Versuche. Bitte später noch einmal.", "too-many-requests": "Zu viele Anfragen. Bitte später noch einmal.", "registration-closed": "Hier kann sich nicht jeder ein Konto anlegen.",
    "account-blocked": "Das Konto ist gesperrt.", "read-only": "Diese Liste ist nur zum Lesen.", "owners-only": "Das darf nur, wem die Liste gehört.", "not-found": "Das gibt es nicht (mehr).", unavailable: "Ein Teil des Dienstes ist gerade nicht da. Bitte später noch einmal.",
    "sign-in-again": "Dafür bitte noch einmal anmelden.", "not-undoable": "Das kann nicht rückgängig gemacht werden.", "limit-reached": "Mehr davon kann es nicht geben.",
    "wrong-code": "Der Code stimmt nicht oder wurde schon verwendet. Bitte den nächsten.", "second-factor-required": "Der Passkey hat nicht gefragt, wer du bist: bitte mit Passwort und Code anmelden.", "wrong-passkey": "Dieser Passkey gehört zu keinem Konto hier.",
    "second-factor-exists": "Es gibt schon einen zweiten Faktor.", "last-way-in": "Dann könntest du dich nicht mehr anmelden: erst ein Passwort setzen oder einen anderen Weg anlegen.", "sign-in-not-begun": "Das hat zu lange gedauert. Bitte noch einmal.",
    "last-owner": "Die Liste gehört sonst niemandem: gib sie erst jemand anderem auch.", "already-member": "Wer diese Adresse hat, ist schon Mitglied.", "private-inbox": "Der Eingang gehört dir allein.",
  },

  // Offline.

  // Recurrence, reminders and subtasks.

  // Comments and notifications.

  // Settings and ways to sign in.
  settings: "Einstellungen", profile: "Profil", zone: "Zeitzone", zoneHint: "Wo deine Tage beginnen. Zum Suchen tippen.",
  unverified: "nicht bestätigt", newEmail: "Neue Adresse", changeEmail: "Adresse ändern",
  newEmailHint: "Wir schicken einen Link dorthin und sagen es der alten Adresse. Sie gilt, bis du dem Link folgst.",
  currentPassword: "Bisheriges Passwort", newPassword: "Neues Passwort", changePassword: "Passwort ändern", passwordChanged: "Das Passwort ist geändert, deine anderen Geräte sind abgemeldet.",
  noPassword: "Link zum Setzen eines Passworts schicken",
  secondFactor: "Zweiter Faktor", secondFactorLead: "Die Anmeldung mit Passwort fragt dann auch nach einem Code, den eine App auf deinem Telefon zeigt.",
  setUp: "Einrichten …", secretLead: "Gib dieses Geheimnis in deine App ein und tippe dann den Code ab, den sie zeigt.", openApp: "In einer App öffnen", turnOn: "Einschalten",
  secondFactorAdded: "Die Anmeldung fragt jetzt nach einem Code.", secondFactorOn: (n) => `Er ist eingeschaltet. ${n === 1 ? "1 Ersatzcode ist" : `${n} Ersatzcodes sind`} übrig.`, secondFactorOff: "Ausschalten", secondFactorOffSure: "Den zweiten Faktor ausschalten? Seine Ersatzcodes gehen mit.",
  recoveryCodes: "Ersatzcodes", recoveryLead: "Bewahre diese Ersatzcodes dort auf, wo du sie ohne dein Telefon findest. Jeder meldet einmal statt eines Codes an. Sie werden nicht noch einmal gezeigt.", kept: "Ist aufbewahrt",
  copy: "Kopieren", copied: "Kopiert.",
  passkeys: "Passkeys", passkeysLead: "Ein Passkey auf deinem Gerät meldet dich ohne Passwort an.", passkey: "Passkey", passkeyName: "Name des Passkeys", addPasskey: "Passkey anlegen", passkeyAdded: "Der Passkey meldet dich ab jetzt an.",
  noPasskey: "Der Browser hat keinen Passkey verwendet.", noPasskeysHere: "Unter dieser Adresse gehen keine Passkeys.", backedUp: "auf mehreren Geräten",
  since: (when) => `seit ${when}`, lastUsed: (when) => `zuletzt benutzt ${when}`, lastSeen: (when) => `zuletzt gesehen ${when}`, neverUsed: "nie benutzt",
  remove: "Entfernen", removeSure: (what) => `${what} entfernen?`,
  identities: "Anmeldung bei anderen", linkTo: (name) => `Mit ${name} verknüpfen`, unlink: "Verknüpfung lösen",
  sessions: "Angemeldete Geräte", thisDevice: "dieses", unknownDevice: "Unbekanntes Gerät", signOutOthers: "Alle anderen abmelden", othersSignedOut: "Alle anderen Geräte sind abgemeldet.",
  tokens: "API-Tokens", tokensLead: "Für deine Programme. Ein Token darf, was du ihm erlaubst, bis du es widerrufst oder es abläuft.", newToken: "Neues Token", tokenName: "Wofür es ist", mayDo: "Was es darf",
  theseListsAlone: "Nur diese Listen", until: "Gültig bis", tokenOnce: "Jetzt kopieren: Es wird nicht noch einmal gezeigt.", revoke: "Widerrufen", expires: (when) => `läuft ab ${when}`, expired: (when) => `abgelaufen ${when}`,
  scopes: {
    "tasks:read": "Aufgaben lesen", "tasks:write": "Aufgaben ändern", "lists:read": "Listen lesen", "lists:write": "Listen ändern", "audit:read": "Den Verlauf lesen", notifications: "Benachrichtigungen", "account:read": "Dein Profil lesen", webhooks: "Webhooks", caldav: "Kalenderprogramme (CalDAV)",
  },
  mine: "Deine Daten", exportLead: "Alles, was es von dir gibt, in einem ZIP-Archiv.", export: "Exportieren", exported: "Der Export ist gespeichert.",
  erase: "Konto löschen", eraseLead: "Du kannst dein Konto mit allem, was darin ist, löschen lassen.",
  eraseMeans: "Alle deine anderen Geräte werden sofort abgemeldet. Nach einigen Tagen geht das Konto endgültig: deine Listen, die sonst niemandem gehören, mit allem darin, auch für andere darin, und deine Kommentare. In Listen, die auch anderen gehören, bleiben deine Aufgaben ohne deinen Namen. Bis dahin kannst du dich anmelden und es zurückholen.",
  erasedAt: (when) => `Dein Konto wird endgültig gelöscht: ${when}.`, keepAccount: "Konto behalten", accountKept: "Das Konto bleibt.",
  code: "Code", codeHint: "Wie ihn deine App zeigt, oder ein Ersatzcode.", anotherWay: "Zurück",
  signInByPasskey: "Mit Passkey anmelden", signInAt: (name) => `Mit ${name} anmelden`,
  signInAgain: "Noch einmal anmelden", signInAgainLead: "Was du willst, wiegt schwer, und deine letzte Anmeldung ist eine Weile her. Es geschieht, sobald du dich noch einmal angemeldet hast; tust du das woanders, dann bitte danach noch einmal.",
  cameBack: {
    "link-first": "Für dich bei diesem Anbieter gibt es hier kein Konto. Wenn du eines hast, melde dich mit dem Passwort an und verknüpfe den Anbieter in den Einstellungen.", "identity-taken": "Dein Konto bei diesem Anbieter ist mit einem anderen Konto hier verknüpft.",
    "provider-refused": "Der Anbieter hat dich nicht angemeldet.", "sign-in-not-begun": "Das hat zu lange gedauert oder wurde in einem anderen Browser begonnen. Bitte noch einmal.",
    "registration-closed": "Hier kann sich nicht jeder ein Konto anlegen.", "account-blocked": "Das Konto ist gesperrt.", "sign-in-again": "Das hat zu lange gedauert. Bitte noch einmal.", unavailable: "Der Anbieter antwortet nicht. Bitte später noch einmal.",
  },

  // Members and invitations.
  members: "Mitglieder", membersOf: (list) => `Mitglieder von ${list}`, you: "du", invited: "eingeladen", role: "Rolle", roleOf: (who) => `Rolle von ${who}`,
  roles: { viewer: "Liest", editor: "Bearbeitet", owner: "Besitzt" },
  roleHints: { viewer: "Liest die Liste.", editor: "Ändert auch ihre Aufgaben.", owner: "Ändert auch die Liste und ihre Mitglieder." },
  inviteAddress: "Mit E-Mail-Adresse einladen", invite: "Einladen", takeBack: "Zurücknehmen", leave: "Verlassen", leaveSure: (list) => `${list} verlassen? Nur wem sie gehört, kann dich zurückholen.`, left: (list) => `Du hast ${list} verlassen`,
  invitations: "Einladungen", invitesYou: (who, list, role) => `${who} lädt dich zu ${list} ein (${role})`, accept: "Annehmen", decline: "Ablehnen", joined: (list) => `Du bist jetzt in ${list}`,
  listSettings: "Einstellungen der Liste", hasColor: "Hat eine Farbe", color: "Farbe", group: "Gruppe", groupHint: "Worunter du die Liste führst. Nur du siehst es.", archive: "Archiviert: für alle Mitglieder weggelegt", archived: "archiviert", archivedLists: (n) => `Archiviert (${n})`,

  // Search and selection.

  // The operator's corner.
};

const languages: Record<string, Texts> = { en, de };

// The first of the browser's languages that the page knows; dates are written as the browser
// would have them, where that is the same language.
const preferred = navigator.languages.find((l) => l.slice(0, 2).toLowerCase() in languages) ?? "en";
export const locale = preferred;
export const t: Texts = languages[preferred.slice(0, 2).toLowerCase()]!;
document.documentElement.lang = preferred;
