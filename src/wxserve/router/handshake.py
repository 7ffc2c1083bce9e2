"""The handshake on the server's side: HELLO, CHALLENGE, AUTH, WELCOME."""

from collections.abc import Callable
from typing import NamedTuple

import trio
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from wxserve.protocol.credentials import (
    INVITE_VERIFIER,
    DeviceKey,
    Enrolment,
    decode_credential,
)
from wxserve.protocol.errors import ErrorCode
from wxserve.protocol.exceptions import Refusal
from wxserve.protocol.frames import Auth, Challenge, Frame, Hello
from wxserve.protocol.identifiers import AccountId, DeviceId
from wxserve.protocol.versions import MAJOR, MINOR
from wxserve.store.devices import Newcomer, enrol
from wxserve.store.ports import Clock, Entropy
from wxserve.store.state import Device, Entry
from wxserve.store.store import Store

from .admission import Admission
from .invites import InviteAuthority
from .link import Link

NONCE_BYTES = 32


class Ports(NamedTuple):
    """What the handshake takes from outside."""

    clock: Clock
    entropy: Entropy


class Handshake:
    """Authenticates links. Calls ``opened`` with the link and its device when one succeeds."""

    def __init__(
        self,
        store: Store,
        admission: Admission,
        invites: InviteAuthority,
        ports: Ports,
        opened: Callable[[Link, Device, tuple[Entry, ...]], None],
    ) -> None:
        self._store = store
        self._admission = admission
        self._invites = invites
        self._ports = ports
        self._opened = opened

    def received(self, link: Link, frame: Frame) -> None:
        """Take a frame of the handshake; the state machine has checked that it may come."""
        if isinstance(frame, Hello):
            nonce = self._ports.entropy(NONCE_BYTES)
            link.send(Challenge(MAJOR, MINOR, nonce, self._ports.clock.now_ms()))
        elif isinstance(frame, Auth):
            self._authenticate(link, frame)

    def _authenticate(self, link: Link, auth: Auth) -> None:
        credential = decode_credential(auth.credential)
        signed = link.connection.transcript.to_sign(link.binding, auth.credential)
        try:
            self._admit(link, credential)
            if isinstance(credential, DeviceKey):
                self._log_in(link, credential, auth.signature, signed)
            else:
                self._enrol(link, credential, auth.signature, signed)
        except Refusal as refusal:
            self._fail(link, refusal)

    def _admit(self, link: Link, credential: DeviceKey | Enrolment) -> None:
        action = "login" if isinstance(credential, DeviceKey) else "enrol"
        refusal = self._admission.check(action, trio.current_time(), address=link.address.encode())
        if refusal is not None:
            raise refusal

    def _log_in(self, link: Link, credential: DeviceKey, signature: bytes, signed: bytes) -> None:
        """Let a device in that proves its key; one answer for every reason why it does not."""

        def found(device: Device | Refusal | None) -> None:
            if isinstance(device, Refusal):
                self._fail(link, device)
            elif device is None or not proves(device, credential, signature, signed):
                self._fail(link, Refusal(ErrorCode.AUTH_FAILED))
            elif device.revoked:
                self._fail(link, Refusal(ErrorCode.DEVICE_REVOKED))
            else:
                self._opened(link, device, ())

        self._store.with_device(credential.device, found)

    def _enrol(self, link: Link, credential: Enrolment, signature: bytes, signed: bytes) -> None:
        if credential.verifier != INVITE_VERIFIER:
            raise Refusal(ErrorCode.VERIFIER_UNKNOWN)
        invitation = self._invites.check(credential.proof)
        if not verifies(credential.public_key, signature, signed):
            raise Refusal(ErrorCode.AUTH_FAILED)
        newcomer = Newcomer(
            invitation.id,
            invitation.expires_ms,
            invitation.account,
            AccountId(self._ports.entropy(16)),
            DeviceId(self._ports.entropy(8)),
            credential.public_key,
            credential.account_name,
            credential.device_name,
        )
        limits = self._store.limits
        self._store.submit(lambda tx: enrol(tx, newcomer, limits), self._answer(link))

    def _answer(self, link: Link) -> Callable[[Device | Refusal, tuple[Entry, ...]], None]:
        def done(value: Device | Refusal, entries: tuple[Entry, ...]) -> None:
            if isinstance(value, Refusal):
                self._fail(link, value)
            else:
                self._opened(link, value, entries)

        return done

    def _fail(self, link: Link, refusal: Refusal) -> None:
        """Refuse the log-in; after too many failures the address has to wait, told alike."""
        if not refusal.temporary:
            waiting = self._admission.check(
                "login_failed", trio.current_time(), address=link.address.encode()
            )
            refusal = waiting or refusal
        link.fail(refusal.reply)


def proves(device: Device, credential: DeviceKey, signature: bytes, signed: bytes) -> bool:
    """Whether a credential is that of a device."""
    return device.account == credential.account and verifies(device.public_key, signature, signed)


def verifies(public_key: bytes, signature: bytes, signed: bytes) -> bool:
    """Whether an Ed25519 signature holds; False as well for a key that is none."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, signed)
    except (InvalidSignature, ValueError):
        return False
    return True
