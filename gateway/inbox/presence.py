"""Who is where, in all processes together: who is connected, who looks at a conversation, who is typing.

Every process keeps its own people, tells the others of each change, and remembers what they tell. One that has not been
heard of for a while is forgotten with all its people, so a killed process leaves nobody behind.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from gateway.inbox.relay import Relay

BEAT_S: Final = 5.0
_FORGET_S: Final = 20.0  # without a beat


def everybody(tenant_id: int) -> str:
    """The roll of the people of a tenant who are connected."""
    return f"online:{tenant_id}"


def viewers(tenant_id: int, conversation_id: int) -> str:
    """The roll of those who have a conversation open."""
    return f"viewers:{tenant_id}:{conversation_id}"


class Rolls:
    """Lists of people (by our number) under a name. One per process; those without sockets only listen."""

    def __init__(self, relay: Relay, monotonic_s: Callable[[], float]) -> None:
        self._relay = relay
        self._monotonic_s = monotonic_s
        self._own: dict[str, Counter[int]] = {}
        self._others: dict[str, dict[str, frozenset[int]]] = {}  # by process, by name
        self._beat_at_s: dict[str, float] = {}
        self._watchers: list[Callable[[str], None]] = []
        self._beating: asyncio.Task[None] | None = None
        self._stack = contextlib.ExitStack()

    async def start(self) -> None:
        hears: dict[str, Callable[..., None]] = {
            "joined": self._joined,
            "missed": self._ask,
            "hello": self._hello,
            "roll": self._roll,
            "beat": self._beat,
            "bye": self._bye,
        }
        for kind, heard in hears.items():
            self._stack.enter_context(self._relay.hear(kind, heard))
        self._beating = asyncio.create_task(self._keep_beating())

    async def stop(self) -> None:
        self._relay.send("bye", self._relay.host)
        self._stack.close()
        if self._beating is not None:
            self._beating.cancel()
            await asyncio.gather(self._beating, return_exceptions=True)

    def enter(self, name: str, user_id: int) -> None:
        """One more tab of that person."""
        people = self._own.setdefault(name, Counter())
        people[user_id] += 1
        if people[user_id] == 1:
            self._tell(name)

    def leave(self, name: str, user_id: int) -> None:
        """One tab less; whoever has none left is gone."""
        people = self._own.get(name)
        if people is None or user_id not in people:
            return
        people[user_id] -= 1
        if people[user_id] > 0:
            return
        del people[user_id]
        if not people:
            del self._own[name]
        self._tell(name)

    def on(self, name: str) -> frozenset[int]:
        """The people on that roll, each once, whichever process they are connected to."""
        found = frozenset(self._own.get(name, ()))
        for rolls in self._others.values():
            found |= rolls.get(name, frozenset())
        return found

    @contextlib.contextmanager
    def watch(self, changed: Callable[[str], None]) -> Iterator[None]:
        """While the block runs, `changed` is called with the name of every roll that may have changed."""
        self._watchers.append(changed)
        try:
            yield
        finally:
            self._watchers.remove(changed)

    def forget_silent(self) -> None:
        """Processes that have not been heard of for too long are gone, and everybody with them."""
        limit = self._monotonic_s() - _FORGET_S
        for host in [host for host, at_s in self._beat_at_s.items() if at_s < limit]:
            self._bye(host)

    def _tell(self, name: str) -> None:
        self._relay.send("roll", self._relay.host, name, list(self._own.get(name, ())))
        self._changed(name)

    def _changed(self, name: str) -> None:
        for watcher in self._watchers:
            watcher(name)

    async def _keep_beating(self) -> None:
        while True:
            self._relay.send("beat", self._relay.host)
            self.forget_silent()
            await asyncio.sleep(BEAT_S)

    def _joined(self) -> None:
        self._ask()
        self._say_all()

    def _ask(self) -> None:
        self._relay.send("hello", self._relay.host)

    def _hello(self, host: str) -> None:
        self._beat(host)
        self._say_all()

    def _say_all(self) -> None:
        for name, people in self._own.items():
            self._relay.send("roll", self._relay.host, name, list(people))

    def _roll(self, host: str, name: str, people: list[int]) -> None:
        self._beat(host)
        rolls = self._others.setdefault(host, {})
        if people:
            rolls[name] = frozenset(people)
        else:
            rolls.pop(name, None)
        self._changed(name)

    def _bye(self, host: str) -> None:
        self._beat_at_s.pop(host, None)
        for name in self._others.pop(host, {}):
            self._changed(name)

    def _beat(self, host: str) -> None:
        self._beat_at_s[host] = self._monotonic_s()


@dataclass(frozen=True, slots=True)
class Typist:
    """Somebody who types; `uid` is what the outside knows them by, `is_private` says that it is a note."""

    user_id: int
    uid: str
    name: str
    is_private: bool = False


class Typing:
    """Who types in which conversation. It ends by itself when nobody says so again."""

    def __init__(self, lasts_s: float, changed: Callable[[int, Typist, bool], None]) -> None:
        """`changed(conversation_id, who, is_typing)` is called when somebody begins, ends, or turns to a note or from it."""
        self._lasts_s = lasts_s
        self._changed = changed
        self._timers: dict[tuple[int, int], tuple[Typist, asyncio.TimerHandle]] = {}

    def note(self, conversation_id: int, who: Typist, *, is_typing: bool) -> None:
        key = conversation_id, who.user_id
        before = self._timers.pop(key, None)
        if before is not None:
            before[1].cancel()
        if is_typing:
            timer = asyncio.get_running_loop().call_later(self._lasts_s, self._end, key)
            self._timers[key] = who, timer
            if before is None or before[0] != who:
                self._changed(conversation_id, who, True)
        elif before is not None:
            self._changed(conversation_id, before[0], False)

    def of(self, conversation_id: int) -> list[Typist]:
        return [who for (where, _), (who, _) in self._timers.items() if where == conversation_id]

    def stop(self) -> None:
        for _, timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _end(self, key: tuple[int, int]) -> None:
        who, _ = self._timers.pop(key)
        self._changed(key[0], who, False)
