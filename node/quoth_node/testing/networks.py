"""Which network a cluster under test gets."""

from random import Random

from quoth_node.testing.network import CannotFault, Network, Untouched
from quoth_node.testing.proxies import Proxies

NAMES = ("auto", "proxies", "namespaces", "none")


def make_network(name: str, chance: Random) -> Network:
    """The network of this name; auto: namespaces where this machine can do them, else proxies.

    Raises ValueError for another name, CannotFault if this machine cannot do it.
    """
    if name == "none":
        return Untouched()
    if name == "proxies":
        return Proxies(chance)
    if name not in NAMES:
        raise ValueError(f"a network is one of {', '.join(NAMES)}, not {name}")
    from quoth_node.testing.namespaces import Namespaces, available, usable

    if name == "namespaces":
        missing = usable()  # with what works; a fault that does not will say so
        if missing is not None:
            raise CannotFault(f"this machine cannot do network namespaces: {missing}")
        return Namespaces()
    return Namespaces() if available() is None else Proxies(chance)
