"""Checks of what requests are answered: lists, history, registers."""

from typing import TYPE_CHECKING

from tests.property.delivery_log import JOINED, NOWHERE
from tests.property.delivery_model import Listed
from wxserve.protocol import frames as f
from wxserve.protocol.codec import encode
from wxserve.protocol.errors import ErrorCode

if TYPE_CHECKING:
    from tests.property.delivery_peer import Peer
    from tests.property.delivery_session import Request, Session
    from tests.property.delivery_world import World


class Answers:
    """One check for each kind of answer."""

    def __init__(self, world: "World") -> None:
        self._world = world

    def check(self, peer: "Peer", session: "Session", request: "Request") -> None:
        """Check the answer to a request that is no operation."""
        frame, last = request.frame, request.got[-1].frame
        if isinstance(frame, f.Sync):
            self._check_changes(peer, session, request)
        elif isinstance(frame, f.History):
            self._check_history(peer, session, request)
        elif isinstance(frame, f.ListConversations):
            assert isinstance(last, f.Conversations)
            self._check_list(peer, request, frame, last)
        elif isinstance(frame, f.SetRegister):
            assert isinstance(last, f.Register)
            assert last[:2] == frame[:2]
            assert last.version >= frame.version
            peer.told(last)
        elif isinstance(frame, f.LinkDevice):
            assert isinstance(last, f.LinkCode)
            self._world.add_peer(last.code)
        else:
            assert isinstance(last, f.Done)

    def refused(
        self, peer: "Peer", session: "Session", request: "Request", code: ErrorCode
    ) -> None:
        """Check the refusal of a request that is no operation."""
        frame = request.frame
        if isinstance(frame, f.Sync):
            waiting = any(isinstance(one.frame, f.Sync) for one in session.asked.values())
            session.following = session.listed or waiting
        if code is not ErrorCode.FORBIDDEN:
            return
        assert isinstance(frame, (f.History, f.SetRegister, f.RevokeDevice))
        if isinstance(frame, f.RevokeDevice):
            assert frame.device not in self._world.model.devices
            return
        log = self._world.model.logs.get(frame.conversation)
        if log is not None and not self._world.model.hidden(peer.device, log):
            seat = log.seated(request.began).get(peer.account, NOWHERE)
            assert seat.state != JOINED, "forbidden to a member"

    # -- lists ---------------------------------------------------------------------------------

    def _moments(self, request: "Request") -> range:
        return range(request.began, self._world.model.position + 1)

    def _check_changes(self, peer: "Peer", session: "Session", request: "Request") -> None:
        frame = request.frame
        states: list[f.ConversationState] = []
        assert isinstance(frame, f.Sync)
        for event in request.got:
            assert isinstance(event.frame, f.Changes)
            assert len(event.frame.conversations) <= max(1, frame.limit), "a page too long"
            states += event.frame.conversations
        places = [state.position for state in states]
        assert places == sorted(places, reverse=True), "latest first"
        listed = sorted(map(as_listed, states))
        model = self._world.model
        assert any(
            listed == sorted(model.listing(peer.device, frame.since, moment))
            for moment in self._moments(request)
        ), f"listed {listed}, not {model.listing(peer.device, frame.since, model.position)}"
        self._check_counts(peer, request, states)
        session.listed = True
        session.run.clear()

    def _check_counts(
        self, peer: "Peer", request: "Request", states: list[f.ConversationState]
    ) -> None:
        for state in states:
            fits = peer.counts_unread(as_listed(state), state.unread, request.cursors)
            assert fits, f"{state.unread} unread"

    def _check_list(
        self, peer: "Peer", request: "Request", frame: f.ListConversations, last: f.Conversations
    ) -> None:
        listed = [as_listed(state) for state in last.conversations]
        model, after = self._world.model, frame.after
        assert len(listed) <= max(1, frame.limit)
        assert listed or not last.more, "an empty page that says there is more"
        moments = [
            {one for one in model.listing(peer.device, 0, moment) if one.conversation > after}
            for moment in self._moments(request)
        ]
        ever = set().union(*moments)
        assert set(listed) <= ever, f"{set(listed) - ever} was never so"
        names = [one.conversation for one in listed]
        assert names == sorted(set(names)), "not in the order of their names"
        end = names[-1] if last.more else None
        owed = {one.conversation for one in moments[0] if end is None or one.conversation <= end}
        assert owed <= set(names), f"{owed - set(names)} left out after {after.hex()}"
        assert end is None or any(one.conversation > end for one in ever), "there is no more"
        self._check_counts(peer, request, list(last.conversations))

    # -- history -------------------------------------------------------------------------------

    def _check_history(self, peer: "Peer", session: "Session", request: "Request") -> None:
        frame, done = request.frame, request.got[-1].frame
        assert isinstance(frame, f.History)
        assert isinstance(done, f.Done)
        log = session.log(frame.conversation)
        through = first = max(1, frame.first) - 1
        for event in request.got[:-1]:
            one = event.frame
            if isinstance(one, f.Deliver):
                assert one.seq == through + 1, "a hole in history"
                session.check_entry(log, one, encode(one, 0, event.flags))
                through = one.seq
                continue
            assert isinstance(one, (f.Skip, f.TooFar))
            reason = one.reason if isinstance(one, f.Skip) else 0
            end = one.through if isinstance(one, f.Skip) else one.first - 1
            assert end > through
            for seq in range(through + 1, end + 1):
                session.check_skip(log, seq, reason)
            through = end
        assert through <= max(first, frame.last), "more than was asked for"
        if done.value:
            assert done.value == through + 1 > first + 1, "history that does not go on"
        else:
            spans = log.spans_at(peer.account, request.began)
            head = log.head(request.began)
            newest = min(spans[-1][1] or head, head) if spans else 0
            assert through >= min(frame.last, newest) or first >= newest, "history cut short"


def as_listed(state: f.ConversationState) -> Listed:
    """Return a state without its count of unread entries."""
    return Listed(
        state.conversation, state.kind, state.head, state.position, tuple(state.intervals)
    )
