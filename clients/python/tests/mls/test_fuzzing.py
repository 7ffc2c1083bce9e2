"""Any bytes given to any decoder: a value that is written as it was read, or an ``MlsError``."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wxclient import mls
from wxclient.mls import codec
from wxclient.mls.codec import Reader, decode
from wxclient.mls.commit import Commit
from wxclient.mls.credentials import Credential
from wxclient.mls.extensions import Capabilities, ExternalSender, RequiredCapabilities
from wxclient.mls.framing import AuthenticatedContent
from wxclient.mls.key_package import KeyPackage
from wxclient.mls.key_schedule import GroupContext
from wxclient.mls.leaf_node import LeafNode
from wxclient.mls.messages import decode_message
from wxclient.mls.private_message import PrivateMessage
from wxclient.mls.proposals import encode_proposal, read_proposal
from wxclient.mls.psk import PskId
from wxclient.mls.public_message import PublicMessage
from wxclient.mls.ratchet_tree import RatchetTree
from wxclient.mls.treekem import UpdatePath
from wxclient.mls.welcome import GroupInfo, GroupSecrets, Welcome

from .scene import PORTS, SUITE, client, filled_group, group_of, published

READERS: tuple[Callable[[Reader], codec.Encodable], ...] = (
    AuthenticatedContent.read,
    Capabilities.read,
    Commit.read,
    Credential.read,
    ExternalSender.read,
    GroupContext.read,
    GroupInfo.read,
    GroupSecrets.read,
    KeyPackage.read,
    LeafNode.read,
    PrivateMessage.read,
    PskId.read,
    PublicMessage.read,
    RequiredCapabilities.read,
    UpdatePath.read,
    Welcome.read,
)
FEW = settings(max_examples=60)


@pytest.mark.parametrize("read", READERS, ids=lambda read: read.__qualname__)
@FEW
@given(data=st.binary(max_size=200))
def test_structure_from_any_bytes_is_written_as_it_was_read(
    read: Callable[[Reader], codec.Encodable], data: bytes
) -> None:
    try:
        value = decode(data, read)
    except mls.MlsError:
        return
    assert value.encode() == data


@FEW
@given(data=st.binary(max_size=200))
def test_proposal_from_any_bytes_is_written_as_it_was_read(data: bytes) -> None:
    try:
        value = decode(data, read_proposal)
    except mls.MlsError:
        return
    assert encode_proposal(value) == data


@FEW
@given(data=st.binary(max_size=200))
def test_tree_from_any_bytes_is_written_as_it_was_read(data: bytes) -> None:
    try:
        tree = RatchetTree.decode(SUITE, data)
    except mls.MlsError:
        return
    assert tree.encode() == data


def samples() -> list[bytes]:
    """Return real messages of every kind."""
    first, second = group_of(2)
    package = published(client("new").package())
    outgoing = first.add([package], mls.Options(encrypted=False))
    return [
        package,
        outgoing.message,
        outgoing.welcome or b"",
        outgoing.group_info,
        second.encrypt(b"text"),
        second.propose(mls.Remove(0), encrypted=False),
    ]


SAMPLES = samples()
CUTS = st.tuples(st.integers(0, 400), st.integers(0, 40), st.binary(max_size=40))


@settings(max_examples=300)
@given(sample=st.sampled_from(SAMPLES), cut=CUTS)
def test_message_with_bytes_replaced_is_written_as_it_was_read_or_refused(
    sample: bytes, cut: tuple[int, int, bytes]
) -> None:
    start, size, replacement = cut
    data = sample[:start] + replacement + sample[start + size :]
    try:
        message = decode_message(data)
    except mls.MlsError:
        return
    assert mls.encode_message(message) == data


VICTIM = group_of(2)[1]
BEFORE = VICTIM.snapshot()


@FEW
@given(data=st.binary(max_size=300) | st.sampled_from(SAMPLES))
def test_member_given_any_bytes_refuses_and_stays_as_it_was(data: bytes) -> None:
    with pytest.raises(mls.MlsError):
        VICTIM.process(data)
    assert VICTIM.snapshot() == BEFORE


STATE = filled_group(3)[0].snapshot()


@FEW
@given(cut=CUTS, at=st.integers(0, len(STATE)))
def test_damaged_snapshot_is_refused_or_restored(cut: tuple[int, int, bytes], at: int) -> None:
    _, size, replacement = cut
    data = STATE[:at] + replacement + STATE[at + size :]
    try:
        mls.GroupCipher.restore(data, PORTS)
    except mls.SnapshotError:
        return


@pytest.mark.parametrize("data", [b"", b"\0", b"\2", STATE[:-1], STATE + b"\0"])
def test_snapshot_of_another_version_or_length_is_refused(data: bytes) -> None:
    with pytest.raises(mls.SnapshotError):
        mls.GroupCipher.restore(data, PORTS)


@pytest.mark.parametrize(
    "data",
    [
        "bfffffff",  # a length of 1 GiB with nothing after it
        "c0000000",  # an invalid prefix
        "4001" + "00" * 1,  # not the shortest form
        "80000040" + "00" * 64,
    ],
)
def test_length_that_lies_is_refused_without_reading_on(data: str) -> None:
    with pytest.raises(mls.DecodingError):
        decode(bytes.fromhex(data), Reader.opaque)
    with pytest.raises(mls.DecodingError):
        decode(bytes.fromhex(data), lambda reader: reader.vector(Reader.u8))
