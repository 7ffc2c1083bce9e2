"""The oracle of the torture: reads what the devices wrote down, and knows the promise alone.

Usage: python -I -S checker.py DIRECTORY. A process of its own that can import nothing but the
standard library: no code is shared with the server or the SDK. DIRECTORY holds ``plan.json`` (each
device's journal and its conversations) and the journals. A line of a journal is one fact:

    L                         the device began another life
    I BODY PLACE              it is going to send BODY to the conversation PLACE
    A BODY PLACE SEQ          it was told: accepted as entry SEQ
    E ROW PLACE SEQ BODY      its application stored an entry, in row ROW ("-": the server's words)
    D DUPLICATES RESENDS      what came or went again on the wire in this life, so far
    Z                         everything it ever sent is settled

It prints one JSON object: what it found, and up to a few examples of each fault.
"""

import json
import sys
from pathlib import Path

EXAMPLES_MAX = 5
Place = tuple[str, int]


class Device:
    """What one journal says."""

    def __init__(self, name: str, places: list[str], text: str) -> None:
        self.name = name
        self.places = frozenset(places)
        self.intents: dict[str, tuple[str, int]] = {}
        self.accepted: list[tuple[str, Place]] = []
        self.rows: dict[int, tuple[Place, str]] = {}
        self.duplicates = 0
        self.lives = 0
        self.settled = False
        self._life = 0
        for line in text.splitlines():
            self._read(line.split())
        self.duplicates += self._life

    def _read(self, words: list[str]) -> None:
        match words:
            case ["L"]:
                self.lives += 1
                self.settled = False
                self.duplicates += self._life
                self._life = 0
            case ["I", body, place]:
                self.intents[body] = (place, len(self.intents))
            case ["A", body, place, seq]:
                self.accepted.append((body, (place, int(seq))))
            case ["E", row, place, seq, body]:
                self.rows[int(row)] = ((place, int(seq)), body)
            case ["D", duplicates, resends]:
                self._life = int(duplicates) + int(resends)
            case ["Z"]:
                self.settled = True
            case _:
                raise SystemExit(f"no fact: {' '.join(words)}")


class Faults:
    """What is wrong, by the kind of fault."""

    def __init__(self) -> None:
        self.found: dict[str, list[str]] = {
            "lost": [], "doubled": [], "reordered": [], "invented": [], "holes": [],
        }  # fmt: skip

    def add(self, kind: str, *words: object) -> None:
        """Note one fault."""
        self.found[kind].append(" ".join(map(str, words)))


def check(devices: list[Device]) -> dict[str, object]:
    """Compare what was sent and accepted with what every device has."""
    faults = Faults()
    places = places_of(devices, faults)
    for body, found in places.items():
        if len(found) > 1:
            faults.add("doubled", body, *sorted(found))
    check_places(devices, faults)
    heads = heads_of(devices)
    for device in devices:
        check_device(device, places, heads, faults)
    check_intents(devices, places, faults)
    told = {body for device in devices for body, _ in device.accepted}
    return {
        "accepted": len(told),
        "entries": len({place for device in devices for place, _ in device.rows.values()}),
        "duplicates": sum(device.duplicates for device in devices),
        "lives": sum(device.lives for device in devices),
        "settled": all(device.settled for device in devices),
        **{kind: len(found) for kind, found in faults.found.items()},
        "examples": {k: found[:EXAMPLES_MAX] for k, found in faults.found.items() if found},
    }


def places_of(devices: list[Device], faults: Faults) -> dict[str, set[Place]]:
    """Return where each message stands, as anybody was told or has it."""
    places: dict[str, set[Place]] = {}
    intended = {body: place for one in devices for body, (place, _) in one.intents.items()}
    for device in devices:
        facts = [*device.accepted, *((body, place) for place, body in device.rows.values())]
        for body, place in facts:
            if body == "-":
                continue
            if intended.get(body) != place[0]:
                faults.add("invented", device.name, body, *place)
            places.setdefault(body, set()).add(place)
    return places


def check_places(devices: list[Device], faults: Faults) -> None:
    """At one place stands the same for everybody, whoever was told of it."""
    stands: dict[Place, str] = {}
    for device in devices:
        for place, body in device.rows.values():
            if stands.setdefault(place, body) != body:
                faults.add("reordered", device.name, *place, body, stands[place])
        for body, place in device.accepted:
            if stands.setdefault(place, body) != body:
                faults.add("reordered", device.name, *place, body, stands[place])


def heads_of(devices: list[Device]) -> dict[str, int]:
    """Return the highest number that anybody knows of each conversation."""
    heads: dict[str, int] = {}
    for device in devices:
        facts = [place for place, _ in device.rows.values()]
        for conversation, seq in [*facts, *(place for _, place in device.accepted)]:
            heads[conversation] = max(heads.get(conversation, 0), seq)
    return heads


def check_device(
    device: Device, places: dict[str, set[Place]], heads: dict[str, int], faults: Faults
) -> None:
    """It has everything it may read, each once, in order."""
    newest: dict[str, int] = {}
    stored: dict[Place, str] = {}
    for row in sorted(device.rows):
        (conversation, seq), body = device.rows[row]
        if (conversation, seq) in stored:
            faults.add("doubled", device.name, conversation, seq)
        elif seq < newest.get(conversation, 0):
            faults.add("reordered", device.name, conversation, seq)
        stored[conversation, seq] = body
        newest[conversation] = max(newest.get(conversation, 0), seq)
        if conversation not in device.places and body != "-":
            faults.add("invented", device.name, conversation, seq, "not entitled")
    for body, found in places.items():
        for place in found:
            if place[0] in device.places and stored.get(place) != body:
                faults.add("lost", device.name, *place, body)
    for conversation in sorted(device.places):
        numbers = {seq for place, seq in stored if place == conversation}
        first = min(numbers, default=1)
        missing = set(range(first, heads.get(conversation, 0) + 1)) - numbers
        for seq in sorted(missing):
            faults.add("holes", device.name, conversation, seq)


def check_intents(devices: list[Device], places: dict[str, set[Place]], faults: Faults) -> None:
    """What one device sent into one conversation stands in the order in which it was sent."""
    for device in devices:
        newest: dict[str, int] = {}
        for body, (conversation, _) in device.intents.items():
            numbers = {seq for place, seq in places.get(body, ()) if place == conversation}
            if not numbers:
                continue
            if min(numbers) <= newest.get(conversation, 0):
                faults.add("reordered", device.name, conversation, min(numbers), body)
            newest[conversation] = max(*numbers, newest.get(conversation, 0))


def read(directory: Path) -> list[Device]:
    """Read the plan and every journal; a last line without an end is not written yet."""
    devices = []
    for one in json.loads((directory / "plan.json").read_text()):
        path = Path(one["journal"])
        text = path.read_text() if path.exists() else ""
        whole = text[: text.rfind("\n") + 1]
        devices.append(Device(path.name, one["conversations"], whole))
    return devices


if __name__ == "__main__":
    sys.stdout.write(json.dumps(check(read(Path(sys.argv[1])))) + "\n")
