"""Members of a group that run different engines, driven alike.

Every commit counts at once: the scene is the server, and accepts it.
"""

import json
import secrets
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

from wxclient import mls

REPLY_SECONDS_MAX = 50


class Refused(Exception):
    """An engine reports an error."""


class Commit(NamedTuple):
    """A commit, with the Welcome for those it adds."""

    message: bytes
    welcome: bytes | None = None


class Secrets(NamedTuple):
    """What members of an epoch share, as the engine itself gives it."""

    exported: bytes
    authenticator: bytes | None
    """None from an engine that does not show it."""


class Party(Protocol):
    """A client with at most one group."""

    name: str

    def package(self) -> bytes:
        """Return a key package."""

    def create(self) -> None:
        """Create a group."""

    def join(self, welcome: bytes) -> None:
        """Join by a Welcome."""

    def join_externally(self, group_info: bytes) -> Commit:
        """Join by an external commit."""

    def group_info(self) -> bytes:
        """Return the GroupInfo for external commits, with the tree."""

    def add(self, packages: Sequence[bytes]) -> Commit:
        """Commit additions."""

    def remove(self, leaf: int, name: str) -> Commit:
        """Commit a removal."""

    def commit(self) -> Commit:
        """Commit what was proposed, and new keys."""

    def commit_public(self, data: bytes) -> Commit:
        """Commit new keys by a public message with authenticated data."""

    def commit_psk(self, psk: bytes) -> Commit:
        """Commit the use of a pre-shared key."""

    def add_psk(self, psk: bytes, key: bytes) -> None:
        """Learn a pre-shared key."""

    def propose_add(self, package: bytes) -> bytes:
        """Propose an addition."""

    def propose_remove(self, leaf: int, name: str) -> bytes:
        """Propose a removal."""

    def encrypt(self, data: bytes, authenticated_data: bytes = b"") -> bytes:
        """Encrypt an application message."""

    def process(self, message: bytes, sender: str) -> bytes | None:
        """Open a message; return the text if it is one, or raise Refused."""

    def secrets(self, label: bytes, context: bytes, size: int) -> Secrets:
        """Return what the epoch's members share."""


class Open(mls.SameIdentity):
    """Anyone may join by an external commit: these groups have no directory."""

    def accepts_external_join(
        self, joiner: mls.LeafNode, members: tuple[mls.LeafNode, ...]
    ) -> bool:
        """Accept everyone."""
        return True


class Ours:
    """The engine that is tested."""

    def __init__(self, name: str, suite: int) -> None:
        self.name = name
        self._suite = mls.suite_of(suite)
        self._psks: dict[bytes, bytes] = {}
        key = self._suite.new_signature_key(secrets.token_bytes)
        self._identity = mls.Identity(key, mls.basic(name.encode()))
        self._ports = mls.Ports(
            secrets.token_bytes, Open(), psks=lambda wanted: self._psks.get(wanted.psk_id)
        )
        self._package: mls.PrivateKeyPackage | None = None
        self._group: mls.GroupCipher | None = None
        self.authenticated_data = b""
        """Of the last message that was opened."""

    @property
    def cipher(self) -> mls.GroupCipher:
        """The group."""
        assert self._group is not None, "in no group"
        return self._group

    def package(self) -> bytes:
        self._package = mls.new_key_package(self._suite, self._identity, secrets.token_bytes)
        return mls.encode_message(self._package.public)

    def create(self) -> None:
        self._group = mls.GroupCipher.create(
            self._suite.code, self._identity, b"a group of many", self._ports
        )

    def join(self, welcome: bytes) -> None:
        assert self._package is not None, "no key package was made"
        self._group = mls.GroupCipher.join(welcome, self._package, self._ports)

    def join_externally(self, group_info: bytes) -> Commit:
        wanted = mls.ExternalJoin(self._identity)
        self._group, made = mls.GroupCipher.join_externally(group_info, wanted, self._ports)
        return self._merged(made)

    def group_info(self) -> bytes:
        return self.cipher.group_info(with_tree=True)

    def add(self, packages: Sequence[bytes]) -> Commit:
        return self._merged(self.cipher.add(packages))

    def remove(self, leaf: int, name: str) -> Commit:
        return self._merged(self.cipher.remove([leaf]))

    def commit(self) -> Commit:
        return self._merged(self.cipher.commit())

    def commit_public(self, data: bytes) -> Commit:
        options = mls.Options(encrypted=False, authenticated_data=data)
        return self._merged(self.cipher.commit((), options))

    def commit_psk(self, psk: bytes) -> Commit:
        return self._merged(self.cipher.commit([self.cipher.external_psk(psk)]))

    def add_psk(self, psk: bytes, key: bytes) -> None:
        self._psks[psk] = key

    def propose_add(self, package: bytes) -> bytes:
        return self.cipher.propose(mls.Add(mls.expect_key_package(package)))

    def propose_remove(self, leaf: int, name: str) -> bytes:
        return self.cipher.propose(mls.Remove(leaf))

    def propose_update(self) -> bytes:
        """Propose new keys; no foreign engine here can."""
        return self.cipher.propose_update()

    def encrypt(self, data: bytes, authenticated_data: bytes = b"") -> bytes:
        return self.cipher.encrypt(data, authenticated_data)

    def process(self, message: bytes, sender: str) -> bytes | None:
        try:
            event = self.cipher.process(message)
        except mls.MlsError as error:
            raise Refused(repr(error)) from error
        if isinstance(event, mls.Plaintext):
            assert event.sender.credential.identity == sender.encode()
            self.authenticated_data = event.authenticated_data
            return event.data
        if isinstance(event, mls.EpochChanged):
            self.authenticated_data = event.authenticated_data
        return None

    def secrets(self, label: bytes, context: bytes, size: int) -> Secrets:
        return Secrets(self.cipher.export(label, context, size), self.cipher.epoch_authenticator)

    def _merged(self, made: mls.Outgoing) -> Commit:
        self.cipher.merge_pending()
        return Commit(made.message, made.welcome)


class Foreign:
    """An engine in a process of its own: JSON lines in and out."""

    def __init__(self, command: Sequence[str]) -> None:
        self.name = ""
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed in close
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors
        )

    def start(self, name: str, suite: int) -> None:
        """Become a new client."""
        self.name = name
        self._ask("start", suite=suite, name=name)

    def package(self) -> bytes:
        return self._bytes("package", "package")

    def create(self) -> None:
        self._ask("create", group=b"a group of many")

    def join(self, welcome: bytes) -> None:
        self._ask("join", welcome=welcome)

    def join_externally(self, group_info: bytes) -> Commit:
        return self._commit("join_externally", group_info=group_info)

    def group_info(self) -> bytes:
        return self._bytes("group_info", "group_info")

    def add(self, packages: Sequence[bytes]) -> Commit:
        return self._commit("add", packages=[one.hex() for one in packages])

    def remove(self, leaf: int, name: str) -> Commit:
        return self._commit("remove", leaf=leaf, name=name)

    def commit(self) -> Commit:
        return self._commit("commit")

    def commit_public(self, data: bytes) -> Commit:
        return self._commit("commit", aad=data, encrypted=False)

    def commit_psk(self, psk: bytes) -> Commit:
        return self._commit("commit_psk", id=psk)

    def add_psk(self, psk: bytes, key: bytes) -> None:
        self._ask("add_psk", id=psk, key=key)

    def propose_add(self, package: bytes) -> bytes:
        return self._bytes("propose_add", "message", package=package)

    def propose_remove(self, leaf: int, name: str) -> bytes:
        return self._bytes("propose_remove", "message", leaf=leaf, name=name)

    def encrypt(self, data: bytes, authenticated_data: bytes = b"") -> bytes:
        return self._bytes("encrypt", "message", data=data, aad=authenticated_data)

    def process(self, message: bytes, sender: str) -> bytes | None:
        return _unhexed(self._ask("process", message=message, sender=sender)["data"])

    def secrets(self, label: bytes, context: bytes, size: int) -> Secrets:
        reply = self._ask("secrets", label=label.decode(), context=context, size=size)
        return Secrets(bytes.fromhex(reply["exported"]), _unhexed(reply["authenticator"]))

    def close(self) -> None:
        """End the process."""
        with self._errors, self._process:
            assert self._process.stdin is not None
            self._process.stdin.close()  # it ends by itself; if not, it is made to
            with _alarm(self._process):
                self._process.wait()

    def _ask(self, operation: str, **fields: Any) -> dict[str, Any]:
        hexed = {
            key: value.hex() if isinstance(value, bytes) else value for key, value in fields.items()
        }
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps({"op": operation, **hexed}).encode() + b"\n")
        stdin.flush()
        with _alarm(self._process):
            line = stdout.readline()
        if not line:
            self._errors.seek(0)
            raise AssertionError(f"{self.name} died: {self._errors.read().decode()[-2000:]}")
        reply: dict[str, Any] = json.loads(line)
        if "error" in reply:
            raise Refused(f"{self.name}: {operation}: {reply['error']}")
        return reply

    def _bytes(self, operation: str, field: str, **fields: Any) -> bytes:
        return bytes.fromhex(self._ask(operation, **fields)[field])

    def _commit(self, operation: str, **fields: Any) -> Commit:
        reply = self._ask(operation, **fields)
        return Commit(bytes.fromhex(reply["message"]), _unhexed(reply.get("welcome")))


@contextmanager
def _alarm(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    """Kill a process that keeps us waiting."""
    timer = threading.Timer(REPLY_SECONDS_MAX, process.kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _unhexed(text: str | None) -> bytes | None:
    return None if text is None else bytes.fromhex(text)
