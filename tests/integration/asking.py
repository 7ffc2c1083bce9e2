"""Short ways to ask a server and to look at its answer."""

import trio

from wxserve.protocol import frames as f
from wxserve.protocol.envelope import decode_envelope
from wxserve.protocol.errors import ErrorCode
from wxserve.protocol.identifiers import ConversationId
from wxserve.testing.device import RefusedError, TestDevice

LAST_ANSWERS: dict[type[f.Frame], type[f.Frame]] = {
    f.History: f.Done,
    f.Members: f.MemberList,
    f.ListConversations: f.Conversations,
    f.SetRegister: f.Register,
    f.Sync: f.Changes,
    f.ListDevices: f.Devices,
    f.LinkDevice: f.LinkCode,
    f.RenameDevice: f.Done,
    f.RevokeDevice: f.Done,
}
"""The final answer to each request that is not answered with ACCEPTED."""


async def refusal(device: TestDevice, frame: f.Frame) -> ErrorCode | None:
    """Ask; return the code of the refusal, or None if it was carried out."""
    try:
        await device.request(frame, LAST_ANSWERS.get(type(frame), f.Accepted))
    except RefusedError as refused:
        return ErrorCode(refused.error.code)
    return None


async def settle(device: TestDevice, seconds: float = 2.0) -> list[f.Frame]:
    """Let time pass; return everything the device has heard and not used."""
    await trio.sleep(seconds)
    device.pump()
    return device.heard


async def history(
    device: TestDevice,
    conversation: ConversationId,
    first: int = 1,
    last: int = 1 << 40,
    limit: int = 256,
) -> tuple[list[f.Frame], int]:
    """Return the run that HISTORY answers, and where to go on."""
    stream = device.next_stream()
    device.send_frame(f.History(conversation, first, last, limit), stream)
    done = await device.wait_for(f.Done, stream)
    return [event.frame for event in device.answers(stream)], done.value


def briefly(frames: list[f.Frame]) -> list[tuple[object, ...]]:
    """Return a run as (number, body), (through, "skip", reason), (first, "too far")."""
    found: list[tuple[object, ...]] = []
    for frame in frames:
        if isinstance(frame, f.Deliver):
            found.append((frame.seq, decode_envelope(frame.envelope).body))
        elif isinstance(frame, f.Skip):
            found.append((frame.through, "skip", frame.reason))
        elif isinstance(frame, f.TooFar):
            found.append((frame.first, "too far"))
    return found


def pushed(device: TestDevice, conversation: ConversationId) -> list[f.Frame]:
    """Return the run that was pushed in one conversation so far; it stays heard."""
    device.pump()
    return [
        frame
        for frame in device.heard
        if isinstance(frame, f.Deliver | f.Skip | f.TooFar) and frame.conversation == conversation
    ]
