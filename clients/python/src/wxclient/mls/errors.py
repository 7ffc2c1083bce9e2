"""What can go wrong, by whose fault: the bytes, the sender, the order of messages, or the caller."""

from .rules import Rule


class MlsError(Exception):
    """Base of everything this package raises on purpose; the state is as it was before the call."""


class DecodingError(MlsError):
    """The bytes are not an encoding of what they should be (section 2.1)."""


class UnsupportedError(MlsError):
    """Well-formed, but of a version, cipher suite or kind that this engine does not have."""


class CryptoError(MlsError):
    """A ciphertext does not open, or a key is not one."""


class RuleBroken(MlsError):
    """The message breaks a rule of the RFC; ``rule`` says which."""

    def __init__(self, rule: Rule, detail: str = "") -> None:
        super().__init__(f"{rule.value}: {detail}" if detail else rule.value)
        self.rule = rule


class WrongGroup(MlsError):
    """The message belongs to another group."""


class WrongEpoch(MlsError):
    """The message belongs to an epoch that is gone, or to one not reached yet."""

    def __init__(self, epoch: int, current: int) -> None:
        super().__init__(f"the message is of epoch {epoch}, the group is in {current}")
        self.epoch = epoch
        self.current = current


class KeyConsumed(MlsError):
    """The key of this generation was used or given up: a repeated or a skipped message."""


class TooFarAhead(MlsError):
    """The generation is more than the limit ahead; see ``GroupCipher.skip``."""


class OwnMessage(MlsError):
    """A member cannot open what it sent itself (section 9.1: its key is deleted)."""


class NotForUs(MlsError):
    """The Welcome holds no secrets for this key package."""


class MissingPsk(MlsError):
    """A pre-shared key that the commit or Welcome needs is not known here."""


class MissingProposal(MlsError):
    """The commit refers to a proposal that did not arrive."""


class MissingTree(MlsError):
    """The ratchet tree is neither in the GroupInfo nor given beside it (section 12.4.3.3)."""


class StateError(MlsError):
    """The call does not fit the state: a pending commit, a removed member, a re-initialised group."""


class SnapshotError(MlsError):
    """The stored state cannot be read: of a later version, or damaged."""
