"""How vectors are written: bytes as runs of hex digits, values as JSON, one vector a line.

``00ff ab*300 01`` are the bytes 00 ff, then ab 300 times, then 01.
"""

import json
import re
from typing import Any, Final

INTEGER_EXACT_MAX: Final = 2**53 - 1
"""Above it a JSON reader may round; such integers stand as {"int": "digits"}."""
REPEATED_MIN: Final = 17
"""Equal neighbours in an array from which it stands as {"repeat": value, "count": number}."""
_RUN: Final = re.compile(rb"(.{1,256}?)\1{31,}", re.DOTALL)


def hex_runs(data: bytes) -> str:
    """Return bytes as tokens, each hex digits or hex digits*count."""
    tokens = []
    done = 0
    for run in _RUN.finditer(data):
        if run.start() > done:
            tokens.append(data[done : run.start()].hex())
        unit = run.group(1)
        tokens.append(f"{unit.hex()}*{(run.end() - run.start()) // len(unit)}")
        done = run.end()
    if done < len(data):
        tokens.append(data[done:].hex())
    return " ".join(tokens)


def plain(value: Any) -> Any:  # noqa: ANN401 - any value of the protocol, to any of JSON
    """Return a decoded value as JSON can hold it."""
    match value:
        case None | bool() | str():
            return value
        case int():
            return value if value <= INTEGER_EXACT_MAX else {"int": str(value)}
        case bytes():
            return {"hex": hex_runs(value)}
        case tuple() if hasattr(value, "_asdict"):
            return {name: plain(item) for name, item in value._asdict().items()}
        case tuple() if len(value) >= REPEATED_MIN and len(set(value)) == 1:
            return {"repeat": plain(value[0]), "count": len(value)}
        case tuple():
            return [plain(item) for item in value]
        case _:
            raise TypeError(type(value).__name__)


def document(about: str, **sections: list[dict[str, Any]]) -> str:
    """Return a JSON document with one vector a line."""
    parts = [f' "about": {json.dumps(about)}']
    for name, vectors in sections.items():
        lines = ",\n".join("  " + json.dumps(one, ensure_ascii=False) for one in vectors)
        parts.append(f' "{name}": [\n{lines}\n ]')
    return "{\n" + ",\n".join(parts) + "\n}\n"
