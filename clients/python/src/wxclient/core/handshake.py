"""HELLO, CHALLENGE, AUTH, WELCOME: who we are, and whether the server's memory fits ours."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from wxclient._protocol import frames as f
from wxclient._protocol.credentials import (
    DEVICE_KEY,
    ENROLMENT,
    INVITE_VERIFIER,
    Credential,
    DeviceKey,
    Enrolment,
    encode_credential,
)
from wxclient._protocol.errors import ErrorCode
from wxclient._protocol.exceptions import RemoteProtocolError
from wxclient._protocol.transcript import Binding
from wxclient._protocol.versions import VERSIONS
from wxclient.events import TimelineChanged
from wxclient.exceptions import ForeignTimeline, StateRolledBack

from .device import Device
from .wire import Ending, Wire

AGENT = "wxclient-python/0.1"


class Handshake:
    """Logs in with the device's key, or enrols it with an invite.

    The key is durable before the first attempt, so an attempt whose WELCOME was lost is repeated
    with the same key and ends in the same account and device.
    """

    __slots__ = ("_binding", "_device", "_wire")

    def __init__(self, device: Device, wire: Wire, binding: Binding) -> None:
        self._device = device
        self._wire = wire
        self._binding = binding

    def start(self) -> None:
        """Send HELLO."""
        self._wire.write(f.Hello(VERSIONS, self._device.entropy(32), AGENT))

    def challenged(self) -> None:
        """Answer CHALLENGE with AUTH."""
        key = Ed25519PrivateKey.from_private_bytes(self._device.identity.private_key)
        data = encode_credential(self._credential(key.public_key().public_bytes_raw()))
        to_sign = self._wire.transcript.to_sign(self._binding, data)
        self._wire.write(f.Auth(data, key.sign(to_sign)))

    def _credential(self, public_key: bytes) -> Credential:
        identity = self._device.identity
        if identity.account is not None and identity.device is not None:
            return DeviceKey(DEVICE_KEY, identity.account, identity.device)
        return Enrolment(
            ENROLMENT, INVITE_VERIFIER, identity.code, public_key, identity.account_name,
            identity.device_name,
        )  # fmt: skip

    def welcomed(self, welcome: f.Welcome) -> Ending | None:
        """Judge WELCOME: None to go on, or why not.

        Raises:
            RemoteProtocolError: it is for another device.
        """
        device, identity = self._device, self._device.identity
        if identity.device is None:
            device.welcomed(welcome)
        elif (identity.account, identity.device) != (welcome.account, welcome.device):
            raise RemoteProtocolError(ErrorCode.UNEXPECTED_FRAME, "welcome for another device")
        elif identity.timeline != welcome.timeline:
            return self._other_timeline(welcome)
        known, own = max(welcome.op_last, welcome.op_floor - 1), device.outbox.op_last
        if known > own:
            return Ending(StateRolledBack(known, own), final=True)
        return None

    def _other_timeline(self, welcome: f.Welcome) -> Ending:
        """End here: what was received must be clipped to the server's cut before going on."""
        cut = dict(welcome.cuts).get(self._device.identity.timeline)
        if cut is None:
            return Ending(ForeignTimeline("the server never was in our timeline"), final=True)
        self._device.events.append(TimelineChanged(welcome.timeline, cut))
        return Ending(None)
