/* The note of type NT_GNU_BUILD_ID of an ELF file. Nothing else of the format is looked at. */
#include "build_id.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <unistd.h>

enum { SEGMENT_LIMIT = 64, NOTES_LIMIT = 4096 };

static bool read_at(int fd, void *out, size_t len, uint64_t at)
{
    return at <= INT64_MAX && pread(fd, out, len, (off_t) at) == (ssize_t) len;
}

/* Notes stand one after the other: sizes of name and text, type, both filled up to four. */
static void search_notes(struct build_id *out, const char *notes, size_t len)
{
    ElfW(Nhdr) head;
    for (size_t at = 0; !out->len && len - at >= sizeof head;) {
        memcpy(&head, notes + at, sizeof head);
        uint64_t name = at + sizeof head, text = name + ALIGN_UP((uint64_t) head.n_namesz, 4),
                 end = text + ALIGN_UP((uint64_t) head.n_descsz, 4);
        if (end > len)
            return;
        if (head.n_type == NT_GNU_BUILD_ID && head.n_namesz == 4 &&
            memcmp(notes + name, "GNU", 4) == 0 && head.n_descsz <= sizeof out->bytes) {
            memcpy(out->bytes, notes + text, head.n_descsz);
            out->len = head.n_descsz;
        }
        at = (size_t) end;
    }
}

static void search(struct build_id *out, int fd)
{
    char notes[NOTES_LIMIT];
    ElfW(Ehdr) head;
    ElfW(Phdr) segment;
    if (!read_at(fd, &head, sizeof head, 0) || memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 ||
        head.e_phentsize != sizeof segment)
        return;
    for (unsigned i = 0; i < MIN(head.e_phnum, SEGMENT_LIMIT) && !out->len; i++) {
        if (!read_at(fd, &segment, sizeof segment, head.e_phoff + i * sizeof segment))
            return;
        size_t len = (size_t) MIN(segment.p_filesz, sizeof notes);
        if (segment.p_type == PT_NOTE && read_at(fd, notes, len, segment.p_offset))
            search_notes(out, notes, len);
    }
}

void build_id_read(struct build_id *out, const char *path)
{
    *out = (struct build_id){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return;
    search(out, fd);
    close(fd);
}
