"""Read a folded py-spy profile: self time by package and function, inclusive time by function.

python bench/foldprof.py FILE
"""

import re
import sys
from collections import Counter

FRAME = re.compile(r"(.*?) \((.*?)(?::\d+)?\)$")


def name(frame: str) -> tuple[str, str]:
    """Split `function (path:line)` into path and function."""
    found = FRAME.match(frame)
    return (found.group(2).replace("site-packages/", ""), found.group(1)) if found else ("?", frame)


def main(path: str, top: int = 25) -> None:
    """Print the three tables."""
    packages: Counter[str] = Counter()
    own: Counter[str] = Counter()
    inclusive: Counter[str] = Counter()
    total = 0
    with open(path) as file:
        for line in file:
            stack, count = line.rsplit(" ", 1)
            frames = [name(frame) for frame in stack.split(";")]
            total += int(count)
            packages["/".join(frames[-1][0].split("/")[:2])] += int(count)
            own[":".join(frames[-1])] += int(count)
            for frame in {":".join(frame) for frame in frames}:
                inclusive[frame] += int(count)
    for title, counts in (("self, by package", packages), ("self", own), ("inclusive", inclusive)):
        print(f"\n{title} ({total} samples)")
        for what, samples in counts.most_common(top):
            print(f"  {samples / total:6.1%} {what}")


if __name__ == "__main__":
    main(sys.argv[1])
