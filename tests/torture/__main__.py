"""`make torture`: at least 50 SIGKILLs of drivers, workers, raylets and database servers; exit code 1 if anything is lost."""

import argparse
import os
import random
import shutil
import sys
import time
from collections import Counter

os.environ["OMP_NUM_THREADS"] = "1"

from ..postgres import Server, binaries
from .kills import Nursery
from .scenarios import calm_study, drivers, on_ray, servers


def main() -> int:
    parser = argparse.ArgumentParser(prog="torture", description=__doc__)
    for name, number in {"drivers": 15, "servers": 12, "workers": 12, "raylets": 10, "ray-drivers": 5}.items():
        parser.add_argument(f"--{name}", type=int, default=number, help=f"kills of {name}; default {number}")
    parser.add_argument("--seed", type=int, default=0)
    wanted = parser.parse_args()
    dice, nursery, began = random.Random(wanted.seed), Nursery(), time.monotonic()
    calm = calm_study(nursery)
    total, faults = Counter(), []

    def add(outcome: tuple[Counter, list[str]]) -> None:
        total.update(outcome[0])
        faults.extend(outcome[1])
        print(f"{time.monotonic() - began:6.0f} s  {dict(outcome[0])}  faults: {len(outcome[1])}", flush=True)

    try:
        if wanted.drivers:
            add(drivers(nursery, calm, wanted.drivers, dice))
        if wanted.servers and binaries():
            server = Server()
            try:
                add(servers(nursery, calm, wanted.servers, dice, server))
            finally:
                server.remove()
        if wanted.workers or wanted.raylets or wanted.ray_drivers:
            add(on_ray(calm, wanted.workers, wanted.raylets, wanted.ray_drivers, dice))
    finally:
        nursery.close()
    shutil.rmtree(calm.folder, ignore_errors=True)
    print("\nkilled                    times")
    for kind, times in sorted(total.items()):
        print(f"{kind:24} {times:6}")
    print(f"{'all':24} {total.total():6}")
    print(f"\nlost, repeated, left over or otherwise than uninterrupted: {len(faults)}")
    for fault in faults:
        print(f"  {fault[:500]}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
