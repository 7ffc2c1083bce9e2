"""``wx send``, ``wx tail`` and ``wx whoami``: without a screen, for scripts and tests."""

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import anyio
from anyio.to_thread import run_sync

from wxclient import ClientError, ConversationId, RequestRefused, ServerError, StateMissing

from .addresses import format_address
from .bodies import Text, Title, read_body
from .complaints import DONE, REFUSED, UNREACHABLE, WrongUsageError
from .joining import Opening, open_client
from .limits import TITLE_CHARS_MAX
from .model.desk import Desk
from .model.refusals import refusal_words
from .model.sending import TooLongError
from .model.words import fact_words, unknown_words
from .ports import Clock, Handed
from .profiles import Profile
from .sanitising import clean_line, clean_text

_NAMES_DEADLINE_S = 3.0
"""How long ``tail`` waits for names before it prints addresses."""


def whoami(profile: Profile) -> int:
    """Print who one is; needs neither the server nor the state.

    Raises:
        StateMissing: nobody.
    """
    card = profile.read_card()
    if card is None:
        raise StateMissing(str(profile.directory))
    name = clean_line(card.name, TITLE_CHARS_MAX)
    print(f"{card.address}\nname    {name}\nserver  {card.server}\nstate   {profile.directory}")
    return DONE


@asynccontextmanager
async def _running(opening: Opening, clock: Clock) -> AsyncIterator[Desk]:
    async with open_client(opening) as client:
        desk = Desk(client, clock)
        await desk.open()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: desk.run(entries=False))
            await desk.started.wait()
            yield desk
            tasks.cancel_scope.cancel()


# -- send --------------------------------------------------------------------------------------


async def send(opening: Opening, clock: Clock, to: str, text: str, wait_s: float) -> int:
    """Send one message, and print where it stands.

    Args:
        opening: of the device.
        clock: the present time.
        to: an address, or the name of somebody or of a conversation.
        text: what to send.
        wait_s: seconds to wait for the acceptance; after that it is sent with the next start.

    Returns:
        The exit status.

    Raises:
        WrongUsageError: nobody is meant, or the text is too long.
    """
    async with _running(opening, clock) as desk:
        conversation = await _recipient(desk, to)
        try:
            op = await desk.sending.send(conversation, text)
        except TooLongError as error:
            raise WrongUsageError(str(error)) from None
        with anyio.move_on_after(wait_s):
            try:
                accepted = await desk.client.wait_accepted(op)
            except RequestRefused as refusal:
                await desk.sending.drop([op])
                print(f"wx: refused: {refusal_words(refusal)}", file=sys.stderr)
                return REFUSED
            await desk.sending.drop([op])
            print(f"accepted conversation={conversation.hex()} seq={accepted.seq}")
            return DONE
    print("wx: no acceptance yet; it will be sent with the next start of wx", file=sys.stderr)
    return UNREACHABLE


async def _recipient(desk: Desk, to: str) -> ConversationId:
    found = [row for row in await desk.rows.make() if row.name.casefold() == to.casefold()]
    if len(found) == 1:
        return found[0].conversation
    try:
        account = desk.people.find(to)
    except ValueError as error:
        raise WrongUsageError(f"{to}: {error}") from None
    if account == desk.client.account:
        return desk.client.self_conversation
    return await desk.open_direct(account)


# -- tail --------------------------------------------------------------------------------------


async def tail(opening: Opening, clock: Clock, *, as_json: bool, count: int) -> int:
    """Print every entry that was not handled before, and those that come.

    Args:
        opening: of the device.
        clock: the present time.
        as_json: one object a line, instead of text for people.
        count: after so many entries it ends; 0 for never.

    Returns:
        The exit status.

    Delivery: each entry at least once; it is handled when it was printed.
    """
    printed = 0
    async with _running(opening, clock) as desk:
        async for entry in desk.client.entries(own=True):
            await _learn_name(desk, entry)
            await run_sync(_print, _object(desk, entry) if as_json else _line(desk, entry))
            await desk.clerk.handle(entry)
            printed += 1
            if printed == count:
                break
    return DONE


def _print(line: str) -> None:
    print(line, flush=True)


async def _learn_name(desk: Desk, entry: Handed) -> None:
    """Ask who somebody is, if that is not known and can be asked."""
    sender = entry.account
    if sender is None or sender == desk.client.account or desk.notebook.named(sender).seen:
        return
    with suppress(ServerError, ClientError), anyio.move_on_after(_NAMES_DEADLINE_S):
        await desk.people.ask(entry.conversation)


def _line(desk: Desk, entry: Handed) -> str:
    time = datetime.fromtimestamp(entry.time_ms / 1000).astimezone()
    where = desk.people.name_of(entry.conversation, desk.kind_of(entry.conversation))
    said = _said(desk, entry)
    if entry.fact is None and entry.account is not None:
        said = f"{desk.people.name(entry.account)}: {said}"
    indented = clean_text(said).replace("\n", "\n    ")
    return f"{time:%Y-%m-%d %H:%M:%S}  {where}  {indented}"


def _said(desk: Desk, entry: Handed) -> str:
    if entry.fact is not None:
        return fact_words(entry.fact, entry.account, desk.people) or "a message was deleted"
    match read_body(entry.body):
        case Text(text):
            return text
        case Title(title):
            return f"named the group “{title}”"
        case unknown:
            return unknown_words(unknown)


def _object(desk: Desk, entry: Handed) -> str:
    body = read_body(entry.body) if entry.fact is None else None
    fields: dict[str, Any] = {
        "conversation": entry.conversation.hex(),
        "seq": entry.seq,
        "time": datetime.fromtimestamp(entry.time_ms / 1000, UTC).isoformat(),
        "kind": entry.kind,
        "sender": None if entry.account is None else format_address(entry.account),
        "own": entry.own,
        "type": "event" if body is None else type(body).__name__.lower(),
        "text": _said(desk, entry) if not isinstance(body, Title) else body.title,
    }
    return json.dumps(fields)
