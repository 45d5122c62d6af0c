"""`make bench`: every row that is measured so far, as one table; history in bench/results/.

`ARGS="overhead live"` runs some. Figures are medians of several runs on a machine that may be busy: judge ratios.
"""

import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any

BENCHES = ("overhead", "replay", "streaming", "live", "dedupe", "start", "pages")
RESULTS = Path(__file__).parent / "results"


def main(names: list[str]) -> int:
    rows: list[dict[str, Any]] = []
    for name in names or BENCHES:
        print(f"{name} ...", file=sys.stderr, flush=True)
        found = importlib.import_module(f"bench.{name}").run()
        for row in found:
            print(_line(row), flush=True)
        rows += found
    RESULTS.mkdir(exist_ok=True)
    stamp = time.strftime("%Y-%m-%dT%H%M%S", time.gmtime())
    (RESULTS / f"{stamp}.json").write_text(json.dumps(rows, indent=1) + "\n")
    return 0


def _line(row: dict[str, Any]) -> str:
    extra = {key: value for key, value in row.items() if key not in {"row", "what", "figure", "must", "unit"}}
    told = ", ".join(f"{key} {value}" for key, value in extra.items())
    reached = "reached" if row["figure"] <= row["must"] else "MISSED "
    return (
        f"{row['row']}  {row['what']:<58}{row['figure']:>9} {row['unit']:<26} must {row['must']:<7} {reached}  {told}"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
