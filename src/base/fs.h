/* Files: read whole, replaced whole, and what names and folders take. POSIX only; knows nothing of
 * what is in them. */
#ifndef BASE_FS_H
#define BASE_FS_H

#include <sys/types.h>

#include "str.h"

/* Functions that return int give 0 or the errno of what failed. Thread-safety: safe, as far as the
 * file system is. */

struct fs_info {
    uint64_t size;
    int64_t mtime; /* ns since 1970 */
    uint64_t inode;
    bool is_folder;
    bool is_pipe; /* with a name: opening it waits for a writer */
};

int fs_stat(struct fs_info *out, const char *path);
/* A file that can be opened for reading, not a folder. */
bool fs_is_file(const char *path);

/* Appends the whole of a regular file to `out`; EFBIG beyond `limit` bytes, ENOMEM when memory is
 * short. */
int fs_read(struct str *out, const char *path, size_t limit);
/* Writes a new file beside `path` and renames it: others see the old file, the new one, or none,
 * never a part. Mode 0600. */
int fs_replace(const char *path, const void *data, size_t len);
/* Likewise, a file for others to read: its mode is what the process's mask leaves of 0666. */
int fs_publish(const char *path, const void *data, size_t len);
/* The same in pieces: begin, add any number of times, end. What fails makes the rest do nothing;
 * end, which is always to be called, gives the first failure and leaves nothing behind then. */
struct fs_writer {
    const char *path; /* the caller's, until the end */
    struct str temporary;
    int fd, status;
    uint64_t size;
};

int fs_write_begin(struct fs_writer *w, const char *path, mode_t mode);
int fs_write_add(struct fs_writer *w, const void *data, size_t len);
int fs_write_end(struct fs_writer *w);
/* Appends to a file in one piece, whoever else does; makes it with mode 0600. *size: its size
 * afterwards, unchanged on failure. */
int fs_append(const char *path, const void *data, size_t len, uint64_t *size);
/* Exactly so many bytes of an open file or socket? */
bool fs_read_exactly(int fd, void *out, size_t len);
/* Removes a file, or a folder with all that is in it; links are not followed. */
int fs_remove(const char *path);
/* `path` and the folders above it, as far as they are missing, each with mode 0700. */
int fs_make_folders(const char *path);
/* Marks a file as used now. */
void fs_touch(const char *path);

/* Appends `path` as an absolute one, from the current folder, without "." and doubled or final
 * slashes; ".." stays, for links may lie on the way. */
int fs_absolute(struct str *out, const char *path);

/* Calls `visit(user, name)` for each name in a folder but "." and ".."; ends early when it returns
 * true. */
int fs_list(const char *folder, bool (*visit)(void *user, const char *name), void *user);

#endif
