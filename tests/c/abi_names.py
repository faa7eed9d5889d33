"""Writes VALUE(name) for each constant that driver/abi.h itself holds, outside the tables."""

import re
import sys


def main() -> None:
    """Read the header named first, write the file named second."""
    with open(sys.argv[1], encoding="utf-8") as header:
        names = re.findall(r"^    ((?:CUDA|CU|NVRTC)_\w+) = ", header.read(), re.MULTILINE)
    if len(names) < 60:
        raise SystemExit(f"only {len(names)} constants found in {sys.argv[1]}")
    with open(sys.argv[2], "w", encoding="utf-8") as out:
        out.writelines(f"VALUE({name})\n" for name in names)


if __name__ == "__main__":
    main()
