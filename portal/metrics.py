"""What a monitor is told, as metrics of Prometheus.

Names and units follow https://prometheus.io/docs/practices/naming/. Questions are counted in real
counters, from sums that are kept for ever: a monitor that was away for an hour still knows what
happened in it, and chooses its own window. Quantiles are those of the last day, as a summary's are.
"""

from collections.abc import Iterator, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from geobservatory import __version__
from geobservatory.catalog.measurements import Kind
from portal.readings import ASKED, Readings

# For each, name, what it says, and quantiles: of speeds the slow ones matter, of times the long.
_SUMMARIES = (
    (Kind.SEARCH, "search_seconds", "Time to the first page of a search", (0.5, 0.9, 0.99)),
    (Kind.TRANSFER, "download_bytes_per_second", "Speed of good downloads", (0.1, 0.5, 0.9)),
    (Kind.FIRST_BYTE, "first_byte_seconds", "Time to the first byte of a file", (0.5, 0.9, 0.99)),
    (Kind.LATENCY, "publication_delay_seconds", "From sensing to publication", (0.5, 0.9, 0.99)),
)
_REACHABLE = "reachable"


class _Once(Collector):
    """Hands out what was made already."""

    def __init__(self, made: Sequence[Metric]) -> None:
        self._made = made

    def collect(self) -> Sequence[Metric]:
        return self._made


def exposition(readings: Readings) -> bytes:
    """Write readings in the text format of Prometheus, version 0.0.4."""
    registry = CollectorRegistry()
    registry.register(_Once(list(families(readings))))
    return generate_latest(registry)


def families(readings: Readings) -> Iterator[Metric]:
    """Make a metric family of each thing that was read."""
    build = GaugeMetricFamily(
        "geobs_build_info", "Version of this program; always 1.", labels=("version",)
    )
    build.add_metric((__version__,), 1)
    yield build
    activations = GaugeMetricFamily(
        "geobs_activations", "Activations in each state.", labels=("state",)
    )
    for state, count in readings.activations.items():
        activations.add_metric((state.value,), count)
    yield activations
    yield from _incidents(readings)
    yield from _counters(readings)
    for kind, name, said, quantiles in _SUMMARIES:
        yield _summary(readings, kind, f"geobs_hub_{name}", said, quantiles)
    yield from _last(readings)
    yield from _budgets(readings)
    expected = GaugeMetricFamily(
        "geobs_hub_expected_delivery_seconds",
        "Expected time to fetch a product of usual size now.",
        labels=("hub",),
    )
    for hub, seconds in readings.expected_s.items():
        expected.add_metric((hub,), seconds)
    yield expected


def _incidents(readings: Readings) -> Iterator[Metric]:
    # Causes are told elsewhere: of a text that changes each wording would be a series of its own.
    lasting = {(one.hub, one.aspect) for one in readings.incidents if one.ended_at is None}
    up = GaugeMetricFamily(
        "geobs_hub_up", "0 while an incident says that the hub cannot be reached.", labels=("hub",)
    )
    for hub in readings.hubs:
        up.add_metric((hub,), (hub, _REACHABLE) not in lasting)
    yield up
    incident = GaugeMetricFamily(
        "geobs_hub_incident_open",
        "1 while an incident lasts; 0 for a day after its end.",
        labels=("hub", "aspect"),
    )
    for key in sorted({(one.hub, one.aspect) for one in readings.incidents}):
        incident.add_metric(key, key in lasting)
    yield incident


def _counters(readings: Readings) -> Iterator[Metric]:
    answers = CounterMetricFamily(
        "geobs_hub_answers_total", "Questions the hub answered well.", labels=("hub", "kind")
    )
    failures = CounterMetricFamily(
        "geobs_hub_failures_total",
        "Questions the hub did not answer, or answered wrongly.",
        labels=("hub", "kind"),
    )
    for (hub, kind), total in sorted(readings.totals.items()):
        if kind in ASKED:
            answers.add_metric((hub, kind.value), total.good)
            failures.add_metric((hub, kind.value), total.asked - total.good)
    yield answers
    yield failures
    published = CounterMetricFamily(
        "geobs_hub_published_total",
        "Products the hub published, by its own dates.",
        labels=("hub", "product_type"),
    )
    for key, count in sorted(readings.published.items()):
        published.add_metric(key, count)
    yield published


def _summary(
    readings: Readings, kind: Kind, name: str, said: str, quantiles: Sequence[float]
) -> Metric:
    # Not `SummaryMetricFamily`, which knows no quantiles.
    family = Metric(name, f"{said}; quantiles are of the last day.", "summary")
    for hub in readings.hubs:
        spread = readings.spreads[hub, kind]
        if spread.count:
            for part in quantiles:
                labels = {"hub": hub, "quantile": f"{part:g}"}
                family.add_sample(name, labels, spread.quantile(part))
        total = readings.totals.get((hub, kind))
        if total is not None:
            family.add_sample(f"{name}_count", {"hub": hub}, total.good)
            family.add_sample(f"{name}_sum", {"hub": hub}, total.total)
    return family


def _last(readings: Readings) -> Iterator[Metric]:
    complete = GaugeMetricFamily(
        "geobs_hub_completeness_ratio",
        "Share of what all hubs have that this one has, when it was last compared.",
        labels=("hub",),
    )
    certificate = GaugeMetricFamily(
        "geobs_hub_certificate_expiry_seconds",
        "Time until the certificate expires; negative once it has.",
        labels=("hub",),
    )
    window = GaugeMetricFamily(
        "geobs_hub_window_seconds",
        "Age of the oldest product the hub lists, when it was last looked for.",
        labels=("hub",),
    )
    for (hub, kind), (at, value) in sorted(readings.last_values.items()):
        match kind:
            case Kind.COMPLETENESS:
                complete.add_metric((hub,), value)
            case Kind.CERTIFICATE:
                # It is looked at once a day, and runs out meanwhile.
                certificate.add_metric((hub,), value - (readings.at - at).total_seconds())
            case Kind.WINDOW:
                window.add_metric((hub,), value)
    yield from (complete, certificate, window)
    online = GaugeMetricFamily(
        "geobs_hub_online_ratio",
        "Share of products asked for in the last day that could be had at once.",
        labels=("hub",),
    )
    for hub, share in readings.online.items():
        if share.asked:
            online.add_metric((hub,), share.value)
    yield online
    probe = GaugeMetricFamily(
        "geobs_hub_last_probe_timestamp_seconds",
        "When the hub was last asked, whatever came of it.",
        labels=("hub", "kind"),
    )
    for (hub, kind), at in sorted(readings.last_asked.items()):
        probe.add_metric((hub, kind.value), at.timestamp())
    yield probe


def _budgets(readings: Readings) -> Iterator[Metric]:
    left = GaugeMetricFamily(
        "geobs_hub_error_budget_left_ratio",
        "Share of the error budget that is left; negative where more went wrong than may.",
        labels=("hub", "objective"),
    )
    burn = GaugeMetricFamily(
        "geobs_hub_error_budget_burn_ratio",
        "How fast the budget went in the last six hours; 1 is just what it bears.",
        labels=("hub", "objective"),
    )
    for hub, budgets in readings.budgets.items():
        for one in budgets:
            left.add_metric((hub, one.name), one.left)
            burn.add_metric((hub, one.name), one.burn)
    yield left
    yield burn
