"""Vectors of joining: Welcome alone, and clients that join and follow a group's commits."""

from wxclient.mls.commit import Commit
from wxclient.mls.group import Group, Ports
from wxclient.mls.joining import join
from wxclient.mls.kem import KeyPair
from wxclient.mls.key_package import KeyPackage, PrivateKeyPackage
from wxclient.mls.key_schedule import epoch_secret, epoch_secrets, welcome_secret
from wxclient.mls.leaf_node import Identity, LeafNode
from wxclient.mls.messages import decode_message, expect_key_package, expect_welcome
from wxclient.mls.policy import SameIdentity
from wxclient.mls.private_message import PrivateMessage
from wxclient.mls.processing import process_commit
from wxclient.mls.proposing import gather
from wxclient.mls.psk import PskId, psk_secret
from wxclient.mls.public_message import PublicMessage
from wxclient.mls.receiving import receive
from wxclient.mls.suites import CipherSuite
from wxclient.mls.welcome import open_group_info, open_group_secrets

from .cases import Case, Mismatch, data, refused, same, suite


class Anyone(SameIdentity):
    """A policy that lets everyone do everything: the vectors know no application."""

    def accepts_successor(self, old: LeafNode, new: LeafNode) -> bool:
        """Accept."""
        del old, new
        return True

    def accepts_external_join(self, joiner: LeafNode, members: tuple[LeafNode, ...]) -> bool:
        """Accept."""
        del joiner, members
        return True


def _no_random(size: int) -> bytes:
    raise AssertionError(f"a passive client draws {size} random bytes")


def welcome(case: Case) -> None:
    """A Welcome's secrets, its GroupInfo, signature and confirmation tag."""
    chosen = suite(case)
    package = expect_key_package(data(case, "key_package"))
    received = expect_welcome(data(case, "welcome"))
    reference = package.reference(chosen)
    entries = [entry for entry in received.secrets if entry.new_member == reference]
    refused("the Welcome is for the key package", holds=len(entries) == 1)
    sealed = received.encrypted_group_info
    secrets = open_group_secrets(chosen, data(case, "init_priv"), sealed, entries[0])
    psks = psk_secret(chosen, ())
    key = welcome_secret(chosen, secrets.joiner_secret, psks)
    info = open_group_info(chosen, key, sealed)
    refused("the signature", holds=info.is_signed_by(chosen, data(case, "signer_pub")))
    secret = epoch_secret(chosen, secrets.joiner_secret, psks, info.context.encode())
    confirmation = epoch_secrets(chosen, secret).confirmation
    confirmed = info.context.confirmed_transcript_hash
    holds = chosen.mac_fits(confirmation, confirmed, info.confirmation_tag)
    refused("the confirmation tag", holds=holds)


def passive_client(case: Case) -> None:
    """A client joins, and follows the commits of others from epoch to epoch."""
    chosen = suite(case)
    psks = {data(one, "psk_id"): data(one, "psk") for one in case["external_psks"]}
    past: dict[int, bytes] = {}  # every epoch's, where a group itself remembers only a few

    def source(wanted: PskId) -> bytes | None:
        if wanted.usage is None:
            return psks.get(wanted.psk_id)
        return past.get(wanted.epoch) if wanted.group_id == group.context.group_id else None

    ports = Ports(_no_random, Anyone(), None, source)
    tree = case.get("ratchet_tree")
    group = join(
        expect_welcome(data(case, "welcome")),
        _private(case, chosen),
        ports,
        bytes.fromhex(tree) if tree else None,
    )
    _compare(group, data(case, "initial_epoch_authenticator"), "the Welcome")
    for number, epoch in enumerate(case["epochs"]):
        for proposal in epoch["proposals"]:
            _process(group, bytes.fromhex(proposal), ports)
        past[group.context.epoch] = group.secrets.resumption
        group = _process(group, data(epoch, "commit"), ports)
        _compare(group, data(epoch, "epoch_authenticator"), f"commit {number}")


def _compare(group: Group, expected: bytes, after: str) -> None:
    same(f"epoch_authenticator after {after}", expected, group.secrets.authenticator)


def _private(case: Case, chosen: CipherSuite) -> PrivateKeyPackage:
    """Return the client's key package, its private keys compared with the public ones."""
    package: KeyPackage = expect_key_package(data(case, "key_package"))
    leaf = package.leaf
    signing = data(case, "signature_priv")
    same("signature key", leaf.signature_key, chosen.signature_public(signing))
    init, encryption = data(case, "init_priv"), data(case, "encryption_priv")
    same("init key", package.init_key, chosen.kem.public(init))
    same("encryption key", leaf.encryption_key, chosen.kem.public(encryption))
    keys = KeyPair(signing, leaf.signature_key)
    identity = Identity(keys, leaf.credential, leaf.capabilities, leaf.extensions)
    return PrivateKeyPackage(package, init, encryption, identity)


def _process(group: Group, message: bytes, ports: Ports) -> Group:
    """Act on a message; raise Mismatch if it is none of a group."""
    decoded = decode_message(message)
    if not isinstance(decoded, PublicMessage | PrivateMessage):
        raise Mismatch(f"a {type(decoded).__name__} among the messages of a group")
    received = receive(group.epoch, decoded, ports)
    received.consume()
    if isinstance(received.signed.content.content, Commit):
        return process_commit(group, received.signed, ports).group
    gather(group, received.signed, ports)
    return group
