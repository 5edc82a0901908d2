"""Passwords: which are too weak, and argon2, of which only so many run at a time."""

import asyncio
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from desk.errors import Invalid
from gateway.rest.problem import Problem

T = TypeVar("T")

SHORTEST: Final = 8
LONGEST: Final = 1000

_MOST_WAITING: Final = 50  # each waits for those before it, and nobody waits for ten seconds

# Of a password that nobody knows: looking at it takes as long as looking at a real one.
_NOBODYS: Final = "$argon2id$v=19$m=65536,t=3,p=4$SFujyHIij2sqMuMwFw9vXw$B9Sq6mlogWKv7byFRdN42Y0TDtafBL1+qdfoJ+QnzSM"


def check(password: str, *, email: str) -> None:
    """Refuse what is guessed first. Length and a list, as NIST SP 800-63B has it; no rules about kinds of characters.

    Raises: Invalid
    """
    if len(password) < SHORTEST:
        raise Invalid("password", f"A password has {SHORTEST} characters or more.")
    plain = password.casefold()
    if plain in _weak() or len(set(plain)) == 1:
        raise Invalid("password", "This password is among the first that anybody would try; choose another one.")
    if plain in (email.casefold(), email.casefold().partition("@")[0]):
        raise Invalid("password", "A password that is the e-mail is guessed first; choose another one.")


@cache
def _weak() -> frozenset[str]:
    """The most used of those that were stolen. `password123` is not among them: an API document signs in with it."""
    return frozenset((files("gateway.auth") / "weak_passwords.txt").read_text("utf-8").split())


class Passwords:
    """Makes and checks hashes, `at_once` at a time: each takes 64 MB and a core. One per process. `nobodys` is what the
    `hasher` has made of a password that nobody knows.
    """

    def __init__(self, at_once: int, hasher: PasswordHasher | None = None, *, nobodys: str = _NOBODYS) -> None:
        self._hasher, self._nobodys = hasher or PasswordHasher(), nobodys
        self._room = asyncio.Semaphore(at_once)
        self._waiting = 0

    async def hash(self, password: str) -> str:
        """Raises: Problem, when too many wait"""
        return await self._in_turn(lambda: self._hasher.hash(password))

    async def is_right(self, password: str, password_hash: str | None) -> bool:
        """Whether it is the one; takes the same time when there is no hash to compare with.

        Raises: Problem, when too many wait
        """
        found = await self._in_turn(lambda: self._verify(password_hash or self._nobodys, password))
        return found and password_hash is not None

    def is_outdated(self, password_hash: str) -> bool:
        """Whether it was made with other settings than today's."""
        return self._hasher.check_needs_rehash(password_hash)

    def _verify(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _in_turn(self, work: Callable[[], T]) -> T:
        if self._waiting >= _MOST_WAITING:
            raise Problem(503, "Many are signing in just now; please try again.", headers={"Retry-After": "5"})
        self._waiting += 1
        try:
            async with self._room:
                return await asyncio.to_thread(work)
        finally:
            self._waiting -= 1
