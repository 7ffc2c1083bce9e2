"""What is tried: each verb of the table as a frame, and what came of it as a word of the table."""

from collections.abc import Callable
from typing import Final

import trio

from tests.authorisation.scenes import BEYOND, UNKNOWN, Cast, Scene
from tests.authorisation.table import REFUSALS, frame_name
from tests.integration.asking import LAST_ANSWERS
from wxserve.protocol import frames as f
from wxserve.protocol.codec import encode
from wxserve.protocol.envelope import encode_envelope, message
from wxserve.protocol.errors import ErrorCode
from wxserve.protocol.identifiers import AccountId, DeviceId
from wxserve.protocol.states import REQUESTS
from wxserve.store.state import Role
from wxserve.testing.device import RefusedError, TestDevice

WHOM: Final = {"other member": "other"}
"""Words of the table for an account, where they are not its name."""
MOMENT_S: Final = 0.1


class Attempt:
    """An actor in a scene, about to do one thing."""

    def __init__(self, cast: Cast, scene: Scene, actor: str, verb: str) -> None:
        self._cast = cast
        self._scene = scene
        self._actor = actor
        self.device = cast.devices[actor]
        self.kind = frame_name(verb)
        self.object = verb.removeprefix(self.kind).strip(" ,")

    def frame(self) -> f.Frame:
        """Return the frame that does it."""
        return _FRAMES[self.kind](self)

    def whom(self) -> AccountId:
        """Return the account it is done to."""
        if self.object in {"self", "with self", "nonsense"}:
            return self.device.account
        name = self.object.removeprefix("with ")
        return self._cast.account(WHOM.get(name, name))

    # -- frames --------------------------------------------------------------------------------

    def send(self) -> f.Frame:
        op = self.device.next_op()
        return f.Send(encode_envelope(message(self._scene.conversation, op, b"tried")))

    def about(self, kind: type[f.Frame], *fields: object) -> f.Frame:
        """Return an operation on the conversation."""
        return kind(self.device.next_op(), self._scene.conversation, *fields)  # type: ignore[call-arg,arg-type]

    def role(self) -> f.Frame:
        role = {"self": Role.OWNER, "owner": Role.MEMBER, "nonsense": 200}.get(
            self.object, Role.ADMINISTRATOR
        )
        return self.about(f.SetRole, self.whom(), role)

    def redact(self) -> f.Frame:
        seqs = {
            "own": self._scene.own.get(self._actor, 1),
            "another's": self._scene.another.get(self._actor, 2),
            "the server's": 1,
            "beyond": BEYOND,
        }
        return self.about(f.Redact, seqs[self.object])

    def create(self) -> f.Frame:
        """CREATE: what is meant by the words after it."""
        op, whom = self.device.next_op(), self.object.split(" ", 1)[-1]
        kind = {"again": 1, "direct": 1, "group": 2, "other": 3}[self.object.split()[0].strip(",")]
        if self.object == "again":
            whom = "shy" if self._actor == "blocked" else "other"
        if whom in {"direct", "group", "kind"}:
            whom = "target"
        name = whom.removeprefix("with ")
        account = self.device.account if name == "self" else self._cast.account(name)
        return f.Create(op, kind, (account,), b"")

    def which(self) -> DeviceId:
        """Return the device it is done to."""
        return {
            "device": self.device.device,
            "foreign": self._cast.devices["target"].device,
            "unknown": DeviceId(b"\xee" * 8),
        }[self.object]

    @property
    def place(self) -> f.Conversation:
        """The conversation."""
        return self._scene.conversation

    # -- outcomes ------------------------------------------------------------------------------

    async def outcome(self) -> str:
        """Do it; return what came of it."""
        frame = self.frame()
        stream = self.device.next_stream() if type(frame) in REQUESTS else 0
        self.device.heard.clear()
        if self.kind == "EPHEMERAL":
            return await self._heard(frame)
        # Not through the client's own state machine: it would not let HELLO out.
        self.device.link.receive(encode(frame, stream))
        if stream == 0:
            return await self._unanswered()
        try:
            answer = await self.device.wait_for(LAST_ANSWERS.get(type(frame), f.Accepted), stream)
        except RefusedError as refused:
            return REFUSALS[ErrorCode(refused.error.code)]
        except AssertionError:
            return "end"
        return "ok" if self._is_listed(answer) else "no"

    def _is_listed(self, answer: f.Frame) -> bool:
        if isinstance(answer, f.Changes | f.Conversations):
            assert not answer.more
            return self.place in {state.conversation for state in answer.conversations}
        return True

    async def _heard(self, frame: f.Frame) -> str:
        """Whether a device that is online heard an ephemeral."""
        self.device.link.receive(encode(frame))
        await trio.sleep(MOMENT_S)
        if self.device.link.closing:
            return "end"
        witness = self._scene.witness.get(self._actor)
        if witness is None:
            return "drop"
        witness.pump()
        heard = [one for one in witness.heard if isinstance(one, f.Ephemeral)]
        witness.heard.clear()
        return "ok" if heard else "drop"

    async def _unanswered(self) -> str:
        await trio.sleep(MOMENT_S)
        self.device.pump()
        if self.device.link.closing:
            return "end"
        if self.kind == "ACK":
            return "drop"
        if self.kind == "PING":
            return "ok" if any(isinstance(one, f.Pong) for one in self.device.heard) else "drop"
        return "ok"


_FRAMES: Final[dict[str, Callable[[Attempt], f.Frame]]] = {
    "SEND": Attempt.send,
    "EPHEMERAL": lambda one: f.Ephemeral(one.place, 3, b"ringing", None),
    "HISTORY": lambda one: f.History(one.place, 1, BEYOND, 10),
    "SYNC": lambda one: f.Sync(0, 256),
    "LIST_CONVERSATIONS": lambda one: f.ListConversations(b"", 256),
    "MEMBERS": lambda one: f.Members(one.place, b"", 10),
    "SET_REGISTER": lambda one: f.SetRegister(one.place, "tried", 1, b""),
    "ACK": lambda one: f.Ack(((one.place, BEYOND),), 0),
    "CREATE": Attempt.create,
    "INVITE": lambda one: one.about(f.Invite, (one.whom(),)),
    "ACCEPT": lambda one: one.about(f.Accept),
    "LEAVE": lambda one: one.about(f.Leave),
    "REMOVE": lambda one: one.about(f.Remove, one.whom()),
    "SET_ROLE": Attempt.role,
    "CLOSE": lambda one: one.about(f.Close),
    "REDACT": Attempt.redact,
    "LIST_DEVICES": lambda one: f.ListDevices(),
    "RENAME_DEVICE": lambda one: f.RenameDevice(one.which(), "renamed"),
    "REVOKE_DEVICE": lambda one: f.RevokeDevice(one.which()),
    "LINK_DEVICE": lambda one: f.LinkDevice(),
    "PING": lambda one: f.Ping(),
    "PONG": lambda one: f.Pong(),
    "CREDIT": lambda one: f.Credit(1, 1),
    "HELLO": lambda one: f.Hello(((1, 0),), bytes(32), "again"),
    "AUTH": lambda one: f.Auth(UNKNOWN, bytes(64)),
}


async def ready(device: TestDevice) -> None:
    """Bring a device online again if what it tried ended its session."""
    if device.link.closing or device.link.over:
        await device.log_in()
        await device.sync()
