"""A clock that the test holds: time passes when it is told to."""

from datetime import UTC, datetime, timedelta

# A Wednesday morning in winter, away from every change of the clocks.
START = datetime(2026, 1, 14, 15, 0, tzinfo=UTC)


class FakeClock:
    """Hands out the same moment until somebody moves it."""

    def __init__(self, start: datetime = START) -> None:
        self._now = _aware(start)

    def now(self) -> datetime:
        """The moment it is, aware and in UTC."""
        return self._now

    def advance(self, by: timedelta) -> datetime:
        """The new moment; a negative `by` is a clock that was set back."""
        self._now += by
        return self._now

    def set(self, to: datetime) -> None:
        """Jump to `to`, forwards or backwards."""
        self._now = _aware(to)


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError(f"a moment without its zone: {moment!r}; say tzinfo=UTC")
    return moment.astimezone(UTC)
