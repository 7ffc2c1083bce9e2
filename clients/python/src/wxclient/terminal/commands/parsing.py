"""What is typed after a command, in words."""

import re
from typing import Final, NamedTuple

from wxclient import AccountId
from wxclient.terminal.model.people import People

from .outcome import CommandError

_WORD: Final = re.compile(r'"([^"]*)"|(\S+)')


class NameAndPeople(NamedTuple):
    """A text and the people named after it."""

    name: str
    people: tuple[AccountId, ...]


def words(text: str) -> list[str]:
    """Return the words of a text; what stands in double quotes is one."""
    return [quoted or plain for quoted, plain in _WORD.findall(text)]


def people(text: str, known: People) -> tuple[AccountId, ...]:
    """Return the accounts that addresses and known names mean.

    Raises:
        CommandError: one of them means none, or there are none.
    """
    found = tuple(dict.fromkeys(person(word, known) for word in words(text)))
    if not found:
        raise CommandError("Whom? Give an address, or the name of somebody you know.")
    return found


def person(word: str, known: People) -> AccountId:
    """Return the account that an address or a known name means.

    Raises:
        CommandError: it means none.
    """
    try:
        return known.find(word)
    except ValueError as error:
        raise CommandError(f"{word}: {error}.") from None


def name_and_people(text: str, known: People) -> NameAndPeople:
    """Return a name of any words, and the people after it.

    The people begin with the first word that means somebody and is followed by such words only.

    Raises:
        CommandError: a word after the name looks like an address and is none.
    """
    parts = words(text)
    cut = len(parts)
    while cut > 1 and (_meant_as_address(parts[cut - 1]) or known.knows(parts[cut - 1])):
        cut -= 1
    return NameAndPeople(
        " ".join(parts[:cut]), tuple(dict.fromkeys(person(word, known) for word in parts[cut:]))
    )


def _meant_as_address(word: str) -> bool:
    return word.startswith("@") or word.lower().startswith("wx-")
