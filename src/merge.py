"""Makes one archive of one object out of static libraries; hidden symbols become local.

Use: merge.py OUT.a LD OBJCOPY AR LIB.a...
"""

import pathlib
import subprocess
import sys


def main(out, ld, objcopy, ar, *libs):
    merged = pathlib.Path(out).with_suffix('.o')
    subprocess.run([ld, '-r', '-o', merged, '--whole-archive', *libs], check=True)
    subprocess.run([objcopy, '--localize-hidden', merged], check=True)
    pathlib.Path(out).unlink(missing_ok=True)
    subprocess.run([ar, 'rcs', out, merged], check=True)
    merged.unlink()


main(*sys.argv[1:])
