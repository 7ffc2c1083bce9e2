"""Messaging Layer Security, RFC 9420: the engine of end-to-end encryption, sans-I/O.

One module per chapter of the RFC. An application needs ``GroupCipher``, ``new_key_package`` and the
names below; everything that can go wrong is an ``MlsError``.
"""

from .committing import Options
from .credentials import Credential, basic
from .errors import (
    CryptoError,
    DecodingError,
    KeyConsumed,
    MissingProposal,
    MissingPsk,
    MissingTree,
    MlsError,
    NotForUs,
    OwnMessage,
    RuleBroken,
    SnapshotError,
    StateError,
    TooFarAhead,
    UnsupportedError,
    WrongEpoch,
    WrongGroup,
)
from .events import (
    EpochChanged,
    Event,
    Header,
    Member,
    Outgoing,
    Plaintext,
    Proposed,
)
from .extensions import (
    Capabilities,
    Extension,
    ExternalSender,
    Lifetime,
    RequiredCapabilities,
    external_senders_extension,
)
from .external_joining import ExternalJoin
from .group import Ports
from .group_cipher import GroupCipher
from .kem import KeyPair
from .key_package import PrivateKeyPackage, decode_private, encode_private, new_key_package
from .leaf_node import Identity, LeafNode
from .messages import encode_message, expect_key_package
from .policy import CredentialPolicy, Place, SameIdentity
from .proposals import (
    Add,
    ContextExtensions,
    ExternalInit,
    PreSharedKey,
    Proposal,
    ReInit,
    Remove,
    Update,
)
from .proposing import Outside, propose_from_outside, propose_own_add
from .psk import PskId, PskSource, Usage
from .rules import Rule
from .suites import (
    SUITES,
    X25519_AES128GCM_SHA256_ED25519,
    XWING_AES256GCM_SHA512_ED25519,
    CipherSuite,
    suite_of,
)

__all__ = [
    "SUITES",
    "X25519_AES128GCM_SHA256_ED25519",
    "XWING_AES256GCM_SHA512_ED25519",
    "Add",
    "Capabilities",
    "CipherSuite",
    "ContextExtensions",
    "Credential",
    "CredentialPolicy",
    "CryptoError",
    "DecodingError",
    "EpochChanged",
    "Event",
    "Extension",
    "ExternalInit",
    "ExternalJoin",
    "ExternalSender",
    "GroupCipher",
    "Header",
    "Identity",
    "KeyConsumed",
    "KeyPair",
    "LeafNode",
    "Lifetime",
    "Member",
    "MissingProposal",
    "MissingPsk",
    "MissingTree",
    "MlsError",
    "NotForUs",
    "Options",
    "Outgoing",
    "Outside",
    "OwnMessage",
    "Place",
    "Plaintext",
    "Ports",
    "PreSharedKey",
    "PrivateKeyPackage",
    "Proposal",
    "Proposed",
    "PskId",
    "PskSource",
    "ReInit",
    "Remove",
    "RequiredCapabilities",
    "Rule",
    "RuleBroken",
    "SameIdentity",
    "SnapshotError",
    "StateError",
    "TooFarAhead",
    "UnsupportedError",
    "Update",
    "Usage",
    "WrongEpoch",
    "WrongGroup",
    "basic",
    "decode_private",
    "encode_message",
    "encode_private",
    "expect_key_package",
    "external_senders_extension",
    "new_key_package",
    "propose_from_outside",
    "propose_own_add",
    "suite_of",
]
