"""The interface of the SDK to the engine: one group at one device.

Bytes go in and out; nothing is sent, stored, timed or drawn at random here. The caller stores a
``snapshot`` in the same transaction as what a call gave, before it sends or acknowledges anything.
"""

from collections.abc import Sequence

from . import snapshot as snapshots
from .commit import Commit
from .committing import DEFAULTS, Committed, Options, create_commit, group_info
from .creating import create_group
from .errors import DecodingError, StateError, WrongEpoch, WrongGroup
from .events import (
    EpochChanged,
    Event,
    Header,
    Member,
    Outgoing,
    Proposed,
    epoch_changed,
    member_of,
    outgoing,
    plaintext,
)
from .extensions import Extensions
from .external_joining import ExternalJoin, join_externally
from .framing import ContentType, FramedContent, WireFormat, member, signed
from .group import Epoch, Group, Ports
from .joining import join
from .key_package import PrivateKeyPackage
from .key_schedule import export
from .leaf_node import Identity
from .limits import PADDING_BYTES, PAST_EPOCHS_MAX
from .messages import (
    decode_message,
    encode_message,
    expect_group_info,
    expect_key_package,
    expect_welcome,
)
from .private_message import PrivateMessage, open_sender_data, protect_private
from .processing import Applied, process_commit
from .proposals import Add, PreSharedKey, Proposal, Remove
from .proposing import gather, propose, propose_update
from .psk import Usage, external_psk, resumption_psk
from .public_message import PublicMessage
from .receiving import Received, receive
from .secret_tree import RatchetKind
from .successors import branch, reinitialise
from .suites import suite_of

OF_GROUPS = (PublicMessage, PrivateMessage)


class GroupCipher:
    """A group at one device: its current epoch, a few past ones, and at most one pending commit."""

    def __init__(
        self,
        group: Group | None,
        ports: Ports,
        past: Sequence[Epoch] = (),
        pending: Committed | None = None,
    ) -> None:
        """Take a state apart; use ``create``, ``join``, ``join_externally`` or ``restore``."""
        self._current = group
        self._ports = ports
        self._past = list(past)
        self._pending = pending

    # Beginning.

    @classmethod
    def create(
        cls,
        suite: int,
        identity: Identity,
        group_id: bytes,
        ports: Ports,
        extensions: Extensions = (),
    ) -> "GroupCipher":
        """Return a new group with us as its one member."""
        return cls(create_group(suite_of(suite), identity, group_id, extensions, ports), ports)

    @classmethod
    def join(
        cls,
        welcome: bytes,
        package: PrivateKeyPackage,
        ports: Ports,
        tree: bytes | None = None,
        parent: "GroupCipher | None" = None,
    ) -> "GroupCipher":
        """Join by a Welcome; delete the key package's private keys afterwards.

        Args:
            welcome: the Welcome, an MLSMessage.
            package: the key package that it names.
            ports: what the engine is given from outside.
            tree: the ratchet tree, if the Welcome has none.
            parent: the group that this one follows or branches from.
        """
        before = None if parent is None else parent.group
        return cls(join(expect_welcome(welcome), package, ports, tree, before), ports)

    @classmethod
    def join_externally(
        cls, group_info: bytes, wanted: ExternalJoin, ports: Ports, tree: bytes | None = None
    ) -> "tuple[GroupCipher, Outgoing]":
        """Make a commit by which we join; we are a member after ``merge_pending``."""
        made = join_externally(expect_group_info(group_info), wanted, ports, tree)
        return cls(None, ports, (), made), outgoing(made)

    @classmethod
    def restore(cls, data: bytes, ports: Ports) -> "GroupCipher":
        """Return the state that ``snapshot`` gave, or raise ``SnapshotError``."""
        state = snapshots.decode_state(data)
        return cls(state.group, ports, state.past, state.pending)

    def snapshot(self) -> bytes:
        """Return the whole state, secrets in the clear: encrypt it at rest."""
        return snapshots.encode_state(
            snapshots.State(self._current, tuple(self._past), self._pending)
        )

    # Looking.

    @property
    def group(self) -> Group:
        """The engine's state of the current epoch; raises StateError before we joined."""
        if self._current is None:
            raise StateError("we are no member yet: the external commit is pending")
        return self._current

    @property
    def group_id(self) -> bytes:
        """The group's id."""
        return self.group.context.group_id

    @property
    def epoch(self) -> int:
        """The current epoch's number."""
        return self.group.context.epoch

    @property
    def leaf(self) -> int:
        """Our own leaf."""
        return self.group.leaf

    @property
    def members(self) -> tuple[Member, ...]:
        """All members, by leaf."""
        return tuple(member_of(number, leaf) for number, leaf in self.group.tree.leaves())

    @property
    def is_active(self) -> bool:
        """Whether we are a member of a group that goes on."""
        current = self._current
        return current is not None and current.is_member and current.reinit is None

    @property
    def has_pending(self) -> bool:
        """Whether a commit of ours waits to be accepted."""
        return self._pending is not None

    @property
    def epoch_authenticator(self) -> bytes:
        """The value that is equal exactly at members of the same epoch (section 8.7)."""
        return self.group.secrets.authenticator

    def export(self, label: bytes, context: bytes, size: int) -> bytes:
        """Return a secret of this epoch for a purpose of the application (section 8.5)."""
        self._expect_member()
        group = self.group
        return export(group.suite, group.secrets.exporter, label, context, size)

    def group_info(self, *, with_tree: bool = False) -> bytes:
        """Return this epoch's GroupInfo, by which a client may join externally."""
        self._expect_member()
        return encode_message(group_info(self.group, with_tree=with_tree))

    @property
    def tree(self) -> bytes:
        """This epoch's ratchet tree, for those who join without one in the Welcome."""
        return self.group.tree.encode()

    # Changing the group.

    def commit(
        self,
        proposals: Sequence[Proposal] = (),
        options: Options = DEFAULTS,
    ) -> Outgoing:
        """Commit proposals that came and these; pending until merged or discarded.

        Raises:
            StateError: a commit is pending already, or the group is closed to us.
        """
        if self._pending is not None:
            raise StateError("a commit is pending: merge or discard it first")
        self._pending = create_commit(self.group, proposals, self._ports, options)
        return outgoing(self._pending)

    def add(self, packages: Sequence[bytes], options: Options = DEFAULTS) -> Outgoing:
        """Commit the addition of clients, each by a key package (an MLSMessage)."""
        return self.commit([Add(expect_key_package(one)) for one in packages], options)

    def remove(self, leaves: Sequence[int], options: Options = DEFAULTS) -> Outgoing:
        """Commit the removal of members."""
        return self.commit([Remove(leaf) for leaf in leaves], options)

    def update(self, identity: Identity | None = None) -> Outgoing:
        """Commit new keys for us, and with them another identity if one is given."""
        return self.commit((), Options(new_identity=identity))

    def merge_pending(self) -> EpochChanged:
        """Enter the epoch that our commit started: the server accepted it.

        Raises:
            StateError: nothing is pending.
        """
        made = self._pending
        if made is None:
            raise StateError("no commit is pending")
        was_outside = self._current is None
        self._enter(made.group)
        applied = Applied(made.group, made.changes, made.group.leaf, was_outside)
        return epoch_changed(applied, b"", dropped_pending=False)

    def discard_pending(self) -> None:
        """Forget our commit: it was refused."""
        self._pending = None

    def propose(self, proposal: Proposal, *, encrypted: bool = True) -> bytes:
        """Return a message that proposes something to whoever commits next."""
        return propose(self.group, proposal, self._ports, encrypted=encrypted)

    def propose_update(self, identity: Identity | None = None, *, encrypted: bool = True) -> bytes:
        """Return a message that proposes new keys for us."""
        return propose_update(self.group, self._ports, identity, encrypted=encrypted)

    def external_psk(self, psk_id: bytes) -> PreSharedKey:
        """Return the proposal to mix in a key that the ports' source has under this id."""
        return PreSharedKey(external_psk(psk_id, self._ports.random(self.group.suite.hash_size)))

    def resumption_psk(self, epoch: int) -> PreSharedKey:
        """Return the proposal to mix in the resumption key of a past epoch of this group."""
        nonce = self._ports.random(self.group.suite.hash_size)
        return PreSharedKey(resumption_psk(Usage.APPLICATION, self.group_id, epoch, nonce))

    def branch(
        self, group_id: bytes, packages: Sequence[bytes], extensions: Extensions = ()
    ) -> "tuple[GroupCipher, Outgoing]":
        """Return a subgroup with some of our members, and its Welcome (section 11.3)."""
        adds = [expect_key_package(one) for one in packages]
        made = branch(self.group, group_id, extensions, adds, self._ports)
        return GroupCipher(made.group, self._ports), outgoing(made)

    def reinitialise(
        self, identity: Identity, packages: Sequence[bytes]
    ) -> "tuple[GroupCipher, Outgoing]":
        """Return the group that follows this closed one, and its Welcome (section 11.2)."""
        adds = [expect_key_package(one) for one in packages]
        made = reinitialise(self.group, identity, adds, self._ports)
        return GroupCipher(made.group, self._ports), outgoing(made)

    # Messages.

    def encrypt(
        self, plaintext: bytes, authenticated_data: bytes = b"", pad_to: int = PADDING_BYTES
    ) -> bytes:
        """Return an application message, its content padded to a multiple of ``pad_to`` bytes.

        Raises:
            StateError: proposals wait, which must be committed first (section 12.4).
        """
        group = self.group
        group.expect_open()
        if group.proposals and self._pending is None:
            raise StateError("proposals wait: commit them first")
        epoch = group.epoch
        content = FramedContent(
            group.context.group_id, epoch.number, member(epoch.leaf), authenticated_data, plaintext
        )
        wire_format, signer = WireFormat.PRIVATE_MESSAGE, group.signer
        whole = signed(group.suite, signer, wire_format, content, epoch.encoded_context)
        padding = -len(plaintext) % pad_to
        return encode_message(protect_private(epoch.encryption, whole, self._ports.random, padding))

    def process(self, message: bytes) -> Event:
        """Open a message of another member and act on it.

        Nothing changes if an ``MlsError`` is raised.

        Raises:
            WrongGroup: it is of another group.
            WrongEpoch: its epoch is gone or not reached.
            DecodingError: it is no message of a group.
        """
        opened = decode_message(message)
        if not isinstance(opened, OF_GROUPS):
            raise DecodingError("not a message of a group")
        epoch = self._epoch_of(opened)
        received = receive(epoch, opened, self._ports)
        content = received.signed.content
        if isinstance(content.content, bytes):
            received.consume()
            return plaintext(epoch, received, content.content)
        if isinstance(content.content, Commit):
            return self._apply(received)
        reference = gather(self.group, received.signed, self._ports)
        received.consume()
        return Proposed(content.sender, content.content, reference)

    def header(self, message: bytes) -> Header:
        """Return whose message this is and which of theirs, without using up its key.

        Raises:
            DecodingError: it is no private message.
        """
        opened = decode_message(message)
        if not isinstance(opened, PrivateMessage):
            raise DecodingError("not a private message")
        sender = open_sender_data(self._epoch_of(opened).encryption, opened)
        return Header(opened.epoch, opened.type, sender.leaf, sender.generation)

    def skip(self, epoch: int, sender: int, generation: int) -> None:
        """Give up a sender's application messages before a generation, storing no keys.

        Raises:
            WrongEpoch: the epoch is gone or not reached.
            TooFarAhead: the distance is past the limit.
        """
        found = self._find_epoch(epoch)
        if found is None:
            raise WrongEpoch(epoch, self.epoch)
        found.secret_tree.ratchet(sender, RatchetKind.APPLICATION).skip(generation)

    # Inside.

    def _expect_member(self) -> None:
        if not self.group.is_member:
            raise StateError("we are not a member any more")

    def _find_epoch(self, number: int) -> Epoch | None:
        if number == self.epoch:
            return self.group.epoch
        return next((epoch for epoch in self._past if epoch.number == number), None)

    def _epoch_of(self, message: PublicMessage | PrivateMessage) -> Epoch:
        """Return the message's epoch, or raise WrongGroup or WrongEpoch."""
        is_private = isinstance(message, PrivateMessage)
        head = message if isinstance(message, PrivateMessage) else message.content
        current = self.group.epoch
        if head.group_id != current.context.group_id:
            raise WrongGroup("the message is of another group")
        if head.epoch == current.number:
            return current
        may_be_late = is_private and head.type is ContentType.APPLICATION
        found = self._find_epoch(head.epoch) if may_be_late else None
        if found is None:
            raise WrongEpoch(head.epoch, current.number)
        return found

    def _apply(self, received: Received) -> EpochChanged:
        had_pending = self._pending is not None
        applied = process_commit(self.group, received.signed, self._ports)
        self._enter(applied.group)
        data = received.signed.content.authenticated_data
        return epoch_changed(applied, data, dropped_pending=had_pending)

    def _enter(self, group: Group) -> None:
        """Make an epoch the current one; the old one stays for messages that are late."""
        if self._current is not None and group.epoch is not self._current.epoch:
            self._past.append(snapshots.reduced(self._current.epoch))
            del self._past[:-PAST_EPOCHS_MAX]
        self._current = group
        self._pending = None
