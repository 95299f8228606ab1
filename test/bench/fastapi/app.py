"""A task API as it is commonly written in Python: FastAPI, SQLModel on asyncpg, a JWT as Bearer token or cookie, and
an event that is posted to a Dapr sidecar without waiting. If that fails, the event is lost.

    python app.py                   makes its table
    uvicorn app:app --workers 2     serves POST /api/tasks

DATABASE_URL=postgresql+asyncpg://…, SECRET is that of the tokens (HS256), DAPR_HTTP_PORT is the sidecar's.
"""

import asyncio
import os
import uuid
from datetime import datetime, timezone
from typing import Optional

import httpx
import jwt
from fastapi import Depends, FastAPI, HTTPException, Request
from sqlalchemy import DateTime
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlmodel import Field, SQLModel

SECRET = os.environ["SECRET"]
PUBLISH = f"http://127.0.0.1:{os.environ.get('DAPR_HTTP_PORT', '3500')}/v1.0/publish/pubsub/task-events"

engine = create_async_engine(os.environ["DATABASE_URL"], pool_size=16)
new_session = async_sessionmaker(engine, expire_on_commit=False)
sidecar = httpx.AsyncClient(timeout=5)
app = FastAPI()


class Task(SQLModel, table=True):
    id: uuid.UUID = Field(default_factory=uuid.uuid4, primary_key=True)
    user_id: str = Field(index=True)
    title: str
    description: Optional[str] = None
    priority: str = "none"
    is_complete: bool = False
    created_at: datetime = Field(default_factory=lambda: datetime.now(timezone.utc), sa_type=DateTime(timezone=True))


class TaskInput(SQLModel):
    title: str
    description: Optional[str] = None
    priority: str = "none"


def current_user(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        token = request.cookies.get("auth_token", "")
    try:
        return jwt.decode(token, SECRET, algorithms=["HS256"])["sub"]
    except jwt.InvalidTokenError:
        raise HTTPException(401)


async def session():
    async with new_session() as s:
        yield s


async def publish(event):
    try:
        await sidecar.post(PUBLISH, json=event)
    except httpx.HTTPError:
        pass  # lost


@app.post("/api/tasks", status_code=201)
async def create(body: TaskInput, user: str = Depends(current_user), s=Depends(session)) -> Task:
    task = Task(user_id=user, **body.model_dump())
    s.add(task)
    await s.commit()
    asyncio.create_task(publish({
        "event_type": "task.created", "task_id": str(task.id), "task_data": task.model_dump(mode="json"), "user_id": user,
        "timestamp": datetime.now(timezone.utc).isoformat(), "metadata": {},
    }))
    return task


async def make_table():
    async with engine.begin() as connection:
        await connection.run_sync(SQLModel.metadata.create_all)


if __name__ == "__main__":
    asyncio.run(make_table())
