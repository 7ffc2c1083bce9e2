"""``make sim``: run one seed and tell all of it, or a range of seeds and tell what is wrong."""

import argparse
import logging
import sys
import time

from tests.sim.campaign import Campaign
from tests.sim.preparing import simulate
from tests.sim.telling import digest, failure, lines, table

SHOW_EVERY_S = 2.0


def main() -> int:
    """Read the arguments, run, and return 0 if no promise was broken."""
    parser = argparse.ArgumentParser(prog="make sim", description=__doc__)
    parser.add_argument("seeds", nargs="?", default="0..200", help="SEED, or FIRST..LAST")
    parser.add_argument("--digest", action="store_true", help="print the digest of the trace only")
    options = parser.parse_args()
    logging.getLogger("wxserve").setLevel(logging.CRITICAL)  # what breaks is in the trace
    first, _, last = options.seeds.partition("..")
    if last:
        return run_range(int(first), int(last))
    return run_one(int(first), quiet=options.digest)


def run_one(seed: int, *, quiet: bool) -> int:
    """Run a seed twice, tell its trace, and whether both were the same."""
    result, again = simulate(seed), simulate(seed)
    same = result.trace == again.trace
    if not quiet:
        for line in lines(result.trace):
            print(line)
        print(table("went wrong on purpose:", result.fired))
        print(table("was seen:", result.counts))
        for fault in result.faults:
            print(f"BROKEN: {fault}")
    print(f"seed {seed}: {digest(result.trace)}{'' if same else ', NOT THE SAME TWICE'}")
    return 0 if same and not result.faults else 1


def run_range(first: int, last: int) -> int:
    """Run seeds first … last with a line of progress."""
    campaign = Campaign()
    began = shown = time.monotonic()
    for seed in range(first, last + 1):
        result = campaign.run(seed)
        if result.faults:
            print(f"\r{failure(result)}", flush=True)
        now = time.monotonic()
        if now - shown >= SHOW_EVERY_S or seed == last:
            shown = now
            rate = campaign.seeds / (now - began)
            told = f"{campaign.seeds:,} of {last + 1 - first:,} seeds, {rate:.0f} a second"
            print(f"\r{told}, {len(campaign.failed)} failed ", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    print(table("went wrong on purpose:", campaign.fired))
    print(table("was seen:", campaign.counts))
    failed = ", ".join(str(result.seed) for result in campaign.failed[:20])
    print(
        f"{campaign.seeds:,} seeds, {campaign.virtual_s:,.0f} virtual seconds; failed: {failed or 'none'}"
    )
    return 1 if campaign.failed else 0


if __name__ == "__main__":
    sys.exit(main())
