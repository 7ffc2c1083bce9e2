"""One client of agentvault-mls-rs-uniffi: a request per line on stdin, a reply per line on stdout.

Both are JSON, bytes are hex. The folder with the engine is the one argument. A commit counts at
once: the test is the server, and accepts it. Nothing of this project is imported here.
"""

import importlib
import json
import sys
from typing import Any

sys.path.insert(0, sys.argv[1])
mls: Any = importlib.import_module("mls_rs_uniffi")

Reply = dict[str, str | None]


class Engine:
    """The client and its one group."""

    def __init__(self) -> None:
        self.client: Any = None
        self.group: Any = None
        self.identities: dict[str, Any] = {}
        """Of those who sent something: the only way here to name a member."""

    def start(self, suite: int, name: str) -> Reply:
        """Make the client."""
        if suite != 1:
            raise ValueError(f"suite {suite} is not offered")
        self.group, self.identities = None, {}
        keys = mls.generate_signature_keypair(mls.CipherSuite.CURVE25519_AES128)
        self.client = mls.Client(name.encode(), keys, mls.client_config_default())
        return {}

    def package(self) -> Reply:
        """Make a key package; the engine keeps its private keys."""
        return {"package": self.client.generate_key_package_message().to_bytes().hex()}

    def create(self, group: str) -> Reply:
        """Create a group."""
        self.group = self.client.create_group(bytes.fromhex(group))
        return {}

    def join(self, welcome: str) -> Reply:
        """Join by a Welcome that has the tree in it."""
        self.group = self.client.join_group(None, _message(welcome)).group
        return {}

    def add(self, packages: list[str]) -> Reply:
        """Commit additions."""
        return self._enter(self.group.add_members([_message(one) for one in packages]))

    def remove(self, leaf: int, name: str) -> Reply:
        """Commit the removal of somebody who sent something before."""
        return self._enter(self.group.remove_members([self.identities[name]]))

    def commit(self) -> Reply:
        """Commit what was proposed, and new keys."""
        return self._enter(self.group.commit())

    def propose_add(self, package: str) -> Reply:
        """Propose an addition."""
        (made,) = self.group.propose_add_members([_message(package)])
        return {"message": made.to_bytes().hex()}

    def propose_remove(self, leaf: int, name: str) -> Reply:
        """Propose the removal of somebody who sent something before."""
        (made,) = self.group.propose_remove_members([self.identities[name]])
        return {"message": made.to_bytes().hex()}

    def encrypt(self, data: str, aad: str) -> Reply:
        """Encrypt an application message; no authenticated data can be given."""
        if aad:
            raise ValueError("authenticated data is not offered")
        return {
            "message": self.group.encrypt_application_message(bytes.fromhex(data)).to_bytes().hex()
        }

    def process(self, message: str, sender: str) -> Reply:
        """Open a message; the test says whose it is."""
        received = self.group.process_incoming_message(_message(message))
        if received.is_application_message():
            self.identities[sender] = received.sender
            return {"data": received.data.hex()}
        if received.is_commit():
            self.group.write_to_storage()
        return {"data": None}

    def secrets(self, label: str, context: str, size: int) -> Reply:
        """Export a secret; the epoch authenticator is not to be had."""
        exported = self.group.export_secret(label.encode(), bytes.fromhex(context), size)
        return {"exported": exported.hex(), "authenticator": None}

    def _enter(self, made: Any) -> Reply:
        commit = made.commit_message.to_bytes()
        self.group.process_incoming_message(mls.Message.from_bytes(commit))
        self.group.write_to_storage()
        welcome = made.welcome_message
        return {
            "message": commit.hex(),
            "welcome": None if welcome is None else welcome.to_bytes().hex(),
        }


def _message(text: str) -> Any:
    return mls.Message.from_bytes(bytes.fromhex(text))


def serve() -> None:
    """Answer until stdin ends."""
    engine = Engine()
    for line in sys.stdin:
        request = json.loads(line)
        operation = getattr(engine, request.pop("op"))
        try:
            reply = operation(**request)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test is told
            reply = {"error": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(reply) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
