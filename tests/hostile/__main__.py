"""`make hostile`: damaged and malicious input, read by ganprune's own functions; exit code 1 if one does more than refuse it.

python -m tests.hostile --cases 10000 --seed 0
python -m tests.hostile --only 4711 --keep          one case, whose files and traceback are shown
"""

import argparse
import os

os.environ["OMP_NUM_THREADS"] = "1"

import shutil
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

from .cases import Verdict, kind_of, write_seeds
from .catalog import KINDS
from .runner import perform


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="hostile", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--kind", choices=KINDS, action="append", help="only cases of this kind; repeatable")
    parser.add_argument("--only", type=int, action="append", help="only this case; repeatable")
    parser.add_argument("--keep", action="store_true", help="keep the files of the cases")
    wanted = parser.parse_args()
    root, began = Path(tempfile.mkdtemp(prefix="ganprune-hostile-")), time.monotonic()
    numbers = wanted.only or [n for n in range(wanted.cases) if not wanted.kind or kind_of(n) in wanted.kind]
    write_seeds(root)
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    faults: defaultdict[str, list[Verdict]] = defaultdict(list)
    try:
        for done, verdict in enumerate(perform(root, numbers, wanted.seed, wanted.workers, wanted.keep), 1):
            counts[verdict.kind][verdict.outcome] += 1
            if verdict.outcome == "fault":
                faults[verdict.cause].append(verdict)
            if done % 1000 == 0:
                print(
                    f"{time.monotonic() - began:6.0f} s  {done} cases, {sum(map(len, faults.values()))} faults",
                    flush=True,
                )
    finally:
        if not wanted.keep:
            shutil.rmtree(root, ignore_errors=True)
    print(f"\n{'kind':28} {'cases':>6} {'read':>6} {'refused':>8} {'faults':>7}")
    for kind, count in sorted(counts.items()):
        print(f"{kind:28} {count.total():6} {count['read']:6} {count['refused']:8} {count['fault']:7}")
    total = sum(counts.values(), Counter[str]())
    print(f"{'all':28} {total.total():6} {total['read']:6} {total['refused']:8} {total['fault']:7}")
    print(f"\n{time.monotonic() - began:.0f} s; seed {wanted.seed}; faults of {len(faults)} kinds")
    for cause, several in sorted(faults.items(), key=lambda one: -len(one[1])):
        print(
            f"\n{len(several)} x {cause}\n  {several[0].kind}, cases {', '.join(str(one.number) for one in several[:6])}: {several[0].told[:400]}"
        )
        if wanted.only:
            print(several[0].trace)
    if wanted.keep:
        print(f"\nfiles: {root}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
