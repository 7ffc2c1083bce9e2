"""The secrets of a data directory: made at the first start, private, and never half there."""

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from .clock import system_entropy
from .files import create_directory_atomically, write_atomically
from .identity import certify, new_key, pin_of

DIRECTORY_NAME: Final = "secrets"
INVITE_KEY: Final = "invite.key"
TLS_KEY: Final = "tls.key.pem"
TLS_CERTIFICATE: Final = "tls.cert.pem"
BACKUP_KEY: Final = "backup.key.pem"
_INVITE_KEY_BYTES: Final = 32
_CHANGE_NOTICE: Final = "restore it from your backup: clients trust it, and no other"


class RefusedError(Exception):
    """The server must not or cannot start; the message says why and what to do."""


class Keys(NamedTuple):
    """The secrets, ready to use.

    Attributes:
        invite_key: makes invite codes genuine.
        certificate: path of the certificate, PEM.
        tls_key: path of its key, PEM.
        pins: hashes of the public keys that clients accept: the current and the backup one.
    """

    invite_key: bytes
    certificate: Path
    tls_key: Path
    pins: tuple[bytes, bytes]


def create_keys(data: Path) -> None:
    """Make the data directory and the secrets in it, if they are not there.

    Raises:
        RefusedError: the directory cannot be made or is not private.
    """
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_private(data)
        directory = data / DIRECTORY_NAME
        if not directory.exists():
            key = new_key()
            files = {
                INVITE_KEY: system_entropy(_INVITE_KEY_BYTES),
                TLS_KEY: key,
                TLS_CERTIFICATE: certify(key),
                BACKUP_KEY: new_key(),
            }
            create_directory_atomically(directory, files)
        _renew(directory)
    except OSError as error:
        raise RefusedError(f"{error.filename or data}: {error.strerror}") from error


def _renew(directory: Path) -> None:
    """Make what may be made anew: see "Changing the TLS key" in docs/operations.md."""
    if not (directory / BACKUP_KEY).exists():
        write_atomically(directory / BACKUP_KEY, new_key())
    key = directory / TLS_KEY
    if key.exists() and not (directory / TLS_CERTIFICATE).exists():
        write_atomically(directory / TLS_CERTIFICATE, _parsed(key, certify))


def load_keys(data: Path) -> Keys:
    """Read the secrets of a data directory.

    Raises:
        RefusedError: they are not there, damaged, or readable by others.
    """
    directory = data / DIRECTORY_NAME
    if not directory.is_dir():
        raise RefusedError(f"{data} has no secrets: start `wxserve serve --data {data}` first")
    names = (INVITE_KEY, TLS_KEY, TLS_CERTIFICATE, BACKUP_KEY)
    try:
        for path in (data, directory, *(directory / name for name in names)):
            _check_private(path)
        invite_key = (directory / INVITE_KEY).read_bytes()
    except OSError as error:
        raise RefusedError(f"{error.filename}: {error.strerror}; {_CHANGE_NOTICE}") from error
    if len(invite_key) != _INVITE_KEY_BYTES:
        raise RefusedError(f"{directory / INVITE_KEY} is damaged; {_CHANGE_NOTICE}")
    pins = (_parsed(directory / TLS_KEY, pin_of), _parsed(directory / BACKUP_KEY, pin_of))
    return Keys(invite_key, directory / TLS_CERTIFICATE, directory / TLS_KEY, pins)


def _parsed(path: Path, parse: Callable[[bytes], bytes]) -> bytes:
    try:
        return parse(path.read_bytes())
    except (ValueError, TypeError) as error:  # the parser's words for damage and for a password
        raise RefusedError(f"{path} is damaged; {_CHANGE_NOTICE}") from error


def _check_private(path: Path) -> None:
    """Refuse what other users of the machine could read or replace.

    Raises:
        RefusedError: it is not private.
        OSError: it is not there.
    """
    status = path.stat()
    if status.st_uid != os.geteuid():
        raise RefusedError(f"{path} belongs to another user; run this as that user")
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise RefusedError(
            f"{path} can be read by others; make it private with: chmod -R go-rwx {path}"
        )
