"""The socket of "Needs you": tells a person's open page that what waits for them has changed, and never what.

Bells of the projects one is in wake it; what the bell means for this person is then looked up, by the same query that
fills the page. A lost bell is made up for within a minute.
"""

import time
from typing import Any

from sessions import live
from sessions.access import Actor, projects
from sessions.consumers import SessionConsumer, still_signed_in
from sessions.db import db
from sessions.people import User
from sessions.queries.inbox import inbox_of

LOOK_SECONDS, CHECK_SECONDS = 60.0, 4.0


def project_rooms(user: User) -> frozenset[str]:
    """Of the projects the person is in."""
    return frozenset(map(live.project_room, projects(Actor(user)).values_list("pk", flat=True)))


def stamp_of(user: User) -> int:
    return inbox_of(Actor(user)).stamp


class InboxConsumer(SessionConsumer):
    """`cursor` is the stamp of what the page shows."""

    async def connect(self) -> None:
        self.user: Any = self.scope["user"]
        if self.user.is_authenticated:
            await self.welcome(live.person_room(self.user.pk), *await db(project_rooms, self.user))
        else:
            await self.close()

    async def _pump(self) -> None:
        looked_at, heard = 0.0, -1
        while True:
            if not await db(still_signed_in, self.scope["session"], self.user):
                return await self._deny()
            if self.mailbox.recheck:
                self.mailbox.recheck, looked_at = False, 0.0
                await self._change_rooms()
            if self.mailbox.seq != heard or time.monotonic() - looked_at > LOOK_SECONDS:
                heard, looked_at = self.mailbox.seq, time.monotonic()
                await self._look()
            await self.mailbox.wait(CHECK_SECONDS)

    async def _look(self) -> None:
        stamp = await db(stamp_of, self.user)
        if stamp != self.cursor:
            self.cursor = stamp
            await self._send({"type": "behind"})

    async def _change_rooms(self) -> None:
        hub, rooms = live.bus.hub(), {live.person_room(self.user.pk), *await db(project_rooms, self.user)}
        for room in self.rooms - rooms:
            hub.leave(room, self.mailbox)
        for room in rooms - self.rooms:
            hub.enter(room, self.mailbox)
        self.rooms = frozenset(rooms)
