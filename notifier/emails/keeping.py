"""Keeps what was made from templates: for real mails as it first was, for the gallery until somebody edits them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache, update_wrapper
from typing import Generic, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_is_gallery: ContextVar[bool] = ContextVar("is_gallery", default=False)
_forgetting: list[Callable[[], None]] = []


class Kept(Generic[P, R]):
    """A function that is called once for the same values, and for the gallery apart."""

    def __init__(self, made: Callable[P, R], most: int | None) -> None:
        self._for_mails, self._for_gallery = lru_cache(most)(made), lru_cache(most)(made)
        # Of what is kept for mails; the gallery's is forgotten with every edit.
        self.cache_info, self.cache_clear = self._for_mails.cache_info, self._for_mails.cache_clear
        _forgetting.append(self._for_gallery.cache_clear)
        self.__wrapped__ = made
        update_wrapper(self, made)

    def __call__(self, *args: P.args, **named: P.kwargs) -> R:
        found = self._for_gallery if _is_gallery.get() else self._for_mails
        return found(*args, **named)  # type: ignore[arg-type]  # what is not hashable is refused by the cache


def kept(most: int | None) -> Callable[[Callable[P, R]], Kept[P, R]]:
    """Keep what a function makes, at most so many results for mails and as many for the gallery."""
    return lambda made: Kept(made, most)


@contextmanager
def for_gallery() -> Iterator[None]:
    """What is made here is kept apart from what mails are made of."""
    before = _is_gallery.set(True)
    try:
        yield
    finally:
        _is_gallery.reset(before)


def forget_gallery() -> None:
    """Make anew from now on what is shown in the gallery."""
    for forget in _forgetting:
        forget()
