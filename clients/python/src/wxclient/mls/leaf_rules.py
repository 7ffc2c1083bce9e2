"""Section 7.3: what a leaf node must be, judged on its own."""

from collections.abc import Callable
from typing import NamedTuple

from .errors import RuleBroken
from .extensions import Extensions, RequiredCapabilities
from .leaf_node import LeafNode, Position
from .policy import CredentialPolicy, Place
from .rules import Rule
from .suites import MLS10, CipherSuite

Clock = Callable[[], float]
"""Returns the seconds since 1970."""


class LeafRules(NamedTuple):
    """Section 7.3, the part that looks at one leaf: what the group and the application ask of it."""

    suite: CipherSuite
    required: RequiredCapabilities
    context_extensions: Extensions
    policy: CredentialPolicy
    clock: Clock | None = None
    """None where a lifetime is not looked at: in trees, whose leaves were fresh when they came."""

    def check(self, leaf: LeafNode, position: Position | None) -> None:
        """Raise RuleBroken at the first rule that the leaf breaks."""
        if not self.policy.accepts(leaf.credential, leaf.signature_key, Place.MEMBER):
            raise RuleBroken(Rule.LEAF_CREDENTIAL)
        tbs = leaf.to_be_signed(position)
        if not self.suite.verify(leaf.signature_key, b"LeafNodeTBS", tbs, leaf.signature):
            raise RuleBroken(Rule.LEAF_SIGNATURE)
        self.check_support(leaf)
        if self.clock is not None and leaf.lifetime is not None:
            now = self.clock()
            if not leaf.lifetime.holds(now):
                raise RuleBroken(Rule.LEAF_LIFETIME, f"{leaf.lifetime}, now {now}")

    def check_support(self, leaf: LeafNode) -> None:
        """Check what the leaf supports, or raise RuleBroken."""
        capabilities = leaf.capabilities
        if MLS10 not in capabilities.versions or self.suite.code not in capabilities.cipher_suites:
            raise RuleBroken(Rule.LEAF_SUITE)
        if not self.required.met_by(capabilities):
            raise RuleBroken(Rule.LEAF_REQUIRED_CAPABILITIES)
        if not capabilities.extends_to([extension.type for extension in leaf.extensions]):
            raise RuleBroken(Rule.LEAF_EXTENSIONS)
        if not capabilities.extends_to([one.type for one in self.context_extensions]):
            raise RuleBroken(Rule.LEAF_GROUP_EXTENSIONS)
        if leaf.credential.type not in capabilities.credentials:
            raise RuleBroken(Rule.LEAF_CREDENTIAL_SUPPORTED)
