"""One connection to a ``FakeServer``: bytes in, bytes out, no socket."""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from wxclient._protocol import frames as f
from wxclient._protocol.codec import encode
from wxclient._protocol.connection import Connection, Received
from wxclient._protocol.credentials import DeviceKey, decode_credential
from wxclient._protocol.errors import ErrorCode
from wxclient._protocol.exceptions import Refusal, RemoteProtocolError
from wxclient._protocol.frames import ConversationState, Deliver, DeviceState, Member
from wxclient._protocol.identifiers import ConversationId, sender_of
from wxclient._protocol.states import Role, State
from wxclient._protocol.versions import MAJOR, MINOR

from .fake_server import FakeConversation, FakeDevice, FakeLinkLike, FakeServer

_OPERATIONS = (
    f.Send,
    f.Create,
    f.Invite,
    f.Accept,
    f.Leave,
    f.Remove,
    f.SetRole,
    f.Close,
    f.Redact,
)


class FakeLink(FakeLinkLike):
    """``receive`` and ``take`` bytes until ``closing``."""

    def __init__(self, server: FakeServer) -> None:
        self.server = server
        self.connection = Connection(Role.SERVER)
        self.device: FakeDevice | None = None
        self.sent: dict[ConversationId, int] = {}
        self.synced = False
        self.synced_position = -1
        self.credit_bytes, self.credit_entries = server.behaviour.credit
        self.closing = False
        self.received: list[f.Frame] = []
        self._out: list[bytes] = []

    # -- bytes ---------------------------------------------------------------------------------

    def receive(self, data: bytes) -> None:
        """Take bytes from the client."""
        self.connection.receive_data(data)
        try:
            while not self.closing and (event := self.connection.next_event()) is not None:
                self.received.append(event.frame)
                self._take(event)
        except RemoteProtocolError as error:
            self.server.client_faults.append(str(error))
            self._out.append(encode(error.reply))
            self.lost(closing=True)

    def take(self) -> bytes:
        """Return the bytes for the client."""
        data = b"".join(self._out)
        self._out.clear()
        return data

    def lost(self, *, closing: bool = True) -> None:
        """Forget the session; the socket is gone, or is to be closed after what waits."""
        self.closing = closing
        if self in self.server.links:
            self.server.links.remove(self)

    def cut(self) -> None:
        """End the connection without a word, what waits included."""
        self._out.clear()
        self.lost()

    def tell(self, frame: f.Frame, stream: int = 0, flags: int = 0) -> None:
        """Send a frame."""
        if self.connection.state is not State.CLOSED:
            self._out.append(self.connection.send(frame, stream, flags))

    # -- handshake -----------------------------------------------------------------------------

    def _take(self, event: Received) -> None:
        frame = event.frame
        try:
            match frame:
                case f.Hello():
                    self.tell(f.Challenge(MAJOR, MINOR, bytes(32), self.server.now_ms))
                case f.Auth():
                    self._authenticate(frame)
                case _ if isinstance(frame, _OPERATIONS):
                    self._operate(frame, event.stream)
                case _:
                    self._request(frame, event.stream)
        except Refusal as refusal:
            self.tell(refusal.reply, event.stream)
            if not event.stream:
                self.server.client_faults.append(str(refusal))
                self.lost()

    def _authenticate(self, auth: f.Auth) -> None:
        credential = decode_credential(auth.credential)
        known = None
        if isinstance(credential, DeviceKey):
            known = self.server.devices.get(credential.device)
            if known is None:
                raise Refusal(ErrorCode.AUTH_FAILED)
        key = credential.public_key if known is None else known.public_key  # type: ignore[union-attr]
        to_sign = self.connection.transcript.to_sign(self.server.binding, auth.credential)
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(auth.signature, to_sign)
        except InvalidSignature:
            raise Refusal(ErrorCode.AUTH_FAILED) from None
        if not isinstance(credential, DeviceKey):
            known = self.server.enrol(credential.proof, key, credential.device_name)
        assert known is not None
        if known.state == 2:
            raise Refusal(ErrorCode.DEVICE_REVOKED)
        self._welcome(known)

    def _welcome(self, device: FakeDevice) -> None:
        server, behaviour = self.server, self.server.behaviour
        if behaviour.lose_welcome:
            self.cut()
            return
        for link in server.online(device.id):
            link.tell(f.Replaced())
            assert isinstance(link, FakeLink)
            link.lost()
        self.device = device
        server.links.append(self)
        self.tell(
            f.Welcome(
                len(server.links),
                device.account,
                device.id,
                server.timeline,
                server.cuts,
                server.position,
                server.now_ms,
                device.op_last,
                device.op_floor,
                *behaviour.heartbeat,
                *behaviour.credit,
                behaviour.ops_in_flight_max,
                f.ENVELOPE_BYTES_MAX,
                (),
            )
        )

    # -- requests ------------------------------------------------------------------------------

    def _operate(self, frame: f.Frame, stream: int) -> None:
        assert self.device is not None
        behaviour = self.server.behaviour
        accepted = self.server.operate(self.device, frame)
        if behaviour.lose_accepted > 0:
            behaviour.lose_accepted -= 1
            self.cut()
            self.server.push()
            return
        before = self.sent.get(accepted.conversation, 0)
        current = (
            behaviour.current
            and self.synced
            and isinstance(frame, f.Send)
            and before + 1 == accepted.seq
        )
        if current:
            self.sent[accepted.conversation] = accepted.seq
        self.tell(accepted, stream, f.CURRENT if current else 0)
        self.server.push()

    def _request(self, frame: f.Frame, stream: int) -> None:
        assert self.device is not None
        match frame:
            case f.Sync(since, _):
                self._sync(since, stream)
            case f.Ack(cursors, floor):
                self._ack(cursors, floor)
            case f.Credit(more, entries):
                self.credit_bytes += more
                self.credit_entries += entries
                self.pump()
            case f.SetRegister():
                self._set_register(frame, stream)
            case f.Ephemeral(conversation, kind, body, _):
                sender = sender_of(self.device.account, self.device.id)
                self._forward(f.Ephemeral(conversation, kind, body, sender))
            case f.Ping():
                self.tell(f.Pong())
            case f.Pong():
                pass
            case _:
                self._ask(frame, stream)

    def _ask(self, frame: f.Frame, stream: int) -> None:
        server, device = self.server, self.device
        assert device is not None
        match frame:
            case f.ListDevices():
                rows = [d for d in server.devices.values() if d.account == device.account]
                states = tuple(DeviceState(d.id, d.name, 0, 0, d.state) for d in rows)
                self.tell(f.Devices(states), stream)
            case f.Members(conversation, _, _):
                accounts = sorted(server.conversations[conversation].accounts)
                members = tuple(Member(account, 1, 2, "") for account in accounts)
                self.tell(f.MemberList(members, False), stream)
            case f.RenameDevice(id_, name):
                server.devices[id_].name = name
                self.tell(f.Done(0), stream)
            case f.RevokeDevice(id_):
                server.devices[id_].state = 2
                self.tell(f.Done(0), stream)
                for link in server.online(id_):
                    link.tell(Refusal(ErrorCode.DEVICE_REVOKED).reply)
                    assert isinstance(link, FakeLink)
                    link.lost()
            case f.LinkDevice():
                code = b"link %d" % len(server.codes)
                server.codes[code] = device.account
                self.tell(f.LinkCode(code, server.now_ms + 600_000), stream)
            case f.History(conversation, first, last, limit):
                self._history(conversation, first, min(last, first + limit - 1), stream)
            case _:
                raise Refusal(ErrorCode.FORBIDDEN)

    def _history(self, conversation: ConversationId, first: int, last: int, stream: int) -> None:
        log = self.server.conversations[conversation]
        for entry in log.entries[first - 1 : last]:
            self.tell(entry, stream)
        self.tell(f.Done(last + 1 if last < len(log.entries) else 0), stream)

    def _set_register(self, frame: f.SetRegister, stream: int) -> None:
        assert self.device is not None
        server, account = self.server, self.device.account
        place = (account, frame.conversation, frame.key)
        stored = server.registers.get(place)
        if stored is None or frame.version > stored.version:
            server.position += 1
            stored = server.registers[place] = f.Register(*frame, server.position)
            for link in server.links:
                if link is not self and link.device and link.device.account == account:
                    link.tell(stored)
        self.tell(stored, stream)

    def _forward(self, frame: f.Ephemeral) -> None:
        for link in self.server.links:
            accounts = self.server.conversations[frame.conversation].accounts
            if link is not self and link.device and link.device.account in accounts:
                link.tell(frame)

    # -- delivery ------------------------------------------------------------------------------

    def _sync(self, since: int, stream: int) -> None:
        assert self.device is not None
        logs = self.server.visible(self.device.account)
        changed = [log for log in logs if log.entries and log.entries[-1].position > since]
        states = tuple(
            ConversationState(
                log.id, log.kind, len(log.entries), log.entries[-1].position, 0, ((1, 0),)
            )
            for log in changed
        )
        half = len(states) // 2
        self.tell(f.Changes(states[:half], True), stream)
        self.tell(f.Changes(states[half:], False), stream)
        for (account, _, _), register in self.server.registers.items():
            if account == self.device.account and register.position > since:
                self.tell(register)
        self.sent = {log.id: self.device.cursors.get(log.id, 0) for log in logs}
        self.synced = True
        self.pump()

    def pump(self) -> None:
        """Send what may go now: entries within the window, then SYNCED."""
        if not self.synced or self.closing or self.device is None:
            return
        logs = self.server.visible(self.device.account)
        behind = [log for log in logs if not self._pump_log(log)]
        if (
            not behind
            and self.server.behaviour.synced
            and self.synced_position != self.server.position
        ):
            self.synced_position = self.server.position
            self.tell(f.Synced(self.server.position))

    def _pump_log(self, log: FakeConversation) -> bool:
        while (seq := self.sent.get(log.id, 0) + 1) <= len(log.entries):
            if self.credit_entries < 1 or self.credit_bytes < 1:
                return False
            if seq < log.first:
                frame: f.Frame = f.TooFar(log.id, log.first)
                self.sent[log.id] = log.first - 1
            elif seq in log.gone:
                while log.gone.get(seq + 1) == log.gone[seq]:
                    seq += 1
                frame = f.Skip(log.id, seq, log.gone[seq])
                self.sent[log.id] = seq
            else:
                frame = log.entries[seq - 1]
                self.sent[log.id] = seq
            self.credit_entries -= 1
            self.credit_bytes -= len(encode(frame)) if isinstance(frame, Deliver) else 0
            self.tell(frame)
        return True

    def _ack(self, cursors: tuple[tuple[ConversationId, int], ...], floor: int) -> None:
        device = self.device
        assert device is not None
        for conversation, seq in cursors:
            stored = device.cursors.get(conversation, 0)
            if seq > max(stored, self.sent.get(conversation, 0)):
                raise Refusal(ErrorCode.ACK_BEYOND_SENT)
            if not self.server.behaviour.forget_acks:
                device.cursors[conversation] = max(stored, seq)
        device.op_floor = max(device.op_floor, floor)
        for counter in [counter for counter in device.ops if counter < device.op_floor]:
            del device.ops[counter]
