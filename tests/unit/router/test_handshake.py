"""Who gets in: every proof that does not hold has one answer, and the connection ends."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.unit.router.scenes import ended, scene
from wxserve.protocol import frames as f
from wxserve.protocol.codec import encode
from wxserve.protocol.connection import Connection
from wxserve.protocol.credentials import (
    DEVICE_KEY,
    ENROLMENT,
    INVITE_VERIFIER,
    Credential,
    DeviceKey,
    Enrolment,
    encode_credential,
)
from wxserve.protocol.errors import ErrorCode
from wxserve.protocol.identifiers import AccountId, DeviceId
from wxserve.protocol.states import Role
from wxserve.protocol.transcript import NO_BINDING, Binding, BindingType
from wxserve.router.invites import InviteAuthority
from wxserve.router.limits import AdmissionLimits, Budget, Rate
from wxserve.store.limits import StoreLimits
from wxserve.testing.device import TestDevice
from wxserve.testing.memory import TestClock, memory_server, seeded_entropy

pytestmark = pytest.mark.usefixtures("autojump_clock")


def enrolment(device: TestDevice, code: bytes, verifier: str = INVITE_VERIFIER) -> Enrolment:
    public = device.key.public_key().public_bytes_raw()
    return Enrolment(ENROLMENT, verifier, code, public, device.name, device.name)


async def prove(device: TestDevice, credential: Credential) -> ErrorCode:
    """Do the handshake with a credential; return why it was refused."""
    device.connect()
    with pytest.raises(AssertionError, match="ended"):
        await device.authenticate(credential)
    return await ended(device)


async def test_log_in_device_key_opens_a_session_of_the_same_device(tmp_path: Path) -> None:
    async with scene(tmp_path, "alice") as (_, (alice,)):
        account, device = alice.account, alice.device
        await alice.log_in()
        assert (alice.account, alice.device) == (account, device)


async def test_log_in_wrong_key_unknown_device_other_account_have_one_answer(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path, "alice", "bob") as (server, (alice, bob)):
        right = DeviceKey(DEVICE_KEY, alice.account, alice.device)
        thief = TestDevice(server, "thief")
        assert await prove(thief, right) is ErrorCode.AUTH_FAILED
        unknown = right._replace(device=DeviceId(bytes(8)))
        assert await prove(alice, unknown) is ErrorCode.AUTH_FAILED
        other = right._replace(account=bob.account)
        assert await prove(alice, other) is ErrorCode.AUTH_FAILED
        await alice.log_in()


async def test_log_in_revoked_device_is_told_so_and_gets_nothing(tmp_path: Path) -> None:
    async with scene(tmp_path, "alice") as (server, (alice,)):
        lost = await TestDevice(server, "lost").enrol(alice.account)
        await alice.request(f.RevokeDevice(lost.device), f.Done)
        assert await ended(lost) is ErrorCode.DEVICE_REVOKED
        again = DeviceKey(DEVICE_KEY, lost.account, lost.device)
        assert await prove(lost, again) is ErrorCode.DEVICE_REVOKED


async def test_revoke_device_own_one_is_done_before_the_connection_ends(tmp_path: Path) -> None:
    async with scene(tmp_path, "alice") as (_, (alice,)):
        await alice.request(f.RevokeDevice(alice.device), f.Done)
        assert await ended(alice) is ErrorCode.DEVICE_REVOKED


async def test_log_in_replayed_proof_of_an_earlier_handshake_is_refused(tmp_path: Path) -> None:
    async with scene(tmp_path, "alice") as (server, (alice,)):
        alice.connect()
        alice.send_frame(f.Hello(((1, 0),), bytes(32), "test"))
        await alice.wait_for(f.Challenge)
        data = encode_credential(DeviceKey(DEVICE_KEY, alice.account, alice.device))
        signature = alice.key.sign(alice.connection.transcript.to_sign(NO_BINDING, data))
        alice.send_frame(f.Auth(data, signature))
        await alice.wait_for(f.Welcome)
        thief = TestDevice(server, "thief")
        thief.connect()
        thief.send_frame(f.Hello(((1, 0),), bytes(32), "test"))
        await thief.wait_for(f.Challenge)
        thief.send_frame(f.Auth(data, signature))
        assert await ended(thief) is ErrorCode.AUTH_FAILED


@pytest.mark.parametrize(
    "binding",
    [Binding(BindingType.SPKI_SHA256, bytes(32)), Binding(BindingType.SPKI_SHA256, b"p" * 32)],
)
async def test_log_in_proof_for_another_channel_is_refused(
    tmp_path: Path, binding: Binding
) -> None:
    async with scene(tmp_path, "alice") as (_, (alice,)):
        alice.connect()
        alice.send_frame(f.Hello(((1, 0),), bytes(32), "test"))
        await alice.wait_for(f.Challenge)
        data = encode_credential(DeviceKey(DEVICE_KEY, alice.account, alice.device))
        signed = alice.connection.transcript.to_sign(binding, data)
        alice.send_frame(f.Auth(data, alice.key.sign(signed)))
        assert await ended(alice) is ErrorCode.AUTH_FAILED


async def test_log_in_version_list_changed_on_the_way_is_refused(tmp_path: Path) -> None:
    async with scene(tmp_path, "alice") as (_, (alice,)):
        alice.connect()
        # The client offers two versions, somebody in between takes one away.
        alice.link.receive(encode(f.Hello(((1, 0),), bytes(32), "test")))
        alice.connection.send(f.Hello(((2, 0), (1, 0)), bytes(32), "test"))
        await alice.wait_for(f.Challenge)
        data = encode_credential(DeviceKey(DEVICE_KEY, alice.account, alice.device))
        signed = alice.connection.transcript.to_sign(NO_BINDING, data)
        alice.send_frame(f.Auth(data, alice.key.sign(signed)))
        assert await ended(alice) is ErrorCode.AUTH_FAILED


async def test_hello_no_common_version_is_refused(tmp_path: Path) -> None:
    async with memory_server(tmp_path) as server:
        device = TestDevice(server)
        device.connect()
        device.link.receive(encode(f.Hello(((9, 0),), bytes(32), "test")))
        assert await ended(device) is ErrorCode.VERSION_UNSUPPORTED


@pytest.mark.parametrize("garbage", [b"\xc0", b"\x93\x01\xc0\xc0", b"\x91\x07", b"\xff" * 40])
async def test_auth_credential_garbage_is_malformed(tmp_path: Path, garbage: bytes) -> None:
    async with memory_server(tmp_path) as server:
        device = TestDevice(server)
        device.connect()
        device.send_frame(f.Hello(((1, 0),), bytes(32), "test"))
        await device.wait_for(f.Challenge)
        device.send_frame(f.Auth(garbage, bytes(64)))
        assert await ended(device) is ErrorCode.MALFORMED_FRAME


async def test_auth_requests_before_welcome_end_the_connection(tmp_path: Path) -> None:
    async with scene(tmp_path, "alice") as (_, (alice,)):
        alice.connect()
        alice.link.receive(encode(f.Sync(0, 1), 1))
        assert await ended(alice) is ErrorCode.UNEXPECTED_FRAME


async def test_auth_key_that_is_no_point_of_the_curve_is_refused(tmp_path: Path) -> None:
    async with memory_server(tmp_path) as server:
        device = TestDevice(server)
        credential = enrolment(device, server.invites.issue(60))
        assert (
            await prove(device, credential._replace(public_key=b"\xff" * 32))
            is ErrorCode.AUTH_FAILED
        )


# -- enrolment ---------------------------------------------------------------------------------


async def test_enrol_code_used_by_another_key_is_refused(tmp_path: Path) -> None:
    async with memory_server(tmp_path) as server:
        code = server.invites.issue(60)
        first, second = TestDevice(server, "first"), TestDevice(server, "second")
        first.connect()
        await first.authenticate(enrolment(first, code))
        assert await prove(second, enrolment(second, code)) is ErrorCode.INVITE_USED


async def test_enrol_again_with_the_same_key_gives_the_same_device(tmp_path: Path) -> None:
    async with memory_server(tmp_path) as server:
        code = server.invites.issue(60)
        device = TestDevice(server)
        device.connect()
        await device.authenticate(enrolment(device, code))
        first = (device.account, device.device)
        device.disconnect()  # as if WELCOME had been lost
        device.connect()
        await device.authenticate(enrolment(device, code))
        assert (device.account, device.device) == first
        devices = await device.request(f.ListDevices(), f.Devices)
        assert len(devices.devices) == 1


async def test_enrol_expired_code_is_refused(tmp_path: Path) -> None:
    clock = TestClock()
    async with memory_server(tmp_path, clock=clock) as server:
        code = server.invites.issue(60)
        clock.offset_ms += 61_000
        device = TestDevice(server)
        assert await prove(device, enrolment(device, code)) is ErrorCode.INVITE_EXPIRED


async def test_enrol_forged_code_is_refused_whatever_byte_is_changed(tmp_path: Path) -> None:
    async with memory_server(tmp_path) as server:
        code = server.invites.issue(60)
        device = TestDevice(server)
        for index in (0, 5, 14, 20, len(code) - 1):
            forged = code[:index] + bytes([code[index] ^ 1]) + code[index + 1 :]
            refusal = await prove(device, enrolment(device, forged))
            assert refusal is ErrorCode.INVITE_INVALID
        assert await prove(device, enrolment(device, b"")) is ErrorCode.INVITE_INVALID
        foreign = InviteAuthority(b"another secret", TestClock(), seeded_entropy(1)).issue(60)
        assert await prove(device, enrolment(device, foreign)) is ErrorCode.INVITE_INVALID


async def test_enrol_unknown_verifier_is_refused(tmp_path: Path) -> None:
    async with memory_server(tmp_path) as server:
        device = TestDevice(server)
        credential = enrolment(device, server.invites.issue(60), "e-mail")
        assert await prove(device, credential) is ErrorCode.VERIFIER_UNKNOWN


async def test_enrol_signature_by_another_key_is_refused_and_leaves_the_code_unused(
    tmp_path: Path,
) -> None:
    async with memory_server(tmp_path) as server:
        code = server.invites.issue(60)
        thief, owner = TestDevice(server, "thief"), TestDevice(server, "owner")
        stolen = enrolment(owner, code)
        assert await prove(thief, stolen) is ErrorCode.AUTH_FAILED
        owner.connect()
        await owner.authenticate(stolen)


async def test_enrol_key_of_another_device_is_refused(tmp_path: Path) -> None:
    async with scene(tmp_path, "alice") as (server, (alice,)):
        again = enrolment(alice, server.invites.issue(60))
        assert await prove(alice, again) is ErrorCode.AUTH_FAILED


async def test_enrol_code_for_an_account_that_is_not_there_is_refused(tmp_path: Path) -> None:
    async with memory_server(tmp_path) as server:
        device = TestDevice(server)
        code = server.invites.issue(60, AccountId(b"a" * 16))
        assert await prove(device, enrolment(device, code)) is ErrorCode.INVITE_INVALID


async def test_enrol_too_many_devices_of_an_account_are_refused(tmp_path: Path) -> None:
    limits = StoreLimits(ballast_bytes=0, devices_per_account_max=2)
    async with scene(tmp_path, "alice", store_limits=limits) as (server, (alice,)):
        await TestDevice(server, "second").enrol(alice.account)
        third = TestDevice(server, "third")
        code = (await alice.request(f.LinkDevice(), f.LinkCode)).code
        assert await prove(third, enrolment(third, code)) is ErrorCode.LIMIT_REACHED


async def test_link_device_code_enrols_a_device_of_the_same_account(tmp_path: Path) -> None:
    async with scene(tmp_path, "alice") as (server, (alice,)):
        code = await alice.request(f.LinkDevice(), f.LinkCode)
        second = TestDevice(server, "second")
        second.connect()
        await second.authenticate(enrolment(second, code.code))
        assert second.account == alice.account
        assert second.device != alice.device


# -- attempts ----------------------------------------------------------------------------------


async def test_log_in_too_many_failures_have_to_wait_and_do_not_lock_out_the_owner(
    tmp_path: Path,
) -> None:
    few = AdmissionLimits(login_failed=Budget(None, None, Rate(0.1, 2)))
    async with scene(tmp_path, "alice", admission=few) as (server, (alice,)):
        thief = TestDevice(server, "thief")
        wrong = DeviceKey(DEVICE_KEY, alice.account, alice.device)
        answers = [await prove(thief, wrong) for _ in range(3)]
        assert answers == [ErrorCode.AUTH_FAILED] * 2 + [ErrorCode.RATE_LIMITED]
        await alice.log_in()


async def test_welcome_names_the_last_operation_and_the_floor(tmp_path: Path) -> None:
    async with scene(tmp_path, "alice", "bob") as (_, (alice, bob)):
        conversation = await alice.create_direct(bob)
        await alice.message(conversation, b"one")
        alice.send_frame(f.Ack((), 2))
        await alice.log_in()
        assert alice.welcome is not None
        assert (alice.welcome.op_last, alice.welcome.op_floor) == (2, 2)


def test_connection_of_the_server_signs_what_the_client_signs() -> None:
    client, server = Connection(Role.CLIENT), Connection(Role.SERVER)
    server.receive_data(client.send(f.Hello(((1, 0),), bytes(32), "test")))
    server.next_event()
    client.receive_data(server.send(f.Challenge(1, 0, bytes(32), 0)))
    client.next_event()
    key = Ed25519PrivateKey.from_private_bytes(bytes(32))
    signed = client.transcript.to_sign(NO_BINDING, b"credential")
    assert signed == server.transcript.to_sign(NO_BINDING, b"credential")
    key.public_key().verify(key.sign(signed), signed)
