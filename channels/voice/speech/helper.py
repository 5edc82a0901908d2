"""Work that is done in another process: its own interpreter and libraries, so that no call waits for it and no call ends
with it.

Frames of both directions are alike: the length of a JSON object and of the bytes behind it, four bytes each, then both.
Answers come in the order of the questions. A helper ends when nobody holds its other side any more.
"""

import asyncio
import os
import struct
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO, Final

import orjson

from channels.voice.speech.base import SpeechError

_HEAD: Final = struct.Struct("<II")
_LARGEST: Final = 64 * 1024 * 1024
_KEPT: Final = ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")  # of our environment; keys are not told


class Helper:
    """One process that runs `module`, begun when it is first asked and again when it has ended. Whoever made it closes it."""

    def __init__(self, module: str, *, within_s: float) -> None:
        self._module, self._within_s = module, within_s
        self._process: asyncio.subprocess.Process | None = None
        self._asking = asyncio.Lock()  # libraries behind it do one thing at a time
        self._questions: set[asyncio.Task[tuple[dict[str, object], bytes]]] = set()
        self._is_closed = False

    async def ask(self, question: Mapping[str, object], sound: bytes = b"") -> tuple[dict[str, object], bytes]:
        """What it answers, with the bytes behind it. Whoever loses interest leaves the process to others as it was.

        Raises: SpeechError, when it ended, is too slow, or could not do it
        """
        task = asyncio.create_task(self._asked(question, sound), name="helper")
        self._questions.add(task)
        task.add_done_callback(self._done)
        return await asyncio.shield(task)

    async def _asked(self, question: Mapping[str, object], sound: bytes) -> tuple[dict[str, object], bytes]:
        async with self._asking:
            if self._is_closed:
                raise SpeechError("the helper is closed")
            is_whole = False
            try:
                async with asyncio.timeout(self._within_s):
                    answer, more = await self._exchange(question, sound)
                    is_whole = True
            except TimeoutError:
                raise SpeechError("the helper gave no answer in time") from None
            except (OSError, asyncio.IncompleteReadError, ValueError) as broken:
                raise SpeechError(f"the helper ended: {type(broken).__name__}") from None
            finally:
                if not is_whole:  # what it says next would be taken for the answer to another question
                    self._kill()
        if (trouble := answer.get("trouble")) is not None:
            raise SpeechError(str(trouble), is_lasting=bool(answer.get("lasting")))
        return answer, more

    def _done(self, task: "asyncio.Task[tuple[dict[str, object], bytes]]") -> None:
        self._questions.discard(task)
        if not task.cancelled():
            task.exception()  # nobody may be there any more to hear of it

    async def close(self) -> None:
        self._is_closed = True
        ended = [self._kill()]
        await asyncio.gather(*self._questions, return_exceptions=True)
        ended.append(self._kill())  # it may have begun in that very moment
        for process in ended:
            if process is not None:
                await process.wait()

    async def _exchange(self, question: Mapping[str, object], sound: bytes) -> tuple[dict[str, object], bytes]:
        process = self._process
        if process is None or process.returncode is not None:
            process = self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", self._module),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env=_environment(sys.path),
            )
        assert process.stdin is not None  # noqa: S101  both were asked for
        assert process.stdout is not None  # noqa: S101
        process.stdin.write(_framed(question, sound))
        await process.stdin.drain()
        size, behind = _HEAD.unpack(await process.stdout.readexactly(_HEAD.size))
        answer = orjson.loads(await process.stdout.readexactly(size))
        return answer, await process.stdout.readexactly(behind)

    def _kill(self) -> asyncio.subprocess.Process | None:
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
        return process


def read(source: IO[bytes]) -> tuple[dict[str, object], bytes] | None:
    """The next question, in the helper's process; None at the end."""
    head = source.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    size, behind = _HEAD.unpack(head)
    if size + behind > _LARGEST:
        return None
    question = orjson.loads(source.read(size))
    return question, source.read(behind)


def write(target: IO[bytes], answer: Mapping[str, object], sound: bytes = b"") -> None:
    """The answer to it."""
    target.write(_framed(answer, sound))
    target.flush()


def _framed(data: Mapping[str, object], sound: bytes) -> bytes:
    packed = orjson.dumps(data)
    return _HEAD.pack(len(packed), len(sound)) + packed + sound


def _environment(path: Sequence[str]) -> dict[str, str]:
    """Modules are found where we find them."""
    ours = os.pathsep.join(one for one in path if one)
    return {name: os.environ[name] for name in _KEPT if name in os.environ} | {"PYTHONPATH": ours}
