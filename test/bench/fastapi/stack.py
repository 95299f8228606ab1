"""What most would write first: FastAPI and SQLModel on asyncpg. A create is a row, and an event that is
sent to the sidecar afterwards, without a look at what comes of it."""
import asyncio, os, uuid
from datetime import datetime, timezone
from typing import Optional

import httpx, jwt
from fastapi import Depends, FastAPI, HTTPException, Request
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlmodel import Field, SQLModel

SECRET = "a shared secret of at least 32 bytes"
engine = create_async_engine(os.environ["DATABASE_URL"], pool_size=16)
sessions = async_sessionmaker(engine, expire_on_commit=False)
sidecar = httpx.AsyncClient(timeout=5)


class Task(SQLModel, table=True):
    id: uuid.UUID = Field(default_factory=uuid.uuid4, primary_key=True)
    user_id: str = Field(index=True)
    title: str
    description: Optional[str] = None
    priority: str = "none"
    is_complete: bool = False
    created_at: datetime = Field(default_factory=lambda: datetime.now(timezone.utc))


class TaskInput(SQLModel):
    title: str
    description: Optional[str] = None
    priority: str = "none"


app = FastAPI()


def user(request: Request) -> str:
    try:
        return jwt.decode(request.headers["authorization"].removeprefix("Bearer "), SECRET, algorithms=["HS256"])["sub"]
    except Exception:
        raise HTTPException(401)


async def session():
    async with sessions() as s:
        yield s


async def publish(event):
    try:
        await sidecar.post(os.environ["PUBLISH_URL"], json=event)
    except Exception:
        pass  # lost: nobody is told


@app.post("/api/tasks", status_code=201)
async def create(body: TaskInput, uid: str = Depends(user), s: AsyncSession = Depends(session)):
    t = Task(user_id=uid, **body.model_dump())
    s.add(t)
    await s.commit()
    asyncio.create_task(publish({"event_type": "task.created", "task_id": str(t.id), "task_data": t.model_dump(mode="json")}))
    return t


async def tables():
    async with engine.begin() as c:
        await c.run_sync(SQLModel.metadata.create_all)


if __name__ == "__main__":
    asyncio.run(tables())
    print(jwt.encode({"sub": str(uuid.uuid4())}, SECRET, algorithm="HS256"))
