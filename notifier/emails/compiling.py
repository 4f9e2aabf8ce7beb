"""How templates of mails are compiled: without the indentation that is for people, and once for all languages."""

import re
from types import CodeType

from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from jinja2.ext import Extension

from notifier.emails.keeping import kept


class Compiled(BytecodeCache):
    """Templates compiled once for all languages, of which only the words differ, and these are looked up later."""

    def __init__(self) -> None:
        self._code: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Give what was compiled before from the same source."""
        bucket.code = self._code.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep what was compiled."""
        if bucket.code is not None:
            self._code[bucket.key, bucket.checksum] = bucket.code


class WithoutIndentation(Extension):
    """Drops the indentation of HTML templates, which is for people who edit them."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        return re.sub(r"^[ \t]+", "", source, flags=re.MULTILINE)


@kept(None)
def compiled_for(*, leftward: bool) -> Compiled:  # noqa: ARG001 - each side has its own
    """The templates for languages that run from right to left, or the others: compiling writes out their styles."""
    return Compiled()
