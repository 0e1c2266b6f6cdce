"""Writes the overview dashboard: from the number a user feels to the part that is slow. `make chart` runs this.

The controller tells what the queues hold, read from Redis, so those panels speak with no worker at all. Several
controllers say the same, hence `max`; of counters each process knows its own share, hence `sum`. No metric of ours says
which pod it is from. The scrape adds `namespace` and the pod's labels, of which these queries take the release
(`app_kubernetes_io_instance`) and the pool (`pool` from our PodMonitor, `heavylift_dev_pool` from a Prometheus that
follows the annotations and turns each of a pod's labels into one of its own).
"""

from __future__ import annotations

import json
from pathlib import Path

from charts import grafana
from charts.grafana import Query, Row, stat, step, table, timeseries

OVERVIEW = Path(__file__).parent / "heavylift/dashboards/overview.json"

SCOPE = 'namespace="$namespace", app_kubernetes_io_instance=~"$release"'
QUEUES = f'{SCOPE}, queue=~"$queue"'
POOL = "pool, heavylift_dev_pool"
POOL_LEGEND = "{{pool}}{{heavylift_dev_pool}}"

VARIABLES = (
    grafana.datasource_variable(),
    # A metric that every API process has exactly once.
    grafana.label_variable("namespace", "label_values(heavylift_uploads_open, namespace)", everything=False),
    grafana.label_variable(
        "release",
        'label_values(heavylift_uploads_open{namespace="$namespace"}, app_kubernetes_io_instance)',
        everything=True,
    ),
    grafana.label_variable("queue", f"label_values(heavylift_queue_jobs{{{SCOPE}}}, queue)", everything=True),
)


def per_second(metric: str, *, by: str = "", where: str = SCOPE) -> str:
    """Return the query of how often a counter counts."""
    return f"sum{_by(by)} (rate({metric}{{{where}}}[$__rate_interval]))"


def quantile(
    share: float, histogram: str, *, by: str = "", where: str = SCOPE, window: str = "$__rate_interval"
) -> str:
    """Return the query of a histogram's quantile."""
    labels = ", ".join(filter(None, ("le", by)))
    return f"histogram_quantile({share}, sum by ({labels}) (rate({histogram}_bucket{{{where}}}[{window}])))"


def jobs(state: str, *, by: str = "") -> str:
    """Return the query of how many jobs of the chosen queues are in a state."""
    each = f'max by (queue, app_kubernetes_io_instance) (heavylift_queue_jobs{{{QUEUES}, state="{state}"}})'
    return f"sum{_by(by)} ({each})"


def attempts(outcomes: str, *, by: str = "", window: str = "$__rate_interval") -> str:
    """Return the query of how often attempts end in one of some ways (a regular expression)."""
    return f'sum{_by(by)} (rate(heavylift_attempts_finished_total{{{QUEUES}, outcome=~"{outcomes}"}}[{window}]))'


def success(*, by: str = "", window: str = "$__rate_interval") -> str:
    """Return the query of the share of attempts that succeeded, of those that somebody can be blamed for."""
    succeeded = attempts("succeeded", by=by, window=window)
    return f"{succeeded} / {attempts('succeeded|failed|retrying|lost|hung', by=by, window=window)}"


def wait_time(share: float, *, by: str = "") -> str:
    """Return the query of a quantile of how long jobs waited."""
    return quantile(share, "heavylift_job_wait_seconds", by=by, where=QUEUES)


def run_time(share: float, *, by: str = "", window: str = "$__rate_interval") -> str:
    """Return the query of a quantile of how long attempts ran."""
    return quantile(share, "heavylift_job_run_seconds", by=by, where=QUEUES, window=window)


def of_pools(what: str, *, by: str = "") -> str:
    """Return the query of what the controller that scales says of each pool; the others say 0."""
    labels = ", ".join(filter(None, ("pool", by)))
    return f"max by ({labels}) (heavylift_pool_{what}{{{SCOPE}}})"


def _by(labels: str) -> str:
    return f" by ({labels})" if labels else ""


OLDEST = f"max by (queue) (heavylift_queue_oldest_age_seconds{{{QUEUES}}})"

GOLDEN = Row(
    "At a glance",
    [
        stat(
            "Submitted",
            per_second("heavylift_submits_total", where=f'{SCOPE}, outcome="accepted"'),
            description="Jobs accepted by the API, per second, in all queues.",
            unit="cps",
            width=3,
        ),
        stat(
            "Succeeded",
            success(),
            description="Share of attempts that succeeded; those that were cancelled or handed on do not count.",
            unit="percentunit",
            width=3,
            steps=[step("red"), step("orange", 0.95), step("green", 0.99)],
        ),
        stat(
            "Wait, p95",
            wait_time(0.95),
            description="From the moment a job could start until it did, of the jobs that started.",
            unit="s",
            width=3,
        ),
        stat(
            "Run, p95",
            run_time(0.95),
            description="How long attempts ran.",
            unit="s",
            width=3,
        ),
        stat("Waiting", jobs("waiting"), description="Jobs that could start now.", unit="short", width=4),
        stat(
            "Oldest",
            f"max ({OLDEST})",
            description="How long the oldest waiting job has waited.",
            unit="s",
            width=4,
        ),
        stat(
            "Workers ready",
            f"sum (1 - heavylift_worker_draining{{{SCOPE}}}) or vector(0)",
            description="Worker pods that Prometheus reaches and that take jobs; those that drain are not among them.",
            unit="short",
            width=4,
            steps=[step("red"), step("green", 1)],
        ),
    ],
)

PER_QUEUE = Row(
    "Queues",
    [
        timeseries(
            "Waiting",
            Query(jobs("waiting", by="queue"), "{{queue}}"),
            description="Jobs that could start now.",
            unit="short",
            stacked=True,
        ),
        timeseries(
            "Running",
            Query(jobs("running", by="queue"), "{{queue}}"),
            description="Jobs with a lease.",
            unit="short",
            stacked=True,
        ),
        timeseries(
            "Scheduled and dead",
            Query(jobs("scheduled", by="queue"), "{{queue}} scheduled"),
            Query(jobs("dead", by="queue"), "{{queue}} dead"),
            description="Jobs whose time has not come, and failed ones that are kept for replay.",
            unit="short",
        ),
        timeseries(
            "Oldest waiting job",
            Query(OLDEST, "{{queue}}"),
            description="If it grows with the clock, nothing takes this queue's jobs.",
            unit="s",
        ),
        timeseries(
            "Wait",
            Query(wait_time(0.5, by="queue"), "{{queue}} p50"),
            Query(wait_time(0.95, by="queue"), "{{queue}} p95"),
            description="From the moment a job could start until it did, of the jobs that started.",
            unit="s",
        ),
        timeseries(
            "Attempts ended",
            Query(attempts(".*", by="queue, outcome"), "{{queue}} {{outcome}}"),
            description="Attempts per second by how they ended.",
            unit="cps",
            stacked=True,
        ),
    ],
)

PER_TYPE = Row(
    "Job types",
    [
        table(
            "In the chosen time",
            "type",
            [
                ("attempts/s", "cps", attempts(".*", by="type", window="$__range")),
                ("succeeded", "percentunit", success(by="type", window="$__range")),
                ("failed/s", "cps", attempts("failed", by="type", window="$__range")),
                ("retried/s", "cps", attempts("retrying", by="type", window="$__range")),
                ("lost/s", "cps", attempts("lost", by="type", window="$__range")),
                ("run p95", "s", run_time(0.95, by="type", window="$__range")),
            ],
            description="Every job type, over the dashboard's time.",
            width=16,
        ),
        timeseries(
            "Submits by outcome",
            Query(per_second("heavylift_submits_total", by="outcome"), "{{outcome}}"),
            description="Accepted, repeated (the same idempotency key), or the problem that refused them.",
            unit="cps",
        ),
    ],
)

WORKERS = Row(
    "Workers",
    [
        timeseries(
            "Slots",
            Query(f"sum by (state, {POOL}) (heavylift_worker_slots{{{SCOPE}}})", POOL_LEGEND + " {{state}}"),
            description="How many jobs the workers could run at a time, and how many they do.",
            unit="short",
            stacked=True,
        ),
        timeseries(
            "Leases lost",
            Query(
                per_second("heavylift_reaped_leases_total", by="queue, outcome", where=QUEUES), "{{queue}} {{outcome}}"
            ),
            Query(per_second("heavylift_lease_losses_total", by="queue", where=QUEUES), "{{queue}} seen by its worker"),
            description="Jobs taken back because their worker stopped renewing, by what became of them. 0 is normal.",
            unit="cps",
        ),
        timeseries(
            "Controller",
            Query(
                f"time() - max by (loop) (heavylift_controller_last_success_timestamp_seconds{{{SCOPE}}} > 0)",
                "{{loop}}",
            ),
            description="Time since each of the controller's loops last did its work. It grows without Redis.",
            unit="s",
        ),
    ],
)

SCALING = Row(
    "Scaling",
    [
        timeseries(
            "Workers of a pool",
            Query(of_pools("desired_workers"), "{{pool}} desired"),
            Query(of_pools("current_workers"), "{{pool}} asked for"),
            Query(of_pools("ready_workers"), "{{pool}} ready"),
            description="What the queues need, the number that is set, and the workers that take jobs.",
            unit="short",
        ),
        timeseries(
            "What makes the number",
            Query(f"{of_pools('limiter', by='limiter')} > 0", "{{pool}} {{limiter}}"),
            description="What prevails: slo, min, max, hold, busy … `kubectl get workerpools -o wide` has the words.",
            unit="short",
            stacked=True,
        ),
        timeseries(
            "Frozen or held",
            Query(of_pools("frozen"), "{{pool}} frozen"),
            Query(of_pools("held"), "{{pool}} held by somebody"),
            description="Frozen: Redis or the API server cannot be read, so nothing is changed.",
            unit="short",
        ),
        timeseries(
            "Reaction, p95",
            Query(quantile(0.95, "heavylift_scaling_reaction_seconds", by="pool"), "{{pool}}"),
            description="From a job's arrival in a pool at rest until more workers were asked for.",
            unit="s",
            width=6,
        ),
        timeseries(
            "Changes and drains",
            Query(per_second("heavylift_scaling_changes_total", by="pool, direction"), "{{pool}} {{direction}}"),
            Query(per_second("heavylift_scaling_drains_total", by="pool, result"), "{{pool}} {{result}}"),
            description="Numbers set, and how drains ended. `wrong`, a worker that went and was to stay, must be 0.",
            unit="cps",
            width=6,
        ),
        timeseries(
            "Learned",
            Query(of_pools("service_seconds"), "{{pool}} job"),
            Query(of_pools("boot_seconds"), "{{pool}} boot"),
            Query(of_pools("hold_seconds"), "{{pool}} kept idle"),
            description="How long a job takes, the next worker takes to start, and one is kept without work.",
            unit="s",
            width=6,
        ),
        timeseries(
            "Controller that scales",
            Query(f"sum (heavylift_scaling_leader{{{SCOPE}}})", "leaders, must be 1"),
            Query(quantile(0.95, "heavylift_scaling_tick_seconds"), "one look at all pools, p95, s"),
            description="None for more than 15 s: nobody scales. With the engines hpa and none there is none.",
            unit="short",
            width=6,
        ),
    ],
)

REDIS = Row(
    "Redis (from its exporter)",
    [
        timeseries(
            "Memory",
            Query(f"redis_memory_used_bytes{{{SCOPE}}}", "used"),
            Query(f"redis_memory_max_bytes{{{SCOPE}}}", "maxmemory"),
            description="Near maxmemory submits are refused with 503; running jobs still finish.",
            unit="bytes",
        ),
        timeseries(
            "Commands",
            Query(per_second("redis_commands_processed_total"), "commands"),
            description="One core of Redis does about 20 to 30 thousand jobs' worth of scripts.",
            unit="cps",
        ),
        timeseries(
            "Clients and trouble",
            Query(f"redis_connected_clients{{{SCOPE}}}", "clients"),
            Query(f"redis_evicted_keys_total{{{SCOPE}}}", "keys evicted, must be 0"),
            Query(f"1 - redis_aof_last_write_status{{{SCOPE}}}", "append-only file fails, must be 0"),
            description="An evicted key is a lost job; a file that cannot be written means a full volume.",
            unit="short",
        ),
    ],
)

REQUESTS = "heavylift_http_requests_total"
SLOWEST = quantile(0.99, "heavylift_http_request_duration_seconds", by="route, method")
REFUSED = per_second(REQUESTS, by="route", where=f'{SCOPE}, status="503"')
ERRORS = per_second(REQUESTS, where=f'{SCOPE}, status=~"5.."')

API = Row(
    "API",
    [
        timeseries(
            "Requests",
            Query(per_second(REQUESTS, by="status"), "{{status}}"),
            description="Requests per second by status. 499: the client left before its answer.",
            unit="reqps",
            width=6,
            stacked=True,
        ),
        timeseries(
            "Errors",
            Query(f"{ERRORS} / {per_second(REQUESTS)}", "5xx"),
            description="Share of requests that the API or what it needs is to blame for.",
            unit="percentunit",
            width=6,
        ),
        timeseries(
            "Latency, p99",
            Query(f"topk(5, {SLOWEST})", "{{method}} {{route}}"),
            description="From a request's first byte to its answer's, of the five slowest routes.",
            unit="s",
            width=6,
        ),
        timeseries(
            "503 by route",
            Query(f"topk(5, {REFUSED})", "{{route}}"),
            description="A full queue, a full Redis, or none: the submit panel says which.",
            unit="reqps",
            width=6,
        ),
    ],
)


def overview() -> str:
    """Return the dashboard's JSON."""
    body = grafana.dashboard(
        uid="heavylift-overview",
        title="Heavylift",
        description="Jobs, queues, workers, Redis and the API of a release of Heavylift.",
        variables=VARIABLES,
        rows=(GOLDEN, PER_QUEUE, PER_TYPE, WORKERS, SCALING, REDIS, API),
    )
    return json.dumps(body, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    OVERVIEW.parent.mkdir(parents=True, exist_ok=True)
    OVERVIEW.write_text(overview())
