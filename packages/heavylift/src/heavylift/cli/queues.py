"""`heavylift queues`: what each queue holds."""

from __future__ import annotations

from rich.table import Table

from heavylift.cli.options import DEFAULT_URL, ApiKey, Json, Url, connect
from heavylift.cli.output import stdout, write_json
from heavylift.cli.show import seconds


def list_queues(*, url: Url = DEFAULT_URL, api_key: ApiKey = None, json: Json = False) -> None:
    """Show how many jobs each queue holds, and how long the oldest has waited."""
    with connect(url, api_key) as client:
        queues = client.queues()
    if json:
        write_json({"items": queues})
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("queue", no_wrap=True)
    for name in ("waiting", "running", "scheduled", "dead", "oldest"):
        table.add_column(name, justify="right", no_wrap=True)
    for queue in queues:
        counts = map(str, (queue.waiting, queue.running, queue.scheduled, queue.dead))
        table.add_row(queue.queue, *counts, seconds(queue.oldest_age_seconds) if queue.waiting else "")
    stdout().print(table if queues else "No queues: no worker has published a job type yet.")
