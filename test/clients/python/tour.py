"""The README's tour, by the client that openapi-python-client makes."""

import datetime
import os
import time

from client import AuthenticatedClient, Client
from client.api.accounts import register
from client.api.audit import task_history
from client.api.notifications import list_notifications
from client.api.recurrence import list_occurrences
from client.api.tasks import complete_task, create_task, list_tasks, update_task
from client.models import (
    ListTasksIsComplete,
    OccurrenceStatus,
    Problem,
    RecurrenceInput,
    Registration,
    ReminderInput,
    Task,
    TaskCompletion,
    TaskInput,
    TaskPatch,
)

BASE = os.environ["API"]


def got(answer):
    """The answer, or the problem as an exception."""
    if answer is None or isinstance(answer, Problem):
        raise RuntimeError(answer)
    return answer


def eventually(what, look):
    """Waits for what follows a change: events take a moment."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.1)
    raise RuntimeError(f"not there: {what}")


email = f"ada-py-{time.time_ns()}@example.org"
signed_in = got(register.sync(
    client=Client(BASE),
    body=Registration(email=email, password="correct horse battery", timezone="Europe/Berlin"),
))
api = AuthenticatedClient(BASE, token=signed_in.token)

task = got(create_task.sync(client=api, body=TaskInput(
    title="Water the orchids",
    due_at=datetime.datetime.fromisoformat("2030-03-30T09:00:00+01:00"),
    recurrence=RecurrenceInput(rrule="FREQ=WEEKLY"),
    reminders=[ReminderInput(at=datetime.datetime.now(datetime.timezone.utc))],
)))
assert isinstance(task, Task) and task.parent_id is None and task.user_id == signed_in.user.id, task

eventually("the notification", lambda: got(list_notifications.sync(client=api)).items)
done = got(complete_task.sync(task.id, client=api, body=TaskCompletion(is_complete=True)))
assert done.completed_at is not None, done

following = eventually("the next occurrence", lambda: got(
    list_tasks.sync(client=api, is_complete=ListTasksIsComplete.FALSE),
).items)[0]
assert following.due_at.isoformat() == "2030-04-06T07:00:00+00:00", following
eventually("the history", lambda: [
    entry for entry in got(task_history.sync(task.id, client=api)).items if entry.action == "task.completed"
])
eventually("the ledger", lambda: [
    o for o in got(list_occurrences.sync(task.id, client=api)).items
    if o.status == OccurrenceStatus.OPEN and o.task_id == following.id
])

stale = update_task.sync(task.id, client=api, body=TaskPatch(title="Late"), if_match='"1"')
assert isinstance(stale, Problem) and stale.type_ == "/problems/task-changed", stale
print("toured")
