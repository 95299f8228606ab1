// Made of /openapi.json: go test ./web/build -run '^TestTypes$' -update

export interface APIToken {
  created_at: string;
  expires_at: string;
  id: string;
  last_used_at: string | null;
  list_ids: string[] | null;
  name: string;
  scopes: string[];
}

export interface Actor {
  email: string;
  user_id: string;
}

export interface AuditEntry {
  action: string;
  actor: Actor;
  after: Record<string, unknown> | null;
  at: string;
  before: Record<string, unknown> | null;
  changed: string[];
  erased: boolean;
  id: string;
  ip: string;
  list_id: string | null;
  request_id: string;
  target: string;
  task_id: string | null;
  trace_id: string;
  truncated: string[];
  user_agent: string;
}

export interface AuditPage {
  items: AuditEntry[];
  next_cursor: string | null;
}

export interface Author {
  name: string;
  user_id: string;
}

export interface BulkInput {
  atomic?: boolean | null;
  operations: BulkOperation[];
}

export interface BulkOperation {
  body?: Record<string, unknown> | null;
  id?: string | null;
  if_match?: string | null;
  op: "create" | "update" | "complete" | "move" | "delete";
}

export interface BulkOutput {
  results: BulkResult[];
}

export interface BulkResult {
  problem?: Problem | null;
  status: number;
  task?: Task | null;
}

export interface Comment {
  author: Author;
  created_at: string;
  edited_at: string | null;
  id: string;
  task_id: string;
  text: string;
}

export interface CommentPage {
  items: Comment[];
  next_cursor: string | null;
}

export interface ConsumerState {
  available: boolean;
  dead_letters: number;
  service: "audit-log" | "recurring-task" | "notification";
  topics: HandledState[];
}

export interface CreatedToken {
  created_at: string;
  expires_at: string;
  id: string;
  last_used_at: string | null;
  list_ids: string[] | null;
  name: string;
  scopes: string[];
  token: string;
}

export interface Credentials {
  code?: string | null;
  email: string;
  password: string;
}

export interface DeadLetter {
  id: number;
  reason: string;
  received_at: string;
  replays: number;
  size: number;
  topic: string;
  type: string;
}

export interface DeadLetters {
  items: DeadLetter[];
  next_cursor: string | null;
}

export interface FeedChange {
  data?: unknown;
  id: string;
  kind: "task" | "list" | "member" | "comment";
  list_id: string;
  op: "put" | "gone" | "reset";
  version?: number;
}

export interface FeedPage {
  changes: FeedChange[];
  more: boolean;
  next: string;
}

export interface FeedState {
  waits_since: string | null;
}

export interface FieldError {
  location: string;
  message: string;
}

export interface Finding {
  check: string;
  dead_letters: number;
  in_flight: number;
  looked: number;
  missing: number;
}

export interface HandledState {
  behind_seconds: number;
  handled_up_to: string | null;
  topic: string;
}

export interface Identity {
  created_at: string;
  email: string;
  id: string;
  issuer: string;
}

export interface IdentityList {
  items: Identity[];
}

export interface Invitation {
  created_at: string;
  email: string;
  id: string;
  invited_by: Inviter;
  list_id: string;
  list_name: string;
  role: "viewer" | "editor" | "owner";
  state: "invited";
}

export interface InvitationInput {
  email: string;
  role: "viewer" | "editor" | "owner";
}

export interface InvitationPage {
  items: Invitation[];
  next_cursor: string | null;
}

export interface Inviter {
  email: string;
  name: string;
  user_id: string;
}

export interface List {
  color: string | null;
  created_at: string;
  group: string | null;
  id: string;
  is_archived: boolean;
  is_inbox: boolean;
  members: Member[];
  name: string;
  open_tasks: number;
  position: number;
  role: "viewer" | "editor" | "owner";
  updated_at: string;
  version: number;
}

export interface ListInput {
  color?: string | null;
  group?: string | null;
  name: string;
}

export interface ListMove {
  after?: string | null;
  before?: string | null;
}

export interface ListPatch {
  color?: string | null;
  group?: string | null;
  is_archived?: boolean;
  name?: string;
}

export interface Member {
  email: string;
  invitation_id: string | null;
  name: string;
  role: "viewer" | "editor" | "owner";
  state: "active" | "invited";
  user_id: string | null;
}

export interface Notification {
  author?: Author | null;
  comment_id: string | null;
  created_at: string;
  delivered_at: string;
  due_at: string | null;
  id: string;
  kind: "reminder" | "comment";
  late_ms: number;
  mentioned: boolean;
  read_at: string | null;
  remind_at: string | null;
  reminder_id: string | null;
  task_id: string;
  title: string;
}

export interface NotificationPage {
  items: Notification[];
  next_cursor: string | null;
  unread: number;
}

export interface OperatorState {
  consumers: ConsumerState[];
  feed: FeedState;
  reconcile: Reconciled;
  topics: TopicState[];
}

export interface Passkey {
  backed_up: boolean;
  created_at: string;
  id: string;
  last_used_at: string | null;
  name: string;
}

export interface PasskeyList {
  items: Passkey[];
}

export interface PasskeyOptions {
  publicKey: Record<string, unknown>;
}

export interface PasswordChange {
  current: string;
  new: string;
}

export interface Preview {
  occurrences: PreviewedOccurrence[];
}

export interface PreviewInput {
  all_day?: boolean | null;
  anchor?: string | null;
  basis?: "due" | "completion" | null;
  count?: number | null;
  dst_gap?: "forward" | "skip" | null;
  due_at: string;
  missed?: "collapse" | "all" | null;
  month_end?: "clamp" | "skip" | null;
  occurrence?: string | null;
  ordinal?: number | null;
  rrule: string;
  scope?: "this" | "following" | null;
  timezone: string;
}

export interface PreviewedOccurrence {
  due_at: string;
  note: string;
  occurrence: string;
}

export interface Problem {
  detail?: string;
  errors?: FieldError[];
  index?: number;
  request_id?: string;
  snapshot?: string;
  status: number;
  title: string;
  type: string;
}

export interface ProfilePatch {
  email?: string | null;
  name?: string | null;
  timezone?: string | null;
}

export interface Provider {
  id: string;
  name: string;
  url: string;
}

export interface ProviderList {
  items: Provider[];
}

export interface QuickAddInput {
  captured_at?: string | null;
  dry_run?: boolean | null;
  due_on?: string | null;
  id?: string | null;
  list_id?: string | null;
  text: string;
  timezone?: string | null;
}

export interface QuickAddPreview {
  spans: QuickAddSpan[];
  task: UnderstoodTask;
}

export interface QuickAddSpan {
  end: number;
  kind: "date" | "time" | "recurrence" | "list" | "tag" | "priority" | "reminder";
  start: number;
  text: string;
  value: string;
}

export interface QuickAdded {
  spans: QuickAddSpan[];
  task: Task;
}

export interface Reconciled {
  checks: Finding[];
  ended_at: string;
  gaps: number;
}

export interface RecoveryCodes {
  recovery_codes: string[];
}

export interface Recurrence {
  anchor: string;
  basis: "due" | "completion";
  dst_gap: "forward" | "skip";
  missed: "collapse" | "all";
  month_end: "clamp" | "skip";
  ordinal?: number;
  rrule: string;
}

export interface RecurrenceInput {
  anchor?: string | null;
  basis?: "due" | "completion" | null;
  dst_gap?: "forward" | "skip" | null;
  missed?: "collapse" | "all" | null;
  month_end?: "clamp" | "skip" | null;
  ordinal?: number | null;
  rrule: string;
}

export interface RecurrencePatch {
  anchor?: string | null;
  basis?: "due" | "completion" | null;
  dst_gap?: "forward" | "skip" | null;
  missed?: "collapse" | "all" | null;
  month_end?: "clamp" | "skip" | null;
  ordinal?: number | null;
  rrule?: string | null;
}

export interface Registration {
  email: string;
  name?: string | null;
  password: string;
  timezone?: string | null;
}

export interface Reminder {
  at?: string;
  before_due?: string;
  id: string;
  user_id: string;
}

export interface ReminderInput {
  at?: string | null;
  before_due?: string | null;
  id?: string | null;
  user_id?: string | null;
}

export interface SecondFactor {
  enabled: boolean;
  recovery_codes_left: number;
}

export interface Session {
  created_at: string;
  current: boolean;
  device: string;
  id: string;
  ip: string;
  last_seen_at: string;
}

export interface SessionList {
  items: Session[];
}

export interface Settled {
  outcome: "replayed" | "discarded" | "failed" | "resolved";
  reason: string;
}

export interface SignedIn {
  expires_at: string;
  token: string;
  user: User;
}

export interface TOTP {
  secret: string;
  url: string;
}

export interface Task {
  all_day: boolean;
  assignee_id: string | null;
  completed_at: string | null;
  created_at: string;
  description: string;
  due_at: string | null;
  id: string;
  is_complete: boolean;
  list_id: string;
  occurrence: string | null;
  parent_id: string | null;
  position: number;
  priority: "none" | "low" | "medium" | "high" | "urgent";
  recurrence: Recurrence | null;
  reminders: Reminder[];
  series_id: string | null;
  tags: string[];
  timezone: string;
  title: string;
  updated_at: string;
  user_id: string;
  version: number;
}

export interface TaskInput {
  all_day?: boolean | null;
  assignee_id?: string | null;
  description?: string | null;
  due_at?: string | null;
  is_complete?: boolean | null;
  list_id?: string | null;
  parent_id?: string | null;
  priority?: "none" | "low" | "medium" | "high" | "urgent" | null;
  recurrence?: RecurrenceInput | null;
  reminders?: ReminderInput[] | null;
  tags?: string[] | null;
  timezone?: string | null;
  title: string;
}

export interface TaskMove {
  after?: string | null;
  before?: string | null;
  list_id?: string | null;
  parent_id?: string | null;
}

export interface TaskPatch {
  all_day?: boolean | null;
  assignee_id?: string | null;
  description?: string | null;
  due_at?: string | null;
  is_complete?: boolean | null;
  list_id?: string;
  parent_id?: string | null;
  priority?: "none" | "low" | "medium" | "high" | "urgent" | null;
  recurrence?: RecurrencePatch | null;
  reminders?: ReminderInput[] | null;
  tags?: string[] | null;
  timezone?: string | null;
  title?: string;
}

export interface ToBeErased {
  erase_at: string;
}

export interface TokenInput {
  expires_at?: string | null;
  list_ids?: string[] | null;
  name: string;
  scopes: ("tasks:read" | "tasks:write" | "lists:read" | "lists:write" | "audit:read" | "notifications" | "account:read" | "webhooks" | "caldav")[];
}

export interface TokenPage {
  items: APIToken[];
  next_cursor: string | null;
}

export interface TopicState {
  newest_published_at: string | null;
  oldest_unpublished_at: string | null;
  topic: string;
  unpublished: number;
}

export interface TrashPage {
  items: Trashed[];
  next_cursor: string | null;
}

export interface Trashed {
  deleted_at: string;
  deleted_by: string;
  id: string;
  kind: "task" | "list";
  list_id: string;
  tasks: number;
  title: string;
}

export interface UnderstoodRecurrence {
  basis: "due" | "completion";
  rrule: string;
}

export interface UnderstoodReminder {
  before_due: string;
}

export interface UnderstoodTask {
  all_day?: boolean;
  due_at?: string;
  list_id?: string;
  priority?: "low" | "medium" | "high" | "urgent";
  recurrence?: UnderstoodRecurrence | null;
  reminders?: UnderstoodReminder[];
  tags?: string[];
  timezone: string;
  title: string;
}

export interface Undone {
  changed: string[];
  request_id: string;
  undoes: string;
}

export interface User {
  created_at: string;
  email: string;
  erase_at: string | null;
  id: string;
  is_operator: boolean;
  name: string;
  timezone: string;
  updated_at: string;
  verified: boolean;
}
