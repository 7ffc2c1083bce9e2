"""A group whose members run different engines, and the server between them."""

from collections.abc import Sequence

from .parties import Commit, Party, Refused, Secrets

LABEL, CONTEXT, SIZE = b"wx interop", b"\x00\x01 context", 40


def agree(shared: Sequence[Secrets]) -> bool:
    """Whether all secrets are the same bytes: what decides is outside of every engine."""
    exported = {one.exported for one in shared}
    authenticators = {one.authenticator for one in shared if one.authenticator is not None}
    return len(exported) == 1 and len(authenticators) <= 1


class Circle:
    """The members, and which leaf each has; after each step all must agree."""

    def __init__(self, creator: Party) -> None:
        creator.create()
        self.members: list[Party] = [creator]
        self.leaves = {creator.name: 0}
        self.epochs = 0
        """How many began: in each the secrets were compared."""
        self._used: set[bytes] = set()

    def secrets(self) -> list[Secrets]:
        """Return what each engine says that the members share."""
        return [one.secrets(LABEL, CONTEXT, SIZE) for one in self.members]

    def check(self) -> None:
        """Check that all members are in the same epoch, and that it is a new one."""
        shared = self.secrets()
        assert agree(shared), f"{[one.name for one in self.members]} differ: {shared}"
        assert shared[0].exported not in self._used, "the exporter gives what an epoch before gave"
        self._used.add(shared[0].exported)
        self.epochs += 1

    def others(self, one: Party) -> list[Party]:
        """Return all members but one."""
        return [member for member in self.members if member is not one]

    def spread(self, message: bytes, sender: Party) -> None:
        """Deliver a proposal or commit to the others."""
        for one in self.others(sender):
            assert one.process(message, sender.name) is None

    def enter(self, commit: Commit, committer: Party, joiners: Sequence[Party] = ()) -> None:
        """Deliver a commit, and its Welcome to those who join."""
        self.spread(commit.message, committer)
        assert (commit.welcome is not None) == bool(joiners)
        for one in joiners:
            assert commit.welcome is not None
            one.join(commit.welcome)
            self.seat(one)
        self.check()

    def seat(self, joiner: Party) -> None:
        """Take a new member in: it has the first free leaf."""
        taken = set(self.leaves.values())
        self.leaves[joiner.name] = min(set(range(len(taken) + 1)) - taken)
        self.members.append(joiner)

    def add(self, adder: Party, joiners: Sequence[Party]) -> None:
        """Let a member add others."""
        self.enter(adder.add([one.package() for one in joiners]), adder, joiners)

    def remove(self, remover: Party, removed: Party) -> None:
        """Let a member remove another, who learns of it and is out."""
        commit = remover.remove(self.leaves[removed.name], removed.name)
        removed.process(commit.message, remover.name)
        self.leave(removed)
        self.enter(commit, remover)

    def leave(self, removed: Party) -> None:
        """Let a member go."""
        self.members.remove(removed)
        del self.leaves[removed.name]

    def update(self, committer: Party) -> None:
        """Let a member commit what was proposed, and new keys of its own."""
        self.enter(committer.commit(), committer)

    def talk(self, words: Sequence[bytes] = (b"a word", b"")) -> None:
        """Let each member say something that the others read."""
        for speaker in self.members:
            for word in words:
                message = speaker.encrypt(word)
                for one in self.others(speaker):
                    assert one.process(message, speaker.name) == word

    def talk_out_of_order(self, order: Sequence[int]) -> None:
        """Let each member say something that comes in another order."""
        for speaker in self.members:
            words = [f"{speaker.name} {number}".encode() for number in range(len(order))]
            messages = [speaker.encrypt(word) for word in words]
            for one in self.others(speaker):
                heard = [one.process(messages[number], speaker.name) for number in order]
                assert heard == [words[number] for number in order]
                assert refuses(one, messages[order[0]], speaker), "a message came twice"


def refuses(receiver: Party, message: bytes, sender: Party) -> bool:
    """Whether an engine gives out no text of a message."""
    try:
        receiver.process(message, sender.name)
    except Refused:
        return True
    return False
