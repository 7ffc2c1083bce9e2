"""Vectors of the lower chapters: deserialization, tree math, crypto basics, secret tree."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from wxclient.mls import tree_math
from wxclient.mls.codec import Reader, decode, length
from wxclient.mls.private_message import sender_data_key
from wxclient.mls.secret_tree import RatchetKind, SecretTree
from wxclient.mls.suites import CipherSuite, HpkeCiphertext

from .cases import Case, data, refused, same, suite


def deserialization(case: Case) -> None:
    """The length before a vector."""
    header = data(case, "vlbytes_header")
    same("length", case["length"], decode(header, Reader.length))
    same("header", header, length(case["length"]))


def tree_math_case(case: Case) -> None:
    """Root, children, parent and sibling of every node."""
    leaves = case["n_leaves"]
    width = tree_math.node_width(leaves)
    same("n_nodes", case["n_nodes"], width)
    same("root", case["root"], tree_math.root(leaves))
    top = tree_math.root(leaves)
    for name in ("left", "right", "parent", "sibling"):
        same(f"nodes of {name}", width, len(case[name]))
    for node in range(width):
        is_leaf = node % 2 == 0
        same("left", case["left"][node], None if is_leaf else tree_math.left(node))
        same("right", case["right"][node], None if is_leaf else tree_math.right(node))
        same("parent", case["parent"][node], None if node == top else tree_math.parent(node))
        same("sibling", case["sibling"][node], None if node == top else tree_math.sibling(node))


def crypto_basics(case: Case) -> None:
    """The labelled operations over the primitives."""
    chosen = suite(case)
    _derivations(chosen, case)
    _signature(chosen, case["sign_with_label"])
    _encryption(chosen, case["encrypt_with_label"])


def _derivations(chosen: CipherSuite, case: Case) -> None:
    ref = case["ref_hash"]
    same("ref_hash", data(ref, "out"), chosen.ref_hash(ref["label"].encode(), data(ref, "value")))
    one = case["expand_with_label"]
    label, context = one["label"].encode(), data(one, "context")
    expanded = chosen.expand_with_label(data(one, "secret"), label, context, one["length"])
    same("expand_with_label", data(one, "out"), expanded)
    one = case["derive_secret"]
    derived = chosen.derive_secret(data(one, "secret"), one["label"].encode())
    same("derive_secret", data(one, "out"), derived)
    one = case["derive_tree_secret"]
    label, generation = one["label"].encode(), one["generation"]
    derived = chosen.derive_tree_secret(data(one, "secret"), label, generation, one["length"])
    same("derive_tree_secret", data(one, "out"), derived)


def _signature(chosen: CipherSuite, one: Case) -> None:
    label, content, public = one["label"].encode(), data(one, "content"), data(one, "pub")
    signature = data(one, "signature")
    refused("the signature", holds=chosen.verify(public, label, content, signature))
    private = data(one, "priv")
    same("signature key", public, chosen.signature_public(private))
    made = chosen.sign(Ed25519PrivateKey.from_private_bytes(private), label, content)
    refused("our signature", holds=chosen.verify(public, label, content, made))
    same("signature", signature, made)


def _encryption(chosen: CipherSuite, one: Case) -> None:
    label, context, plaintext = one["label"].encode(), data(one, "context"), data(one, "plaintext")
    sealed = HpkeCiphertext(data(one, "kem_output"), data(one, "ciphertext"))
    private = data(one, "priv")
    opened = chosen.decrypt_with_label(private, label, context, sealed)
    same("decrypt_with_label", plaintext, opened)
    ours = chosen.encrypt_with_label(data(one, "pub"), label, context, plaintext)
    same("our own", plaintext, chosen.decrypt_with_label(private, label, context, ours))


def secret_tree(case: Case) -> None:
    """The keys of each leaf's generations, and of sender data."""
    chosen = suite(case)
    sender = case["sender_data"]
    secret, ciphertext = data(sender, "sender_data_secret"), data(sender, "ciphertext")
    key, nonce = sender_data_key(chosen, chosen.expander(secret), ciphertext)
    same("sender data key", data(sender, "key"), key)
    same("sender data nonce", data(sender, "nonce"), nonce)
    leaves = case["leaves"]
    tree = SecretTree(chosen, data(case, "encryption_secret"), len(leaves))
    for number, generations in enumerate(leaves):
        for kind in RatchetKind:
            ratchet, name = tree.ratchet(number, kind), kind.name.lower()
            for one in sorted(generations, key=lambda entry: int(entry["generation"])):
                generation = one["generation"]
                ratchet.skip(generation)
                taken = ratchet.look(generation)
                where = f"leaf {number}, generation {generation}"
                same(f"{name}_key, {where}", data(one, f"{name}_key"), taken.message_key.key)
                same(f"{name}_nonce, {where}", data(one, f"{name}_nonce"), taken.message_key.nonce)
