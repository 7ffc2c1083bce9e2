"""What AUTH carries: the proof of a known device, or the enrolment of a new one."""

from typing import Annotated, Final, NamedTuple

from .errors import ErrorCode
from .exceptions import RemoteProtocolError
from .fields import U8, Bin32, Bytes, Text
from .frames import Account, Device, Name
from .packing import pack, unpack
from .schema import Schema

DEVICE_KEY: Final = 1
ENROLMENT: Final = 2
INVITE_VERIFIER: Final = "invite"


class DeviceKey(NamedTuple):
    """Log in as an enrolled device; AUTH is signed by its key.

    Attributes:
        method: 1.
        account: whose device this is.
        device: which one.
    """

    method: U8
    account: Account
    device: Device


class Enrolment(NamedTuple):
    """Enrol a new device; AUTH is signed by the new key, which proves its possession.

    Attributes:
        method: 2.
        verifier: who judges the proof: "invite".
        proof: what the verifier asks for: the bytes of the invite code.
        public_key: Ed25519, 32 bytes.
        account_name: of the new account; ignored when the code is for an account that exists.
        device_name: of the new device.
    """

    method: U8
    verifier: Annotated[str, Text(32)]
    proof: Annotated[bytes, Bytes(0, 512)]
    public_key: Bin32
    account_name: Name
    device_name: Name


Credential = DeviceKey | Enrolment
_METHODS: Final[dict[int, tuple[type[Credential], Schema]]] = {
    DEVICE_KEY: (DeviceKey, Schema(DeviceKey)),
    ENROLMENT: (Enrolment, Schema(Enrolment)),
}


def encode_credential(credential: Credential) -> bytes:
    """Return the bytes of a credential."""
    return pack(credential)


def decode_credential(data: bytes) -> Credential:
    """Return the credential in exactly these bytes.

    Raises:
        RemoteProtocolError: MALFORMED_FRAME.
    """
    row = unpack(data)
    method = row[0] if row else None
    known = _METHODS.get(method) if type(method) is int else None
    if known is None:
        raise RemoteProtocolError(ErrorCode.MALFORMED_FRAME, "Auth: unknown method")
    credential_class, schema = known
    if not schema.accepts(row):
        raise RemoteProtocolError(
            ErrorCode.MALFORMED_FRAME, f"Auth: credential, {schema.fault(row)}"
        )
    return credential_class(*row)
