"""Simulate scaling: `make simulate` for the standard set and its page, `make simulate TRACE=file.csv` for a trace."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable

from bench.simulator import page, traces
from bench.simulator.options import Options
from bench.simulator.policies import Ours, peers
from bench.simulator.report import Comparison, goals
from bench.simulator.run import run
from bench.simulator.workload import Workload
from bench.simulator.workloads import standard


def main() -> int:
    """Return the exit code. A goal that is not reached is a result."""
    options = Options.from_environment()
    began = time.monotonic()
    try:
        workloads = [traces.read(options.trace, most=options.most)] if options.trace else standard(options.seed)
    except traces.TraceError as error:
        print(error, file=sys.stderr)
        return 2
    comparisons = list(compare(workloads, options))
    print(page.goal_table(goals(comparisons)))
    if options.trace is None:
        page.write(comparisons)
        print(f"Written to {page.PAGE.name} in {time.monotonic() - began:.0f} s")
    return 0


def compare(workloads: Iterable[Workload], options: Options) -> Iterable[Comparison]:
    """Run and print each workload. What the others do does not depend on the target."""
    for workload in workloads:
        others = [
            run(workload, policy, options.spec, seed=options.seed)
            for policy in peers(options.spec.slots, seed=options.seed)
        ]
        for target in options.targets:
            ours = run(workload, Ours(target), options.spec, seed=options.seed)
            comparison = Comparison(workload, target, [ours, *others])
            print(f"{workload.name}, target {target:g} s\n\n{comparison.text()}", flush=True)
            yield comparison


if __name__ == "__main__":
    sys.exit(main())
