"""The files of test vectors in docs/vectors."""

from pathlib import Path
from typing import Final

from .envelopes import body_vectors, invalid_envelopes, valid_envelopes
from .errors import ROOT
from .handshakes import damaged_invites, handshake_vectors, identifier_vectors, valid_invites
from .notation import document
from .refused import refusal_vectors
from .vectors import frame_vectors, lenient_vectors

FOLDER: Final = ROOT / "docs/vectors"


def files() -> dict[Path, str]:
    """Return the files of test vectors."""
    texts = {
        "frames": document(
            "Every frame in three sizes: decode hex, compare with decoded; encode it again.",
            vectors=list(frame_vectors()),
        ),
        "lenient": document(
            "Bytes that a receiver takes although no sender should write them so.",
            vectors=list(lenient_vectors()),
        ),
        "refusals": document(
            "Bytes that end the connection of their receiver with this error.",
            vectors=list(refusal_vectors()),
        ),
        "handshakes": document(
            "Complete handshakes with every input and the bytes to sign.",
            vectors=list(handshake_vectors()),
        ),
        "envelopes": document(
            "Envelopes that are valid, and that are refused with ENVELOPE_INVALID.",
            valid=list(valid_envelopes()),
            invalid=list(invalid_envelopes()),
        ),
        "bodies": document(
            "Bodies of entries that the server writes.", vectors=list(body_vectors())
        ),
        "identifiers": document("Derived identifiers, in hex.", vectors=list(identifier_vectors())),
        "invites": document(
            "Invites as text, and texts that are none.",
            valid=list(valid_invites()),
            damaged=list(damaged_invites()),
        ),
    }
    return {FOLDER / f"{name}.json": text for name, text in texts.items()}
