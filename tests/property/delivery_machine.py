"""The delivery machine: what clients, networks, clocks, disks and operators do, as rules."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.property.delivery_configs import configs
from tests.property.delivery_log import (
    DIRECT,
    GROUP,
    INVITED,
    JOINED,
    NOWHERE,
    SELF,
    Wish,
)
from tests.property.delivery_peer import Peer
from tests.property.delivery_world import KEEP_S, Config, World
from wxserve.protocol import frames as f
from wxserve.protocol.envelope import encode_envelope, message
from wxserve.protocol.identifiers import (
    AccountId,
    ConversationId,
    DeviceId,
    direct_conversation,
    group_conversation,
)
from wxserve.store.driver_seeded import Cut

PAUSES = st.sampled_from([0.0, 0.0, 0.004, 0.015, 0.05, 0.3])
INDEX = st.integers(0, 11)


class Delivery(RuleBasedStateMachine):
    """What clients, networks, clocks, disks and operators do."""

    def __init__(self) -> None:
        super().__init__()
        self.world: World

    @initialize(config=configs)
    def start(self, config: Config) -> None:
        self.world = World(config)

    def teardown(self) -> None:
        if hasattr(self, "world"):
            try:
                self.world.finish()
            finally:
                self.world.close()

    # -- choosing ------------------------------------------------------------------------------

    def peer(self, index: int) -> Peer:
        """Return any device."""
        return self.world.peers[index % len(self.world.peers)]

    def awake(self, index: int) -> Peer | None:
        """Return an online device, if there is one."""
        online = [peer for peer in self.world.peers if peer.online]
        return online[index % len(online)] if online else None

    def talk(self, peer: Peer, index: int) -> ConversationId:
        """Return a conversation: most often one that the device may write to."""
        model = self.world.model
        logs = [log.id for log in model.logs.values() if log.kind in {DIRECT, GROUP, SELF}]
        own = [
            one
            for one in logs
            if model.logs[one].seated(model.position).get(peer.account, NOWHERE).state == JOINED
        ]
        found = [*own[::-1], *([] if index < 9 else model.logs)]
        return ConversationId(found[index % len(found)])

    def account(self, index: int) -> AccountId:
        """Return an account, or one that does not exist."""
        accounts = list(self.world.model.accounts)
        return AccountId(accounts[index % len(accounts)] if index < 11 else bytes(16))

    def operate(self, index: int, wish: Wish, frame: f.Frame, pause: float) -> None:
        peer = self.awake(index)
        if peer is not None:
            self.world.step(lambda: peer.operate(wish, frame), pause)

    # -- writing -------------------------------------------------------------------------------

    @rule(who=INDEX, where=INDEX, count=st.integers(1, 5), size=st.sampled_from([1, 150]),
          ttl=st.sampled_from([0, 0, 1, 5]), pause=PAUSES)  # fmt: skip
    def send(self, who: int, where: int, count: int, size: int, ttl: int, pause: float) -> None:
        self.send_now(who, where, (count, size, ttl), pause)

    def send_now(self, who: int, where: int, what: tuple[int, int, int], pause: float) -> None:
        """Send some messages, pipelined."""
        count, size, ttl = what
        peer = self.awake(who)
        if peer is None:
            return
        conversation = self.talk(peer, where)

        def act() -> None:
            for _ in range(count):
                if peer.online:
                    op = peer.next_op()
                    body = op[-1:] * size
                    data = encode_envelope(message(conversation, op, body, ttl_s=ttl))
                    peer.operate(Wish("send", conversation), f.Send(data), f.SILENT if ttl else 0)

        self.world.step(act, pause)

    @rule(where=INDEX, pause=PAUSES)
    def everybody_sends(self, where: int, pause: float) -> None:
        for index in range(len(self.world.peers)):
            self.send_now(index, where, (1, 1, 0), 0.0)
        self.world.step(lambda: None, pause)

    @rule(who=INDEX, which=INDEX, other=st.booleans(), pause=PAUSES)
    def say_again(self, who: int, which: int, other: bool, pause: float) -> None:
        """Send an operation anew that was answered or is on its way; or misuse its name."""
        peer = self.awake(who)
        if peer is None:
            return
        known = [one for one in peer.ops.values() if one.answer or one.flights]
        if not known:
            return
        operation = known[which % len(known)]
        changed: f.Frame | None = None
        name = peer.device + operation.counter.to_bytes(8, "big")
        if other and operation.answer and name in self.world.model.ops:
            changed = f.Close(operation.answer.op, ConversationId(bytes(16)))
        self.world.step(lambda: peer.launch(operation, changed), pause)

    @rule(who=INDEX, pause=PAUSES)
    def try_again(self, who: int, pause: float) -> None:
        peer = self.awake(who)
        if peer is not None:
            self.world.step(peer.resend, pause)

    @rule(who=INDEX)
    def leave_out_counters(self, who: int) -> None:
        self.peer(who).counter += 600

    # -- conversations -------------------------------------------------------------------------

    @rule(who=INDEX, whom=INDEX, pause=PAUSES)
    def create_direct(self, who: int, whom: int, pause: float) -> None:
        peer, other = self.awake(who), self.account(whom)
        if peer is not None:
            conversation = direct_conversation(peer.account, other)
            wish = Wish("create", conversation, (other,), DIRECT)
            self.operate(who, wish, f.Create(peer.next_op(), DIRECT, (other,), b""), pause)

    @rule(who=INDEX, whom=st.lists(INDEX, max_size=3), pause=PAUSES)
    def create_group(self, who: int, whom: list[int], pause: float) -> None:
        peer = self.awake(who)
        if peer is not None:
            others = tuple(dict.fromkeys(self.account(one) for one in whom))
            op = peer.next_op()
            wish = Wish("create", group_conversation(op), others, GROUP)
            self.operate(who, wish, f.Create(op, GROUP, others, b""), pause)

    @rule(who=INDEX, where=INDEX, whom=st.lists(INDEX, min_size=1, max_size=2), pause=PAUSES)
    def invite(self, who: int, where: int, whom: list[int], pause: float) -> None:
        peer = self.awake(who)
        if peer is not None:
            conversation = self.talk(peer, where)
            others = tuple(self.account(one) for one in whom)
            wish = Wish("invite", conversation, others)
            self.operate(who, wish, f.Invite(peer.next_op(), conversation, others), pause)

    @rule(who=INDEX, where=INDEX, pause=PAUSES)
    def accept(self, who: int, where: int, pause: float) -> None:
        peer = self.awake(who)
        if peer is not None:
            conversation = self.invited(peer, where)
            wish = Wish("accept", conversation, (peer.account,))
            self.operate(who, wish, f.Accept(peer.next_op(), conversation), pause)

    def invited(self, peer: Peer, index: int) -> ConversationId:
        """Return a conversation one is invited to, if there is one."""
        model = self.world.model
        found = [
            log.id
            for log in model.logs.values()
            if (seat := log.seated(model.position).get(peer.account)) and seat.state == INVITED
        ]
        return ConversationId(found[index % len(found)]) if found else self.talk(peer, index)

    @rule(who=INDEX, where=INDEX, pause=PAUSES)
    def leave(self, who: int, where: int, pause: float) -> None:
        peer = self.awake(who)
        if peer is not None:
            conversation = self.talk(peer, where)
            wish = Wish("leave", conversation, (peer.account,))
            self.operate(who, wish, f.Leave(peer.next_op(), conversation), pause)

    @rule(who=INDEX, where=INDEX, whom=INDEX, pause=PAUSES)
    def remove(self, who: int, where: int, whom: int, pause: float) -> None:
        peer = self.awake(who)
        if peer is not None:
            conversation, other = self.talk(peer, where), self.account(whom)
            wish = Wish("remove", conversation, (other,))
            self.operate(who, wish, f.Remove(peer.next_op(), conversation, other), pause)

    @rule(who=INDEX, where=INDEX, whom=INDEX, role=st.integers(1, 4), pause=PAUSES)
    def set_role(self, who: int, where: int, whom: int, role: int, pause: float) -> None:
        peer = self.awake(who)
        if peer is not None:
            conversation, other = self.talk(peer, where), self.account(whom)
            wish = Wish("role", conversation, (other,), role)
            self.operate(who, wish, f.SetRole(peer.next_op(), conversation, other, role), pause)

    @rule(who=INDEX, where=INDEX, sure=st.sampled_from([0, 0, 1]), pause=PAUSES)
    def close(self, who: int, where: int, sure: int, pause: float) -> None:
        peer = self.awake(who)
        if peer is not None and sure:
            conversation = self.talk(peer, where)
            wish = Wish("close", conversation)
            self.operate(who, wish, f.Close(peer.next_op(), conversation), pause)

    @rule(who=INDEX, where=INDEX, back=INDEX, pause=PAUSES)
    def redact(self, who: int, where: int, back: int, pause: float) -> None:
        peer = self.awake(who)
        if peer is not None:
            conversation = self.talk(peer, where)
            seq = max(1, len(self.world.model.logs[conversation].rows) - back)
            wish = Wish("redact", conversation, (), seq)
            self.operate(who, wish, f.Redact(peer.next_op(), conversation, seq), pause)

    # -- reading -------------------------------------------------------------------------------

    @rule(pause=PAUSES)
    def everybody_reads(self, pause: float) -> None:
        def act() -> None:
            for peer in self.world.peers:
                peer.session_pump()

        self.world.step(act, pause)

    @rule(who=INDEX, pause=PAUSES)
    def read(self, who: int, pause: float) -> None:
        self.world.step(self.peer(who).session_pump, pause)

    @rule(who=INDEX, share=st.sampled_from([1.0, 0.5]), floor=st.booleans(), pause=PAUSES)
    def acknowledge(self, who: int, share: float, floor: bool, pause: float) -> None:
        peer = self.awake(who)
        if peer is not None:
            self.world.step(lambda: peer.acknowledge(share, floor=floor), pause)

    @rule(who=INDEX, entries=st.sampled_from([1, 3, 100]), pause=PAUSES)
    def widen(self, who: int, entries: int, pause: float) -> None:
        peer = self.awake(who)
        if peer is not None:
            self.world.step(lambda: peer.credit(entries * 300, entries), pause)

    @rule(who=INDEX, where=INDEX, span=st.tuples(st.integers(0, 6), st.integers(0, 9)),
          limit=st.sampled_from([0, 2, 256]))  # fmt: skip
    def history(self, who: int, where: int, span: tuple[int, int], limit: int) -> None:
        peer = self.awake(who)
        session = peer.online if peer else None
        if peer is None or session is None:
            return
        first, length = span
        wanted = f.History(self.talk(peer, where), first, first + length, limit)
        self.world.step(lambda: session.ask(wanted))

    @rule(who=INDEX, after=st.binary(max_size=1), limit=st.sampled_from([1, 2, 256]))
    def list_all(self, who: int, after: bytes, limit: int) -> None:
        peer = self.awake(who)
        session = peer.online if peer else None
        if session is not None:
            self.world.step(lambda: session.ask(f.ListConversations(after, limit)))

    @rule(who=INDEX, where=INDEX, key=st.sampled_from("ab"), version=st.integers(1, 9),
          pause=PAUSES)  # fmt: skip
    def write_register(self, who: int, where: int, key: str, version: int, pause: float) -> None:
        peer = self.awake(who)
        session = peer.online if peer else None
        if peer is None or session is None:
            return
        wanted = f.SetRegister(self.talk(peer, where), key, version, bytes([version]))
        self.world.step(lambda: session.ask(wanted), pause)

    # -- connections ---------------------------------------------------------------------------

    @rule(who=INDEX, share=st.sampled_from([0.0, 0.5, 1.0]), pause=PAUSES)
    def drop(self, who: int, share: float, pause: float) -> None:
        self.world.step(lambda: self.peer(who).drop(share), pause)

    @rule(who=INDEX, pause=PAUSES)
    def connect(self, who: int, pause: float) -> None:
        """Begin a handshake; a connection that is there is replaced by it, or lost."""
        self.world.step(self.peer(who).connect, pause)

    @rule(who=INDEX, limit=st.sampled_from([1, 2, 256]), pause=PAUSES)
    def follow(self, who: int, limit: int, pause: float) -> None:
        peer = self.awake(who)
        if peer is not None:
            self.world.step(lambda: peer.sync(limit), pause)

    @rule(who=INDEX, limit=st.sampled_from([1, 256]), pause=PAUSES)
    def arrive(self, who: int, limit: int, pause: float) -> None:
        self.arrive_now(who, limit, pause)

    def arrive_now(self, who: int, limit: int, pause: float) -> None:
        """Be online and follow."""
        peer = self.peer(who)
        if peer.revoked:
            return
        if not peer.online:
            self.world.step(peer.connect, 0.05)
            self.world.step(peer.session_pump, 0.08)
            self.world.step(peer.session_pump)
        if peer.online and not peer.online.following:
            self.world.step(lambda: peer.sync(limit), pause)

    @rule(pause=PAUSES)
    def everybody_arrives(self, pause: float) -> None:
        for index in range(len(self.world.peers)):
            self.arrive_now(index, 256, 0.0)
        self.world.step(lambda: None, pause)

    @rule(who=INDEX)
    def link_device(self, who: int) -> None:
        peer = self.awake(who)
        session = peer.online if peer else None
        if session is not None and len(self.world.peers) < 7:
            self.world.step(lambda: session.ask(f.LinkDevice()), 0.01)
            self.world.step(session.pump)

    @rule(who=INDEX, which=INDEX, sure=st.sampled_from([0, 0, 1]), pause=PAUSES)
    def revoke(self, who: int, which: int, sure: int, pause: float) -> None:
        peer = self.awake(who)
        session = peer.online if peer else None
        if peer is None or session is None or not sure:
            return
        own = [one for one, it in self.world.model.devices.items() if it.account == peer.account]
        device = DeviceId(own[which % len(own)])
        if device != peer.device:
            self.world.step(lambda: session.ask(f.RevokeDevice(device)), pause)

    # -- the world -----------------------------------------------------------------------------

    @rule(pause=st.sampled_from([0.7, 2.5, 4.0]))
    def wait(self, pause: float) -> None:
        self.world.step(lambda: None, pause)

    @rule(times=st.integers(1, 4))
    def wait_long(self, times: int) -> None:
        for _ in range(times):
            self.world.step(lambda: None, KEEP_S * 0.9)

    @rule(by_s=st.sampled_from([-3600, -30, -2, 2, 30, 3600, 31_536_000, -31_536_000]))
    def clock_jumps(self, by_s: int) -> None:
        self.world.step(lambda: self.world.jump(by_s * 1000))

    @rule()
    def disk_is_full(self) -> None:
        self.world.step(self.world.fill_disk)

    @rule(when=st.sampled_from(Cut), share=st.sampled_from([0.0, 0.5, 1.0]))
    def power_cut(self, when: Cut, share: float) -> None:
        self.world.crash_now(when, share)

    @rule()
    def restart(self) -> None:
        self.world.restart_now()
