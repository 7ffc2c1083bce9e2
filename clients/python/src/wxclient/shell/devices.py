"""The devices of one's own account."""

from wxclient._protocol import frames as f
from wxclient._protocol.frames import DeviceState
from wxclient._protocol.identifiers import DeviceId
from wxclient._protocol.invites import InviteUri, format_invite

from .service import Service


class Devices(Service):
    """The part of ``Client`` for the account's devices. Requests are repeated until answered."""

    async def devices(self) -> list[DeviceState]:
        """Ask for the devices of this account: state 1 active, 2 revoked."""
        return list((await self._ask(f.ListDevices(), f.Devices)).devices)

    async def rename_device(self, device: DeviceId, name: str) -> None:
        """Give a device another name, at most 64 bytes of UTF-8.

        Raises:
            RequestRefused: Forbidden.
        """
        await self._ask(f.RenameDevice(device, name), f.Done)

    async def revoke_device(self, device: DeviceId) -> None:
        """Remove a device for ever; its session ends within a second.

        Revoking the device in hand ends this client with ``DeviceRevoked``.

        Raises:
            RequestRefused: Forbidden.
        """
        await self._ask(f.RevokeDevice(device), f.Done)

    async def link_device(self) -> str:
        """Return an invite with which one more device can join this account, for ten minutes.

        Raises:
            RequestRefused: LimitReached.
        """
        answer = await self._ask(f.LinkDevice(), f.LinkCode)
        at = self._engine.core.identity
        return format_invite(InviteUri(at.host, at.port, answer.code, at.pins, at.tls))
