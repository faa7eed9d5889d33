"""Prints the folder of this Python's packages that holds cuda.h and nvrtc.h, if any does."""

import pathlib
import sysconfig


def main() -> None:
    """Look where NVIDIA's wheels put them."""
    packages = pathlib.Path(sysconfig.get_paths()["purelib"], "nvidia")
    for folder in sorted(packages.glob("cu*/include"), reverse=True):
        if (folder / "cuda.h").exists() and (folder / "nvrtc.h").exists():
            print(folder)
            return


if __name__ == "__main__":
    main()
