"""Makes the small set of vectors that is checked in: ``python -m clients.python.tests.mls.own_vectors``.

They are written by this engine, so they prove no agreement with others; they notice a change of
what is on the wire, and keep the runner tested where the official files are not at hand.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from wxclient import mls
from wxclient.mls import key_schedule as schedule
from wxclient.mls.key_schedule import GroupContext
from wxclient.mls.psk import external_psk, psk_secret
from wxclient.mls.secret_tree import RatchetKind, SecretTree
from wxclient.mls.suites import MLS10
from wxclient.mls.vectors.schedule import DERIVED

from .scene import DICE, PORTS, client, published

FOLDER = Path(__file__).parent / "vectors"
PSK_ID, PSK = b"a key", b"its value"
PSK_PORTS = PORTS._replace(psks=lambda wanted: PSK if wanted.psk_id == PSK_ID else None)
SUITES = [mls.suite_of(code) for code in mls.SUITES]
Case = dict[str, Any]


def passive_client(suite: mls.CipherSuite, *, tree_beside: bool) -> Case:
    """Return the case of a client that joins and follows commits of every kind."""
    names = [client(str(number), suite) for number in range(4)]
    creator = mls.GroupCipher.create(suite.code, names[0].identity, b"group", PSK_PORTS)
    package = names[1].package()
    second = names[2].package()
    options = mls.Options(tree_in_welcome=not tree_beside)
    outgoing = creator.add([published(package), published(second)], options)
    creator.merge_pending()
    welcome, tree = outgoing.welcome or b"", outgoing.tree
    case: Case = {
        "cipher_suite": suite.code,
        "external_psks": [{"psk_id": PSK_ID.hex(), "psk": PSK.hex()}],
        "key_package": published(package).hex(),
        "signature_priv": names[1].identity.signature_key.private.hex(),
        "encryption_priv": package.encryption_key.hex(),
        "init_priv": package.init_key.hex(),
        "welcome": welcome.hex(),
        "ratchet_tree": tree.hex() if tree_beside else None,
        "initial_epoch_authenticator": creator.epoch_authenticator.hex(),
    }
    other = mls.GroupCipher.join(welcome, second, PSK_PORTS, tree)
    case["epochs"] = _epochs(creator, other, names[3].package())
    return case


def _epochs(
    creator: mls.GroupCipher,
    other: mls.GroupCipher,
    added: mls.PrivateKeyPackage,
) -> list[Case]:
    epochs = []
    update = other.propose_update()
    creator.process(update)
    proposals: list[mls.Proposal] = [mls.Add(added.public), creator.external_psk(PSK_ID)]
    epochs.append(_epoch(creator, [other], proposals, [update]))
    epochs.append(_epoch(other, [creator], [mls.Remove(3)], []))
    wanted = mls.ExternalJoin(client("0", creator.group.suite).identity, removes=0)
    info = other.group_info(with_tree=True)
    joined, outgoing = mls.GroupCipher.join_externally(info, wanted, PSK_PORTS)
    joined.merge_pending()
    other.process(outgoing.message)
    authenticator = other.epoch_authenticator.hex()
    epochs.append({
        "proposals": [],
        "commit": outgoing.message.hex(),
        "epoch_authenticator": authenticator,
    })
    return epochs


def _epoch(
    committer: mls.GroupCipher,
    receivers: Sequence[mls.GroupCipher],
    proposals: Sequence[mls.Proposal],
    sent: Sequence[bytes],
) -> Case:
    outgoing = committer.commit(proposals)
    committer.merge_pending()
    for one in receivers:
        one.process(outgoing.message)
    return {
        "proposals": [message.hex() for message in sent],
        "commit": outgoing.message.hex(),
        "epoch_authenticator": committer.epoch_authenticator.hex(),
    }


def key_schedule(suite: mls.CipherSuite) -> Case:
    """Return the case of two epochs' secrets."""
    size = suite.hash_size
    init = DICE(size)
    case: Case = {
        "cipher_suite": suite.code,
        "group_id": b"group".hex(),
        "initial_init_secret": init.hex(),
    }
    epochs = []
    for number in range(2):
        given = {
            name: DICE(size)
            for name in ("tree_hash", "commit_secret", "psk_secret", "confirmed_transcript_hash")
        }
        hashes = given["tree_hash"], given["confirmed_transcript_hash"]
        context = GroupContext(MLS10, suite.code, b"group", number, *hashes, ()).encode()
        joiner = schedule.joiner_secret(suite, init, given["commit_secret"], context)
        psks = given["psk_secret"]
        secret = schedule.epoch_secret(suite, joiner, psks, context)
        secrets = schedule.epoch_secrets(suite, secret)
        init = secrets.init
        exported = schedule.export(suite, secrets.exporter, b"label", b"context", 32)
        epochs.append({
            **{name: value.hex() for name, value in given.items()},
            "group_context": context.hex(),
            "joiner_secret": joiner.hex(),
            "welcome_secret": schedule.welcome_secret(suite, joiner, psks).hex(),
            **{name: getattr(secrets, part).hex() for name, part in DERIVED.items()},
            "external_pub": schedule.external_keys(suite, secrets.external).public.hex(),
            "exporter": {
                "label": "label",
                "context": b"context".hex(),
                "length": 32,
                "secret": exported.hex(),
            },
        })
    return {**case, "epochs": epochs}


def psks(suite: mls.CipherSuite, count: int) -> Case:
    """Return the case of some pre-shared keys."""
    keys = [(external_psk(DICE(8), DICE(suite.hash_size)), DICE(16)) for _ in range(count)]
    listed = [
        {"psk_id": psk.psk_id.hex(), "psk_nonce": psk.nonce.hex(), "psk": value.hex()}
        for psk, value in keys
    ]
    secret = psk_secret(suite, keys).hex()
    return {"cipher_suite": suite.code, "psks": listed, "psk_secret": secret}


def secret_tree(suite: mls.CipherSuite) -> Case:
    """Return the case of a tree of two leaves."""
    secret, ciphertext, encryption = DICE(suite.hash_size), DICE(77), DICE(suite.hash_size)
    sample = ciphertext[: suite.hash_size]
    tree = SecretTree(suite, encryption, 2)
    leaves = []
    for leaf in range(2):
        generations = []
        for generation in (0, 5):
            one: Case = {"generation": generation}
            for kind in RatchetKind:
                ratchet, name = tree.ratchet(leaf, kind), kind.name.lower()
                ratchet.skip(generation)
                key = ratchet.look(generation).message_key
                one |= {f"{name}_key": key.key.hex(), f"{name}_nonce": key.nonce.hex()}
            generations.append(one)
        leaves.append(generations)
    sender = {
        "sender_data_secret": secret.hex(),
        "ciphertext": ciphertext.hex(),
        "key": suite.expand_with_label(secret, b"key", sample, suite.key_size).hex(),
        "nonce": suite.expand_with_label(secret, b"nonce", sample, suite.nonce_size).hex(),
    }
    return {
        "cipher_suite": suite.code,
        "encryption_secret": encryption.hex(),
        "sender_data": sender,
        "leaves": leaves,
    }


def main() -> None:
    """Write the files."""
    FOLDER.mkdir(exist_ok=True)
    files = {
        "passive-client": [
            passive_client(suite, tree_beside=beside)
            for suite in SUITES
            for beside in (False, True)
        ],
        "key-schedule": [key_schedule(suite) for suite in SUITES],
        "psk_secret": [psks(suite, count) for suite in SUITES for count in (0, 1, 3)],
        "secret-tree": [secret_tree(suite) for suite in SUITES],
    }
    for name, cases in files.items():
        (FOLDER / f"{name}.json").write_text(json.dumps(cases, indent=1) + "\n")


if __name__ == "__main__":
    main()
