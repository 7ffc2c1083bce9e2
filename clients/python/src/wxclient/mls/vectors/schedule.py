"""Vectors of the key schedule, pre-shared keys and transcript hashes."""

from wxclient.mls import key_schedule as schedule
from wxclient.mls.codec import decode
from wxclient.mls.framing import AuthenticatedContent
from wxclient.mls.key_schedule import EpochSecrets, GroupContext
from wxclient.mls.psk import external_psk, psk_secret
from wxclient.mls.suites import MLS10, CipherSuite
from wxclient.mls.transcript import confirmed_transcript_hash, interim_transcript_hash

from .cases import Case, data, refused, same, suite

DERIVED = {
    "sender_data_secret": "sender_data",
    "encryption_secret": "encryption",
    "exporter_secret": "exporter",
    "external_secret": "external",
    "confirmation_key": "confirmation",
    "membership_key": "membership",
    "resumption_psk": "resumption",
    "epoch_authenticator": "authenticator",
    "init_secret": "init",
}


def key_schedule(case: Case) -> None:
    """Every secret of some epochs in a row."""
    chosen = suite(case)
    init = data(case, "initial_init_secret")
    for number, epoch in enumerate(case["epochs"]):
        context = GroupContext(
            MLS10,
            chosen.code,
            data(case, "group_id"),
            number,
            data(epoch, "tree_hash"),
            data(epoch, "confirmed_transcript_hash"),
            (),
        )
        init = _epoch(chosen, epoch, context.encode(), init)


def _epoch(chosen: CipherSuite, epoch: Case, context: bytes, init: bytes) -> bytes:
    same("group_context", data(epoch, "group_context"), context)
    psks = data(epoch, "psk_secret")
    joiner = schedule.joiner_secret(chosen, init, data(epoch, "commit_secret"), context)
    same("joiner_secret", data(epoch, "joiner_secret"), joiner)
    welcome = schedule.welcome_secret(chosen, joiner, psks)
    same("welcome_secret", data(epoch, "welcome_secret"), welcome)
    secret = schedule.epoch_secret(chosen, joiner, psks, context)
    secrets = schedule.epoch_secrets(chosen, secret)
    for name, field in DERIVED.items():
        same(name, data(epoch, name), getattr(secrets, field))
    public = schedule.external_keys(chosen, secrets.external).public
    same("external_pub", data(epoch, "external_pub"), public)
    _exporter(chosen, epoch["exporter"], secrets)
    return secrets.init


def _exporter(chosen: CipherSuite, wanted: Case, secrets: EpochSecrets) -> None:
    label, context = wanted["label"].encode(), data(wanted, "context")
    made = schedule.export(chosen, secrets.exporter, label, context, wanted["length"])
    same("exporter secret", data(wanted, "secret"), made)


def psk(case: Case) -> None:
    """The one secret of several external keys."""
    chosen = suite(case)
    psks = [
        (external_psk(data(one, "psk_id"), data(one, "psk_nonce")), data(one, "psk"))
        for one in case["psks"]
    ]
    same("psk_secret", data(case, "psk_secret"), psk_secret(chosen, psks))


def transcript_hashes(case: Case) -> None:
    """Both transcript hashes after a commit, and its confirmation tag."""
    chosen = suite(case)
    encoded = data(case, "authenticated_content")
    commit = decode(encoded, AuthenticatedContent.read)
    same("authenticated_content", encoded, commit.encode())
    before = data(case, "interim_transcript_hash_before")
    confirmed = confirmed_transcript_hash(chosen, before, commit)
    same("confirmed hash", data(case, "confirmed_transcript_hash_after"), confirmed)
    tag = commit.auth.confirmation_tag or b""
    key = data(case, "confirmation_key")
    refused("the confirmation tag", holds=chosen.mac_fits(key, confirmed, tag))
    interim = interim_transcript_hash(chosen, confirmed, tag)
    same("interim hash", data(case, "interim_transcript_hash_after"), interim)
