"""Adds up pytest's junit files. Use: count.py FOLDER TESTS...; TESTS are folders of test files.

Prints what failed and one line of sums; the exit status is 1 if something failed, or if a test file
left no result.
"""

import pathlib
import sys
import xml.etree.ElementTree as ElementTree


def main(folder, *tests):
    sums = dict.fromkeys(('tests', 'failures', 'errors', 'skipped'), 0)
    missing = []
    for path in sorted(path for test in tests for path in pathlib.Path(test).glob('test_*.py')):
        result = pathlib.Path(folder) / f'{path.stem}.xml'
        if not result.exists():
            missing.append(str(path))
            continue
        for suite in ElementTree.parse(result).getroot().iter('testsuite'):
            for name in sums:
                sums[name] += int(suite.get(name, 0))
        for case in ElementTree.parse(result).getroot().iter('testcase'):
            if case.find('failure') is not None or case.find('error') is not None:
                print(f'failed: {path.stem}::{case.get("name")}')
    for path in missing:
        print(f'no result: {path}')
    bad = sums['failures'] + sums['errors']
    good = sums['tests'] - bad - sums['skipped']
    print(f'{good} passed, {bad} failed, {sums["skipped"]} skipped, '
          f'{len(missing)} files without a result')
    return 1 if bad or missing else 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
