"""Section 4.1.2 and appendix C: the complete binary tree in an array.

A tree of ``leaves`` leaves, a power of two, has ``2 * leaves - 1`` nodes: leaf ``i`` is node ``2i``,
and a subtree of height k has its root where k trailing bits are one.
"""


def level(node: int) -> int:
    """Return a node's height above the leaves."""
    return (node ^ (node + 1)).bit_length() - 1


def node_width(leaves: int) -> int:
    """Return the number of nodes of a tree."""
    return 2 * leaves - 1 if leaves else 0


def root(leaves: int) -> int:
    """Return the root of a tree."""
    return leaves - 1


def left(node: int) -> int:
    """Return a parent's left child."""
    return node ^ (1 << (level(node) - 1))


def right(node: int) -> int:
    """Return a parent's right child."""
    return node ^ (3 << (level(node) - 1))


def parent(node: int) -> int:
    """Return a node's parent in a tree large enough to have one."""
    height = level(node)
    return (node | (1 << height)) & ~(1 << (height + 1))


def sibling(node: int) -> int:
    """Return the other child of a node's parent."""
    above = parent(node)
    return right(above) if node < above else left(above)


def direct_path(leaf: int, leaves: int) -> list[int]:
    """Return the nodes above leaf number ``leaf``, from its parent to the root."""
    top = root(leaves)
    node = 2 * leaf
    path = []
    while node != top:
        node = parent(node)
        path.append(node)
    return path


def is_below(node: int, above: int) -> bool:
    """Whether ``node`` is ``above`` or one of its descendants."""
    return abs(node - above) < 1 << level(above)


def leaves_below(node: int) -> range:
    """Return the numbers of the leaves in a node's subtree."""
    reach = (1 << level(node)) - 1
    return range((node - reach) // 2, (node + reach) // 2 + 1)


def next_power_of_two(count: int) -> int:
    """Return the least power of two that is not below ``count``."""
    return 1 << max(count - 1, 0).bit_length()
