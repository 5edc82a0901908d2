"""Python's garbage collector, kept away from what stays for as long as the process does."""

import gc


def pause() -> None:
    """While everything is imported and made, hardly anything is garbage, and looking for it takes a fifth of the start."""
    gc.disable()


def settle() -> None:
    """What is there now stays: the collector begins, and need not look at it again and again."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    gc.enable()


def settle_again() -> None:
    """Something else has come that stays."""
    if gc.get_freeze_count():
        gc.freeze()
