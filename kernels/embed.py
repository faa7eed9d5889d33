"""Turns the CUDA texts of this folder into C arrays: embed.py OUT.c FOLDER FILE…

A file under include/ is a header that the compiler gets from memory, under the path below include/.
In it a line

    //: name other < needed …

opens a block: what gives these names, after the blocks that it needs. A block runs to the next such
line and may be given alone (a source gets only what it uses), so each carries its own guard.
"""

import hashlib
import pathlib
import re
import sys


def literal(text):
    """A C string literal, one piece a line."""
    pieces = []
    for line in text.splitlines(keepends=True):
        line = line.replace('\\', '\\\\').replace('"', '\\"').replace('\n', '\\n')
        pieces.append('    "' + line.replace('??', '?\\?') + '"')
    return '\n'.join(pieces) or '    ""'


def guarded(names, body):
    if len(names) == 1 and re.fullmatch(rf'#define {names[0]}\b.*\n', body):
        return f'#ifndef {names[0]}\n{body}#endif\n'
    return f'#ifndef RUNCU_HAS_{names[0]}\n#define RUNCU_HAS_{names[0]}\n{body}#endif\n'


def split(text):
    """The text before the first block, and the blocks: (names, needs, text)."""
    head, *rest = re.split(r'^//: *(.*)\n', text, flags=re.M)
    head = ''.join(line for line in head.splitlines(keepends=True) if not line.startswith('//'))
    blocks = []
    for title, body in zip(rest[::2], rest[1::2], strict=True):
        names, _, needs = title.partition('<')
        body = ''.join(line for line in body.splitlines(keepends=True)
                       if not line.startswith('//'))
        blocks.append((names.split(), needs.split(), guarded(names.split(), body)))
    return head, blocks


def main(out, folder, *paths):
    root = pathlib.Path(folder).resolve()
    texts, blocks, digest = [], [], hashlib.sha256()
    for path in sorted(paths):
        name = pathlib.Path(path).resolve().relative_to(root).as_posix()
        text = pathlib.Path(path).read_text(encoding='utf-8')
        digest.update(f'{name}\0{text}\0'.encode())
        if name.startswith('include/'):
            head, own = split(text)
            texts.append((name.removeprefix('include/'), head, len(blocks), len(own)))
            blocks += own
    index = {name: i for i, (names, _, _) in enumerate(blocks) for name in names}
    with open(out, 'w', encoding='utf-8') as file:
        write = file.write
        write('#include "core/texts.h"\n\n')
        write('const struct text_block text_blocks[] = {\n')
        for names, needs, text in blocks:
            needed = ''.join(f'{index[name]}, ' for name in needs)
            write(f'    {{"{names[0]}", (const int[]){{{needed}-1}},\n{literal(text)}}},\n')
        write('};\n\nconst struct text_name text_names[] = {\n')
        for name, block in sorted(index.items()):
            write(f'    {{"{name}", {block}}},\n')
        write(f'}};\nconst size_t text_name_count = {len(index)};\n\n')
        write('const struct text_header text_headers[] = {\n')
        for name, head, first, count in texts:
            write(f'    {{"{name}", {first}, {count},\n{literal(head)}}},\n')
        write(f'}};\nconst size_t text_header_count = {len(texts)};\n\n')
        write(f'const char text_digest[] = "{digest.hexdigest()}";\n')


if __name__ == '__main__':
    main(*sys.argv[1:])
