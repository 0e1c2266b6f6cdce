"""What a release's NetworkPolicies let through, decided as the API reference says it.

The clusters of the end-to-end tests accept policies without enforcing them, so what they mean is worked out here. A
connection needs both sides: the policies that select the pod it comes from, and those that select the pod it goes to.
A side that no policy selects lets everything through.
"""

from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Literal

from tests.chart.helm import NAMESPACE
from tests.chart.kube import Labels, NetworkPolicy
from tests.chart.kube.network import Peer, PolicyPort
from tests.chart.release import Release, Run

NAMESPACE_LABEL = "kubernetes.io/metadata.name"

Direction = Literal["Ingress", "Egress"]


@dataclass(frozen=True)
class Party:
    """One end of a connection."""

    name: str
    address: str
    namespace: str | None = None
    """None: outside of the cluster, or a pod on its node's network."""
    labels: Labels = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    """The container's ports by name, which a policy may use."""


INTERNET = Party("the internet", "93.184.215.14")
API_SERVER = Party("the API server", "172.18.0.2")
METADATA = Party("the cloud's metadata service", "169.254.169.254")
DNS = Party("DNS", "10.244.0.2", "kube-system", {"k8s-app": "kube-dns"}, {"dns": 53, "dns-tcp": 53})
PROMETHEUS = Party("Prometheus", "10.244.0.9", "monitoring", {"app.kubernetes.io/name": "prometheus"})
KEDA = Party("KEDA", "10.244.0.8", "keda", {"app": "keda-operator"})
STRANGER = Party("a pod of another namespace", "10.244.0.7", "elsewhere", {"app": "stranger"})
NEIGHBOUR = Party("another pod of the namespace", "10.244.0.6", NAMESPACE, {"app": "neighbour"})


def pod(run: Run) -> Party:
    """Return a pod of the release as an end of a connection."""
    ports = {port.name: port.container_port for _, one in run.containers() for port in one.ports if port.name}
    return Party(run.id, "10.244.0.5", NAMESPACE, run.labels, ports)


@dataclass(frozen=True)
class Connection:
    """An attempt of one party to reach another."""

    source: Party
    target: Party
    port: int
    protocol: Literal["TCP", "UDP"] = "TCP"

    def __str__(self) -> str:
        """Return it as a message says it."""
        return f"{self.source.name} to {self.target.name}, {self.protocol} {self.port}"


@dataclass(frozen=True)
class Policies:
    """The policies of one release."""

    policies: list[NetworkPolicy]

    @classmethod
    def of(cls, release: Release) -> "Policies":
        """Return those that a release renders."""
        return cls(release.of(NetworkPolicy))

    def guarding(self, party: Party, direction: Direction) -> list[NetworkPolicy]:
        """Return the policies that limit a pod in one direction."""
        if party.namespace != NAMESPACE:
            return []
        return [
            policy
            for policy in self.policies
            if direction in policy.spec.policy_types and policy.spec.pod_selector.matches(party.labels)
        ]

    def let(self, connection: Connection) -> bool:
        """Whether a connection comes about."""
        return self._let_out(connection) and self._let_in(connection)

    def _let_out(self, connection: Connection) -> bool:
        guards = self.guarding(connection.source, "Egress")
        rules = [rule for policy in guards for rule in policy.spec.egress]
        return not guards or any(_allows(rule.to, rule.ports, connection.target, connection) for rule in rules)

    def _let_in(self, connection: Connection) -> bool:
        guards = self.guarding(connection.target, "Ingress")
        rules = [rule for policy in guards for rule in policy.spec.ingress]
        return not guards or any(_allows(rule.from_, rule.ports, connection.source, connection) for rule in rules)


def _allows(peers: list[Peer], ports: list[PolicyPort], other: Party, connection: Connection) -> bool:
    """Whether a rule allows it: an empty list of peers means everybody, one of ports every port."""
    peer_fits = not peers or any(_is(peer, other) for peer in peers)
    return peer_fits and (not ports or any(_takes(one, connection) for one in ports))


def _is(peer: Peer, party: Party) -> bool:
    if peer.ip_block:
        address = ip_address(party.address)
        inside = address in ip_network(peer.ip_block.cidr)
        return inside and not any(address in ip_network(one) for one in peer.ip_block.except_)
    if party.namespace is None:
        return False
    if peer.namespace_selector:
        in_namespace = peer.namespace_selector.matches({NAMESPACE_LABEL: party.namespace})
    else:
        in_namespace = party.namespace == NAMESPACE
    return in_namespace and (peer.pod_selector is None or peer.pod_selector.matches(party.labels))


def _takes(allowed: PolicyPort, connection: Connection) -> bool:
    if allowed.protocol != connection.protocol:
        return False
    if allowed.port is None:
        return True
    first = connection.target.ports.get(allowed.port) if isinstance(allowed.port, str) else allowed.port
    return first is not None and first <= connection.port <= (allowed.end_port or first)
