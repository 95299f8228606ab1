// All that the page says, in the languages that it knows.

const someTasks = (n: number) => (n === 1 ? "1 task" : `${n} tasks`);
const mancheAufgaben = (n: number) => (n === 1 ? "1 Aufgabe" : `${n} Aufgaben`);

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
  repeatings: { never: "Never", daily: "Every day", weekdays: "Every weekday (Monday to Friday)", weekly: "Every week", monthly: "Every month", yearly: "Every year", other: "Another rule …" },
  undo: "Undo", redo: "Redo", close: "Close", undone: "Undone.", redone: "Done again.",
  added: (title: string, understood: string[]) => `Added: ${title}` + (understood.length ? ` (${understood.join(", ")})` : ""), saved: "Saved.", deleted: (title: string) => `Deleted: ${title}`, restored: (title: string) => `Restored: ${title}`,
  done: (title: string) => `Completed: ${title}`, reopened: (title: string) => `Open again: ${title}`, moved: (title: string) => `Moved: ${title}`,
  listMade: (name: string) => `Made the list ${name}`, listRenamed: (name: string) => `Renamed to ${name}`,
  historyOf: (title: string) => `History of ${title}`, before: "before", after: "after", by: (who: string, when: string) => `${who}, ${when}`,
  undoThis: "Undo this", noHistory: "Nothing is recorded yet.", more: "Show more", shortened: "shortened", someone: "somebody",
  actions: {
    "task.created": "Created", "task.updated": "Changed", "task.completed": "Completed", "task.deleted": "Deleted", "task.restored": "Restored", "task.moved": "Moved", "task.purged": "Deleted for good",
    "comment.created": "Commented", "comment.updated": "Changed a comment", "comment.deleted": "Deleted a comment",
  } as Record<string, string>,
  fields: {
    title: "Title", description: "Description", is_complete: "Done", priority: "Priority", tags: "Tags", due_at: "Due", all_day: "All day", timezone: "Time zone",
    reminders: "Reminders", recurrence: "Repeat", list_id: "List", position: "Place", assignee_id: "Assignee", parent_id: "Part of", completed_at: "Done at",
    occurrence: "Occurrence", series_id: "Series", text: "Text",
  } as Record<string, string>,
  yes: "yes", no: "no", nothing: "nothing",
  restore: "Restore", trashedWith: (n: number) => (n === 1 ? "with 1 task" : `with ${n} tasks`), deletedAt: (when: string) => `Deleted ${when}`,
  dayAndTime: (day: string, time: string) => `${day}, ${time}`,
  keyTable: {
    "j / k": "Next or previous task", x: "Complete or reopen the task", "e / Enter": "Edit the task", h: "History of the task", "#": "Delete the task",
    "Alt+↑ / Alt+↓": "Move the task, or in the menu the list, up or down", n: "New task", u: "Undo the last change", "g t / g u / g i / g a": "Go to Today, Upcoming, Inbox, what is assigned to you", "/": "Search",
    "Home / End": "First or last task", "← / →": "Fold or unfold subtasks", "> / <": "Make it part of the task above, or a task of its own",
    v: "Select the task", "J / K": "Select the next or previous one too", "*": "Select all", m: "Change or move what is selected", Esc: "End the selection", "?": "This list",
  } as Record<string, string>,
  singleKeys: "Shortcuts of a single key are on",
  failed: "That did not work.", noAnswer: "The server does not answer. Nothing has been changed; try again.",
  changedSince: (fields: string) => `It has been changed since (${fields}): not undone.`,
  // What is said better than by the server; in German all of it is (german.ts).
  problems: { "last-occurrence": "It is the last one of its rule: complete it, or delete it." } as Record<string, string>,

  // Offline.
  waits: "waiting", waiting: (n: number) => (n === 1 ? "1 change is waiting." : `${n} changes are waiting.`), willBeSent: (title: string) => `Will be saved when the server is there: ${title}`,
  twoTexts: "Changed by two", changedByTwo: (field: string) => `Somebody else has changed this meanwhile: ${field}.`, yours: "Your text", theirs: "The other text", useYours: "Use your text", keepTheirs: "Keep the other text",
  decide: (n: number) => (n === 1 ? "1 change needs you" : `${n} changes need you`), decisions: "Changes that need you", discardIt: "Discard", tryAgain: "Try again",
  refused: (deed: string, why: string) => `${deed}: not saved. ${why}`,
  deeds: { add: "New task", edit: "Edit", complete: "Complete or reopen", move: "Move", delete: "Delete", restore: "Restore" },
  newPage: "There is a new version of this page.", notLoaded: "This part can not be shown: the server is away, or has a new version of the page.", reload: "Reload",
  signOutWaiting: (n: number) => `Not saved yet: ${n === 1 ? "1 change" : `${n} changes`}. Sign out and throw that away?`,

  // Recurrence, reminders and subtasks.
  everyN: { daily: (n: number) => `Every ${n} days`, weekly: (n: number) => `Every ${n} weeks`, monthly: (n: number) => `Every ${n} months`, yearly: (n: number) => `Every ${n} years` },
  onDays: (days: string) => ` on ${days}`, onDay: (n: number) => ` on day ${n}`, onLastDay: " on the last day", onNth: (nth: string, day: string) => ` on the ${nth} ${day}`,
  afterDone: ", counted from when it was done", timesInAll: (n: number) => (n === 1 ? ", once in all" : `, ${n} times in all`), untilDay: (day: string) => `, until ${day}`,
  nths: ["first", "second", "third", "fourth", "fifth", "last"], which: "Which", weekday: "Day of the week", daysOfWeek: "On these days (none: that of the due date)",
  dateInMonth: "Date in the month", dayOfMonth: "Day of the month", monthOn: { due: "That of the due date", day: "A day of the month", last: "The last day", nth: "A day of a week" },
  intervals: { daily: "Interval in days", weekly: "Interval in weeks", monthly: "Interval in months", yearly: "Interval in years" },
  ends: "Ends", endings: { never: "Never", count: "After some times", until: "On a date" }, howOften: "How many times in all", lastDay: "Last day",
  specialCases: "Special cases", needsDue: "Repeating needs a due date.", nextDates: "Next dates", noDates: "None: this one is the last.",
  policies: {
    basis: { label: "Counted from", due: "The due date", completion: "When it was done" },
    missed: { label: "When it is done late", collapse: "On with the first date that lies ahead", all: "One missed date after the other" },
    month_end: { label: "When the month lacks the day", clamp: "Its last day", skip: "No date in that month" },
    dst_gap: { label: "When the clocks jump over the time", forward: "Later by as much", skip: "No date on that day" },
  },
  notes: {
    "moved past a DST gap": "the clocks jump over the time that day: it is later by as much", "moved past a day that does not exist in the zone": "that day does not exist in the time zone",
    "the first of two such times that day": "the clocks show the time twice that day: it is the first", "clamped to the month's last day": "the month's last day, as it lacks the other",
  } as Record<string, string>,
  leftOut: "none in between: the date or the time is not there", clocksChange: "the clocks were changed, the time of day stays",
  countsFrom: (day: string) => `Counted from ${day}.`, ifDoneInTime: "If each is done when it is due.",
  timezone: "Time zone", scope: "The new date is for", thisOne: "This one alone", thisAndFollowing: "This one and all that follow",
  assignee: "Assigned to", nobody: "Nobody", isDone: "Done",
  skipThis: "Skip this date", skipped: (title: string, next: string) => `Skipped: ${title}. Next: ${next}`, seriesHint: "Title, tags, priority and reminders are those of the next ones, too. Without a rule this one is the last.",
  deleteSeries: "Delete, and end the series", deferDay: "A day later", deferWeek: "A week later",
  reminders: "Reminders", remindMe: "Remind me", remindWays: { due: "When it is due", minute: "Minutes before", hour: "Hours before", day: "Days before", week: "Weeks before", at: "At a date and time" },
  number: "How many", remindDay: "Date of the reminder", remindTime: "Time of the reminder", addReminder: "Add the reminder", removeReminder: (what: string) => `Remove the reminder: ${what}`,
  atDueTime: "When it is due", beforeDue: (span: string) => `${span} before`, past: "past", rests: "rests, there is no due date", othersReminders: (n: number) => (n === 1 ? "And 1 of somebody else." : `And ${n} of others.`),
  subtasks: "Subtasks", addSubtask: "Add a subtask", subtasksHint: "Alt+↑ and Alt+↓ move one.", partOf: "Part of",

  // Comments and notifications.
  notifications: "Notifications", comments: "Comments", comment: "Comment", noComments: "Nobody has said anything yet.", writeComment: "Write a comment", editComment: "Change your comment", saveComment: "Save the comment",
  markdownHint: "Markdown, such as **bold**, - item, - [ ] to do", commentHint: "Markdown. @ mentions a member of the list.", preview: "Preview", mention: "Members to mention",
  membersOffered: (n: number) => (n === 1 ? "1 member: Enter mentions" : `${n} members: choose with the arrows, Enter mentions`), editedAt: (when: string) => `changed ${when}`,
  commented: "Commented.", commentDeleted: "Deleted the comment.", todoDone: "done", todoOpen: "to do",
  unread: "New", unreadCount: (n: number) => `${n} unread`, noNotifications: "Nothing for you yet.", markRead: "Mark as read", markUnread: "Mark as unread", markAllRead: "Mark all as read",
  reminderOf: (due: string | null) => (due ? `Reminder: due ${due}` : "Reminder"), mentionedBy: (name: string) => `${name} mentioned you in a comment`, commentedBy: (name: string) => `${name} commented on this task of yours`,
  notificationGone: "The task is not there any more.",

  // Quick add.
  understoodParts: "What is understood", understood: (parts: string) => `Understood: ${parts}`, keepAsText: (part: string) => `Keep as text: ${part}`,
  spanKinds: { date: "Due", time: "Due", recurrence: "Repeats", list: "List", tag: "Tag", priority: "Priority", reminder: "Reminder" },

  // Settings and ways to sign in.
  settings: "Settings", zone: "Time zone", 
  
  
  
  kept: "I have kept it",
  copy: "Copy", copied: "Copied.",
  noPasskey: "The browser has used no passkey.", noPasskeysHere: "Passkeys do not work at this address.", 
  remove: "Remove", removeSure: (what: string) => `Remove ${what}?`,
  
  until: "Valid until", 
  
  erasedAt: (when: string) => `Your account is deleted for good ${when}.`, keepAccount: "Keep the account", accountKept: "The account stays.",
  code: "Code", codeHint: "As your application shows it, or a recovery code.", anotherWay: "Back",
  signInByPasskey: "Sign in with a passkey", signInAt: (name: string) => `Sign in with ${name}`,
  signInAgain: "Sign in again", signInAgainLead: "What you ask for matters much, and your last sign-in is some time ago. It is done as soon as you have signed in again; if you do that elsewhere, ask for it once more then.",
  cameBack: {
    "link-first": "There is no account here for you at this provider. If you have one, sign in with your password and link the provider in the settings.", "identity-taken": "Your account at this provider is linked to another account here.",
    "provider-refused": "The provider has not signed you in.", "sign-in-not-begun": "That took too long, or was begun in another browser. Please try again.",
    "registration-closed": "Not everybody can get an account here.", "account-blocked": "The account is blocked.", "sign-in-again": "That took too long. Please try again.", "too-many-attempts": "There were too many attempts. Please try again later.", "limit-reached": "There cannot be more of them.", unavailable: "The provider does not answer. Please try again later.",
  } as Record<string, string>,

  // Members and invitations.
  members: "Members", membersOf: (list: string) => `Members of ${list}`, you: "you", invited: "invited", role: "Role", roleOf: (who: string) => `Role of ${who}`,
  roles: { viewer: "Viewer", editor: "Editor", owner: "Owner" },
  roleHints: { viewer: "Reads the list.", editor: "Also changes its tasks.", owner: "Also changes the list and its members." },
  inviteAddress: "Invite by e-mail address", invite: "Invite", takeBack: "Take back", leave: "Leave", leaveSure: (list: string) => `Leave ${list}? Only an owner can bring you back.`, left: (list: string) => `You have left ${list}`,
  invitations: "Invitations", invitesYou: (who: string, list: string, role: string) => `${who} invites you to ${list} (${role})`, accept: "Accept", decline: "Decline", joined: (list: string) => `You are in ${list} now`,
  listSettings: "List settings", hasColor: "Has a color", color: "Color", group: "Group", groupHint: "Under what you keep the list. Only you see it.", archive: "Archived: put away for all its members", archived: "archived", archivedLists: (n: number) => `Archived (${n})`,

  // Search and selection.
  search: "Search", assigned: "Assigned to me",
  searching: {
    text: "Words in the title or description", any: "Any", tag: "Tag", due: "Due", me: "Me", nobody: "Nobody", state: "State", open: "Open", done: "Completed",
    dues: { overdue: "Overdue", today: "Today", week: "In the next seven days", none: "Without a date" },
    name: "Name of this search", save: "Keep the search", saved: "Searches", forget: (name: string) => `Forget the search “${name}”`,
    how: "Type a word, or choose something above.", found: someTasks,
  },
  select: {
    select: "Select", one: (title: string) => `Select: ${title}`, selection: "Selection", count: (n: number) => `${n} selected`, all: "Select all", end: "End the selection", busy: "Working …",
    complete: "Complete", reopen: "Reopen", change: "Change or move …", changeOne: (title: string) => `Change ${title}`, changeAll: (n: number) => `Change ${someTasks(n)}`, asItIs: "As it is",
    dues: { keep: "As it is", none: "Without a date", today: "Today", tomorrow: "Tomorrow", week: "In a week", on: "On a day …" }, day: "Day", addTags: "Add tags", dropTags: "Take away tags",
    completed: (n: number) => `Completed ${someTasks(n)}.`, reopened: (n: number) => `Opened ${someTasks(n)} again.`, deleted: (n: number) => `Deleted ${someTasks(n)}.`, moved: (n: number) => `Moved ${someTasks(n)}.`, changed: (n: number) => `Changed ${someTasks(n)}.`,
    notDone: (n: number, titles: string[], why: string) => `Not ${n}: ${titles.join(", ")}${n > titles.length ? " …" : ""} (${why})`,
    indent: "Make it part of the one above", outdent: "Make it a task of its own", subtasks: (title: string, n: number) => `Subtasks of ${title}: ${n}`,
    groupBy: "Group by", groupings: { nothing: "Nothing: your order", due: "Due date", priority: "Priority" }, neverDue: "Without a date", noPriority: "Without a priority", nothingAssigned: "Nothing is assigned to you.",
  },

  // The operator's corner.
  operator: "Operator", state: "How far each topic is", never: "nothing yet",
  
  
  
  
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
  repeatings: { never: "Nie", daily: "Jeden Tag", weekdays: "Jeden Werktag (Montag bis Freitag)", weekly: "Jede Woche", monthly: "Jeden Monat", yearly: "Jedes Jahr", other: "Andere Regel …" },
  undo: "Rückgängig", redo: "Wiederherstellen", close: "Schließen", undone: "Rückgängig gemacht.", redone: "Wiederhergestellt.",
  added: (title, understood) => `Angelegt: ${title}` + (understood.length ? ` (${understood.join(", ")})` : ""), saved: "Gespeichert.", deleted: (title) => `Gelöscht: ${title}`, restored: (title) => `Zurückgeholt: ${title}`,
  done: (title) => `Erledigt: ${title}`, reopened: (title) => `Wieder offen: ${title}`, moved: (title) => `Verschoben: ${title}`,
  listMade: (name) => `Liste ${name} angelegt`, listRenamed: (name) => `Umbenannt in ${name}`,
  historyOf: (title) => `Verlauf von ${title}`, before: "vorher", after: "nachher", by: (who, when) => `${who}, ${when}`,
  undoThis: "Dies rückgängig machen", noHistory: "Noch ist nichts verzeichnet.", more: "Mehr zeigen", shortened: "gekürzt", someone: "jemand",
  actions: {
    "task.created": "Angelegt", "task.updated": "Geändert", "task.completed": "Erledigt", "task.deleted": "Gelöscht", "task.restored": "Zurückgeholt", "task.moved": "Verschoben", "task.purged": "Endgültig gelöscht",
    "comment.created": "Kommentiert", "comment.updated": "Kommentar geändert", "comment.deleted": "Kommentar gelöscht",
  },
  fields: {
    title: "Titel", description: "Beschreibung", is_complete: "Erledigt", priority: "Priorität", tags: "Schlagwörter", due_at: "Fällig", all_day: "Ganztägig", timezone: "Zeitzone",
    reminders: "Erinnerungen", recurrence: "Wiederholen", list_id: "Liste", position: "Platz", assignee_id: "Zuständig", parent_id: "Teil von", completed_at: "Erledigt am",
    occurrence: "Termin", series_id: "Serie", text: "Text",
  },
  yes: "ja", no: "nein", nothing: "nichts",
  restore: "Zurückholen", trashedWith: (n) => (n === 1 ? "mit 1 Aufgabe" : `mit ${n} Aufgaben`), deletedAt: (when) => `Gelöscht ${when}`,
  dayAndTime: (day, time) => `${day}, ${time}`,
  keyTable: {
    "j / k": "Nächste oder vorige Aufgabe", x: "Aufgabe erledigen oder wieder öffnen", "e / Enter": "Aufgabe bearbeiten", h: "Verlauf der Aufgabe", "#": "Aufgabe löschen",
    "Alt+↑ / Alt+↓": "Die Aufgabe, oder im Menü die Liste, nach oben oder unten", n: "Neue Aufgabe", u: "Letzte Änderung rückgängig machen", "g t / g u / g i / g a": "Zu Heute, Demnächst, Eingang, mir Zugewiesenem", "/": "Suche",
    "Home / End": "Erste oder letzte Aufgabe", "← / →": "Teilaufgaben ein- oder ausklappen", "> / <": "Zum Teil der Aufgabe darüber machen, oder zu einer eigenen",
    v: "Aufgabe auswählen", "J / K": "Auch die nächste oder vorige auswählen", "*": "Alle auswählen", m: "Ausgewähltes ändern oder verschieben", Esc: "Auswahl beenden", "?": "Diese Liste",
  },
  singleKeys: "Kürzel mit einer einzigen Taste sind an",
  failed: "Das ging nicht.", noAnswer: "Der Server antwortet nicht. Nichts wurde geändert; bitte noch einmal versuchen.",
  changedSince: (fields) => `Inzwischen geändert (${fields}): nicht rückgängig gemacht.`,
  problems: {},

  // Offline.
  waits: "wartet", waiting: (n) => (n === 1 ? "1 Änderung wartet." : `${n} Änderungen warten.`), willBeSent: (title) => `Wird gespeichert, sobald der Server da ist: ${title}`,
  twoTexts: "Von zweien geändert", changedByTwo: (field) => `Inzwischen hat das auch jemand anderes geändert: ${field}.`, yours: "Dein Text", theirs: "Der andere Text", useYours: "Deinen Text nehmen", keepTheirs: "Den anderen Text behalten",
  decide: (n) => (n === 1 ? "1 Änderung braucht dich" : `${n} Änderungen brauchen dich`), decisions: "Änderungen, die dich brauchen", discardIt: "Verwerfen", tryAgain: "Noch einmal versuchen",
  refused: (deed, why) => `${deed}: nicht gespeichert. ${why}`,
  deeds: { add: "Neue Aufgabe", edit: "Bearbeiten", complete: "Erledigen oder wieder öffnen", move: "Verschieben", delete: "Löschen", restore: "Zurückholen" },
  newPage: "Es gibt eine neue Version dieser Seite.", notLoaded: "Dieser Teil kann nicht gezeigt werden: der Server ist nicht da, oder hat eine neue Version der Seite.", reload: "Neu laden",
  signOutWaiting: (n) => `Noch nicht gespeichert: ${n === 1 ? "1 Änderung" : `${n} Änderungen`}. Abmelden und das verwerfen?`,

  // Recurrence, reminders and subtasks.
  everyN: { daily: (n) => `Alle ${n} Tage`, weekly: (n) => `Alle ${n} Wochen`, monthly: (n) => `Alle ${n} Monate`, yearly: (n) => `Alle ${n} Jahre` },
  onDays: (days) => `: ${days}`, onDay: (n) => ` am ${n}.`, onLastDay: " am letzten Tag", onNth: (nth, day) => ` am ${nth} ${day}`,
  afterDone: ", gezählt vom Erledigen", timesInAll: (n) => `, insgesamt ${n}-mal`, untilDay: (day) => `, bis ${day}`,
  nths: ["ersten", "zweiten", "dritten", "vierten", "fünften", "letzten"], which: "Welcher", weekday: "Wochentag", daysOfWeek: "An diesen Tagen (keiner: der des Datums)",
  dateInMonth: "Tag im Monat", dayOfMonth: "Der wievielte", monthOn: { due: "Der des Datums", day: "Ein bestimmter", last: "Der letzte", nth: "Ein Wochentag" },
  intervals: { daily: "Abstand in Tagen", weekly: "Abstand in Wochen", monthly: "Abstand in Monaten", yearly: "Abstand in Jahren" },
  ends: "Endet", endings: { never: "Nie", count: "Nach einigen Malen", until: "An einem Datum" }, howOften: "Wie oft insgesamt", lastDay: "Letzter Tag",
  specialCases: "Sonderfälle", needsDue: "Zum Wiederholen braucht es ein Datum.", nextDates: "Nächste Termine", noDates: "Keine: dieser ist der letzte.",
  policies: {
    basis: { label: "Gezählt von", due: "Dem Datum, zu dem es fällig ist", completion: "Dem Tag, an dem es erledigt wird" },
    missed: { label: "Wenn es spät erledigt wird", collapse: "Weiter mit dem ersten Termin, der bevorsteht", all: "Ein verpasster Termin nach dem anderen" },
    month_end: { label: "Wenn der Monat den Tag nicht hat", clamp: "Sein letzter Tag", skip: "Kein Termin in dem Monat" },
    dst_gap: { label: "Wenn die Uhren die Zeit überspringen", forward: "Um so viel später", skip: "Kein Termin an dem Tag" },
  },
  notes: {
    "moved past a DST gap": "die Uhren überspringen die Zeit an dem Tag: um so viel später", "moved past a day that does not exist in the zone": "den Tag gibt es in der Zeitzone nicht",
    "the first of two such times that day": "die Uhren zeigen die Zeit an dem Tag zweimal: es ist die erste", "clamped to the month's last day": "der letzte Tag des Monats, der den anderen nicht hat",
  },
  leftOut: "dazwischen keiner: den Tag oder die Zeit gibt es nicht", clocksChange: "die Uhren wurden umgestellt, die Uhrzeit bleibt",
  countsFrom: (day) => `Gezählt von ${day}.`, ifDoneInTime: "Wenn jeder an seinem Tag erledigt wird.",
  timezone: "Zeitzone", scope: "Das neue Datum gilt für", thisOne: "Diesen Termin allein", thisAndFollowing: "Diesen und alle folgenden",
  assignee: "Zuständig", nobody: "Niemand", isDone: "Erledigt",
  skipThis: "Termin auslassen", skipped: (title, next) => `Ausgelassen: ${title}. Nächster Termin: ${next}`, seriesHint: "Titel, Schlagwörter, Priorität und Erinnerungen gelten auch für die nächsten. Ohne Regel ist dieser Termin der letzte.",
  deleteSeries: "Löschen und Serie beenden", deferDay: "Einen Tag später", deferWeek: "Eine Woche später",
  reminders: "Erinnerungen", remindMe: "Erinnere mich", remindWays: { due: "Wenn es fällig ist", minute: "Minuten vorher", hour: "Stunden vorher", day: "Tage vorher", week: "Wochen vorher", at: "An einem Tag zu einer Zeit" },
  number: "Wie viele", remindDay: "Tag der Erinnerung", remindTime: "Uhrzeit der Erinnerung", addReminder: "Erinnerung hinzufügen", removeReminder: (what) => `Erinnerung entfernen: ${what}`,
  atDueTime: "Wenn es fällig ist", beforeDue: (span) => `${span} vorher`, past: "vorbei", rests: "ruht, es gibt kein Datum", othersReminders: (n) => (n === 1 ? "Und 1 von jemand anderem." : `Und ${n} von anderen.`),
  subtasks: "Teilaufgaben", addSubtask: "Teilaufgabe anlegen", subtasksHint: "Alt+↑ und Alt+↓ verschieben.", partOf: "Teil von",

  // Comments and notifications.
  notifications: "Mitteilungen", comments: "Kommentare", comment: "Kommentieren", noComments: "Noch hat niemand etwas gesagt.", writeComment: "Kommentar schreiben", editComment: "Deinen Kommentar ändern", saveComment: "Kommentar speichern",
  markdownHint: "Markdown, etwa **fett**, - Punkt, - [ ] zu tun", commentHint: "Markdown. @ erwähnt ein Mitglied der Liste.", preview: "Vorschau", mention: "Mitglieder zum Erwähnen",
  membersOffered: (n) => (n === 1 ? "1 Mitglied: Eingabe erwähnt" : `${n} Mitglieder: mit den Pfeilen wählen, Eingabe erwähnt`), editedAt: (when) => `geändert ${when}`,
  commented: "Kommentiert.", commentDeleted: "Kommentar gelöscht.", todoDone: "erledigt", todoOpen: "zu tun",
  unread: "Neu", unreadCount: (n) => `${n} ungelesen`, noNotifications: "Noch nichts für dich.", markRead: "Als gelesen markieren", markUnread: "Als ungelesen markieren", markAllRead: "Alle als gelesen markieren",
  reminderOf: (due) => (due ? `Erinnerung: fällig ${due}` : "Erinnerung"), mentionedBy: (name) => `${name} hat dich in einem Kommentar erwähnt`, commentedBy: (name) => `${name} hat diese Aufgabe von dir kommentiert`,
  notificationGone: "Die Aufgabe gibt es nicht mehr.",

  // Quick add.
  understoodParts: "Was verstanden wird", understood: (parts) => `Verstanden: ${parts}`, keepAsText: (part) => `Als Text behalten: ${part}`,
  spanKinds: { date: "Fällig", time: "Fällig", recurrence: "Wiederholt", list: "Liste", tag: "Schlagwort", priority: "Priorität", reminder: "Erinnerung" },

  // Settings and ways to sign in.
  settings: "Einstellungen", zone: "Zeitzone", 
  
  
  
  kept: "Ist aufbewahrt",
  copy: "Kopieren", copied: "Kopiert.",
  noPasskey: "Der Browser hat keinen Passkey verwendet.", noPasskeysHere: "Unter dieser Adresse gehen keine Passkeys.", 
  remove: "Entfernen", removeSure: (what) => `${what} entfernen?`,
  
  until: "Gültig bis", 
  
  erasedAt: (when) => `Dein Konto wird endgültig gelöscht: ${when}.`, keepAccount: "Konto behalten", accountKept: "Das Konto bleibt.",
  code: "Code", codeHint: "Wie ihn deine App zeigt, oder ein Ersatzcode.", anotherWay: "Zurück",
  signInByPasskey: "Mit Passkey anmelden", signInAt: (name) => `Mit ${name} anmelden`,
  signInAgain: "Noch einmal anmelden", signInAgainLead: "Was du willst, wiegt schwer, und deine letzte Anmeldung ist eine Weile her. Es geschieht, sobald du dich noch einmal angemeldet hast; tust du das woanders, dann bitte danach noch einmal.",
  cameBack: {
    "link-first": "Für dich bei diesem Anbieter gibt es hier kein Konto. Wenn du eines hast, melde dich mit dem Passwort an und verknüpfe den Anbieter in den Einstellungen.", "identity-taken": "Dein Konto bei diesem Anbieter ist mit einem anderen Konto hier verknüpft.",
    "provider-refused": "Der Anbieter hat dich nicht angemeldet.", "sign-in-not-begun": "Das hat zu lange gedauert oder wurde in einem anderen Browser begonnen. Bitte noch einmal.",
    "registration-closed": "Hier kann sich nicht jeder ein Konto anlegen.", "account-blocked": "Das Konto ist gesperrt.", "sign-in-again": "Das hat zu lange gedauert. Bitte noch einmal.", "too-many-attempts": "Zu viele Versuche. Bitte später noch einmal.", "limit-reached": "Mehr davon kann es nicht geben.", unavailable: "Der Anbieter antwortet nicht. Bitte später noch einmal.",
  },

  // Members and invitations.
  members: "Mitglieder", membersOf: (list) => `Mitglieder von ${list}`, you: "du", invited: "eingeladen", role: "Rolle", roleOf: (who) => `Rolle von ${who}`,
  roles: { viewer: "Liest", editor: "Bearbeitet", owner: "Besitzt" },
  roleHints: { viewer: "Liest die Liste.", editor: "Ändert auch ihre Aufgaben.", owner: "Ändert auch die Liste und ihre Mitglieder." },
  inviteAddress: "Mit E-Mail-Adresse einladen", invite: "Einladen", takeBack: "Zurücknehmen", leave: "Verlassen", leaveSure: (list) => `${list} verlassen? Nur wem sie gehört, kann dich zurückholen.`, left: (list) => `Du hast ${list} verlassen`,
  invitations: "Einladungen", invitesYou: (who, list, role) => `${who} lädt dich zu ${list} ein (${role})`, accept: "Annehmen", decline: "Ablehnen", joined: (list) => `Du bist jetzt in ${list}`,
  listSettings: "Einstellungen der Liste", hasColor: "Hat eine Farbe", color: "Farbe", group: "Gruppe", groupHint: "Worunter du die Liste führst. Nur du siehst es.", archive: "Archiviert: für alle Mitglieder weggelegt", archived: "archiviert", archivedLists: (n) => `Archiviert (${n})`,

  // Search and selection.
  search: "Suche", assigned: "Mir zugewiesen",
  searching: {
    text: "Wörter in Titel oder Beschreibung", any: "Beliebig", tag: "Schlagwort", due: "Fällig", me: "Ich", nobody: "Niemand", state: "Stand", open: "Offen", done: "Erledigt",
    dues: { overdue: "Überfällig", today: "Heute", week: "In den nächsten sieben Tagen", none: "Ohne Datum" },
    name: "Name dieser Suche", save: "Suche behalten", saved: "Suchen", forget: (name) => `Suche „${name}“ vergessen`,
    how: "Tippe ein Wort, oder wähle oben etwas aus.", found: mancheAufgaben,
  },
  select: {
    select: "Auswählen", one: (title) => `Auswählen: ${title}`, selection: "Auswahl", count: (n) => `${n} ausgewählt`, all: "Alle auswählen", end: "Auswahl beenden", busy: "In Arbeit …",
    complete: "Erledigen", reopen: "Wieder öffnen", change: "Ändern oder verschieben …", changeOne: (title) => `${title} ändern`, changeAll: (n) => `${mancheAufgaben(n)} ändern`, asItIs: "Wie es ist",
    dues: { keep: "Wie es ist", none: "Ohne Datum", today: "Heute", tomorrow: "Morgen", week: "In einer Woche", on: "An einem Tag …" }, day: "Tag", addTags: "Schlagwörter dazu", dropTags: "Schlagwörter weg",
    completed: (n) => `${mancheAufgaben(n)} erledigt.`, reopened: (n) => `${mancheAufgaben(n)} wieder geöffnet.`, deleted: (n) => `${mancheAufgaben(n)} gelöscht.`, moved: (n) => `${mancheAufgaben(n)} verschoben.`, changed: (n) => `${mancheAufgaben(n)} geändert.`,
    notDone: (n, titles, why) => `${n} nicht: ${titles.join(", ")}${n > titles.length ? " …" : ""} (${why})`,
    indent: "Zum Teil der darüber machen", outdent: "Zu einer eigenen Aufgabe machen", subtasks: (title, n) => `Teilaufgaben von ${title}: ${n}`,
    groupBy: "Gruppieren", groupings: { nothing: "Gar nicht: deine Reihenfolge", due: "Nach Fälligkeit", priority: "Nach Priorität" }, neverDue: "Ohne Datum", noPriority: "Ohne Priorität", nothingAssigned: "Dir ist nichts zugewiesen.",
  },

  // The operator's corner.
  operator: "Betrieb", state: "Wie weit jedes Topic ist", never: "noch nichts",
  
  
  
  
};

// LANGUAGE is that of this page: the build makes one for each, and the server chooses by what
// the browser asks for.
declare const LANGUAGE: "en" | "de";
export const t: Texts = LANGUAGE === "de" ? de : en;
// Dates are written as the browser would have them, where that is the same language.
export const locale = navigator.languages.find((l) => l.slice(0, 2).toLowerCase() === LANGUAGE) ?? LANGUAGE;
document.documentElement.lang = locale;
