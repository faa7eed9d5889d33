"""Writes h200.json, the digests of the exact kernels' outputs, on a machine with a GPU.

Use: python tests/cu/record.py [FILE].
"""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import runcu  # noqa: E402

import kernels  # noqa: E402

if __name__ == '__main__':
    with runcu.device('cuda'):
        found = {k.name: kernels.digest(kernels.run(k)) for k in kernels.kernels() if not k.ulp}
    path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else kernels.DIGESTS
    path.write_text(json.dumps(found, indent=1, sort_keys=True) + '\n')
    print(f'{len(found)} digests in {path}')
