"""The validation rules of RFC 9420, each with the section that states it.

A message that breaks one raises ``RuleBroken`` with the rule; the tests break each on its own.
"""

from enum import Enum


class Rule(Enum):
    """A condition that a message or a group must satisfy."""

    # Section 6: framing.
    FRAMING_SENDER_IS_MEMBER = "6: the sender is a leaf of the tree"
    FRAMING_SENDER_MAY_SEND = "6: this kind of sender may send this kind of content this way"
    FRAMING_SIGNATURE = "6.1: the content is signed by its sender"
    FRAMING_APPLICATION_ENCRYPTED = "6.2: application data is never sent as a PublicMessage"
    FRAMING_MEMBERSHIP_TAG = "6.2: a member's PublicMessage carries its membership tag"
    FRAMING_PADDING = "6.3.1: padding is zero"

    # Section 7.3: leaf nodes.
    LEAF_CREDENTIAL = "7.3: the application accepts the credential"
    LEAF_SIGNATURE = "7.3: the leaf is signed by its own key"
    LEAF_REQUIRED_CAPABILITIES = "7.3: the leaf supports what the group requires"
    LEAF_CREDENTIAL_SUPPORTED = "7.3: members and leaf support each other's credential types"
    LEAF_LIFETIME = "7.3: the lifetime of a key package's leaf holds the present"
    LEAF_EXTENSIONS = "7.3: the leaf lists the types of its own extensions"
    LEAF_SOURCE = "7.3: the source of the leaf fits where it stands"
    LEAF_SIGNATURE_KEY_UNIQUE = "7.3: signature keys are unique in the tree"
    LEAF_ENCRYPTION_KEY_UNIQUE = "7.3: encryption keys are unique in the tree"
    LEAF_UPDATE_NEW_KEY = "7.3: an update or commit brings a new encryption key"
    LEAF_SUITE = "7.2: the leaf supports the group's version and cipher suite"
    LEAF_GROUP_EXTENSIONS = "7.2: the leaf supports the extensions of the group"

    # Sections 7.5 to 7.9: the tree.
    TREE_PARENT_HASH = "7.9.2: every parent is linked to a descendant by its parent hash"
    TREE_UNMERGED_LEAVES = "12.4.3.1: unmerged leaves are leaves below, on the way listed too"
    TREE_PARENT_KEY_UNIQUE = "12.4.3.1: encryption keys of parents are unique in the tree"
    TREE_HASH = "12.4.3.1: the tree has the hash of the group context"
    TREE_TRIMMED = "7.8: the last node of an encoded tree is not blank"
    TREE_SHAPE = "7.8: leaves stand at even places, parents at odd ones"

    # Section 10.1: key packages.
    KEY_PACKAGE_SUITE = "10.1: version and cipher suite are those of the group"
    KEY_PACKAGE_SIGNATURE = "10.1: the key package is signed by its leaf's key"
    KEY_PACKAGE_INIT_KEY = "10.1: init key and encryption key differ"

    # Section 12.1: single proposals.
    REMOVE_MEMBER = "12.1.3: the removed leaf is a member"
    PSK_USAGE = "12.1.4: re-init and branch keys occur in such groups' first commit only"
    PSK_NONCE = "12.1.4: the nonce is as long as a hash"
    REINIT_VERSION = "12.1.5: the version does not fall"
    CONTEXT_EXTENSIONS_SUPPORTED = "12.1.7: every member supports the new context extensions"
    EXTERNAL_SENDER_LISTED = "12.1.8.1: the external sender is listed in the group context"
    EXTERNAL_SENDER_PROPOSAL = "12.1.8: an external sender may propose this"

    # Section 12.2: proposal lists.
    LIST_UPDATE_BY_COMMITTER = "12.2: no update by the committer"
    LIST_REMOVES_COMMITTER = "12.2: the committer is not removed"
    LIST_LEAF_TWICE = "12.2: one update or remove per leaf"
    LIST_ADD_TWICE = "12.2: one add per client"
    LIST_ADD_MEMBER = "12.2: no add of a client that stays a member"
    LIST_PSK_TWICE = "12.2: one proposal per pre-shared key"
    LIST_CONTEXT_EXTENSIONS_TWICE = "12.2: one change of the context extensions"
    LIST_REINIT_ALONE = "12.2: re-init stands alone"
    LIST_EXTERNAL_INIT = "12.2: no external init in a member's commit"
    EXTERNAL_COMMIT_ONE_INIT = "12.2: an external commit has one external init"
    EXTERNAL_COMMIT_REMOVE = "12.2: an external commit removes at most the joiner's earlier leaf"
    EXTERNAL_COMMIT_PROPOSALS = "12.2: an external commit has no other proposals"
    EXTERNAL_COMMIT_BY_VALUE = "12.4.3.2: an external commit has no references"
    EXTERNAL_COMMIT_ACCEPTED = "12.4.3.2: the application accepts who joins"

    # Section 12.4: commits.
    COMMIT_PATH_REQUIRED = "12.4: a path is there when the proposals need one"
    COMMIT_PATH_LENGTH = "12.4.2: the path has a node for each of the filtered direct path"
    COMMIT_PATH_CIPHERTEXTS = "12.4.2: each node has a ciphertext for each of the resolution"
    COMMIT_PATH_KEYS_NEW = "12.4.2: the keys of the path are new to the tree"
    COMMIT_PATH_PARENT_HASH = "12.4.2: the path's parent hash is the leaf's"
    COMMIT_PATH_OPENS = "12.4.2: the path secret gives the public keys of the path"
    COMMIT_CONFIRMATION_TAG = "12.4.2: the confirmation tag fits the new epoch"

    # Section 12.4.3: joining.
    WELCOME_SUITE = "12.4.3.1: cipher suite and version are those of the key package"
    WELCOME_SIGNER = "12.4.3.1: the signer of the GroupInfo is a member"
    WELCOME_GROUP_INFO_SIGNATURE = "12.4.3.1: the GroupInfo is signed by that member"
    WELCOME_OWN_LEAF = "12.4.3.1: the key package's leaf is in the tree"
    WELCOME_PATH_OPENS = "12.4.3.1: the path secret gives public keys of the tree"
    WELCOME_CONFIRMATION_TAG = "12.4.3.1: the confirmation tag fits the epoch"
    WELCOME_PSKS = "12.4.3.1: at most one re-init or branch key is used"
    REINIT_CONTINUES = "11.2: the new group is what the re-init said"
    BRANCH_CONTINUES = "11.3: version, cipher suite and members come from the main group"
    EXTERNAL_PUB = "12.4.3.2: the GroupInfo has an external_pub extension"
