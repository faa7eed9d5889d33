/* Files by POSIX calls; the only place that names temporary files. Nothing here decides where
 * things lie. */
#include "fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static void convert(struct fs_info *out, const struct stat *st)
{
    out->size = (uint64_t) st->st_size;
    out->mtime = (int64_t) st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
    out->is_folder = S_ISDIR(st->st_mode);
    out->inode = st->st_ino;
    out->is_pipe = S_ISFIFO(st->st_mode);
}

int fs_stat(struct fs_info *out, const char *path)
{
    struct stat st;
    *out = (struct fs_info){0};
    if (stat(path, &st) != 0)
        return errno;
    convert(out, &st);
    return 0;
}

bool fs_is_file(const char *path)
{
    struct fs_info info;
    return fs_stat(&info, path) == 0 && !info.is_folder && access(path, R_OK) == 0;
}

static int read_all(struct str *out, int fd, size_t limit)
{
    char buffer[65536];
    for (size_t sum = 0;;) {
        ssize_t n = read(fd, buffer, sizeof buffer);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : 0;
        sum += (size_t) n;
        if (sum > limit)
            return EFBIG;
        str_addn(out, buffer, (size_t) n);
        if (out->failed)
            return ENOMEM;
    }
}

int fs_read(struct str *out, const char *path, size_t limit)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return errno;
    int status = fstat(fd, &st) == 0 ? 0 : errno;
    if (!status && !S_ISREG(st.st_mode))
        status = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
    if (!status)
        status = read_all(out, fd, limit);
    close(fd);
    return status;
}

static int write_all(int fd, const char *data, size_t len)
{
    while (len) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        data += n;
        len -= (size_t) n;
    }
    return 0;
}

/* Beyond RLIMIT_FSIZE a write would end the process by SIGXFSZ. */
static bool is_allowed(uint64_t size)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
           size <= limit.rlim_cur;
}

int fs_append(const char *path, const void *data, size_t len, uint64_t *size)
{
    struct stat st;
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600);
    if (fd < 0)
        return errno;
    int status = fstat(fd, &st) == 0 ? 0 : errno;
    if (!status && (!S_ISREG(st.st_mode) || !is_allowed((uint64_t) st.st_size + len)))
        status = EFBIG;
    if (!status)
        status = write_all(fd, data, len);
    if (!status)
        *size = (uint64_t) st.st_size + len;
    close(fd);
    return status;
}

/* A new file beside `path`. The name that a process of the same number left behind when it was
 * killed is passed over. */
static int open_temporary(struct str *name, const char *path, mode_t mode)
{
    static atomic_uint counter;
    int fd = -1;
    errno = EEXIST;
    for (int i = 0; i < 64 && fd < 0 && errno == EEXIST; i++) {
        str_clear(name);
        str_addf(name, "%s.%ld.%u.tmp", path, (long) getpid(), atomic_fetch_add(&counter, 1));
        if (name->failed)
            errno = ENOMEM;
        else
            fd = open(name->at, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    }
    return fd;
}

int fs_write_begin(struct fs_writer *w, const char *path, mode_t mode)
{
    *w = (struct fs_writer){.path = path};
    w->fd = open_temporary(&w->temporary, path, mode);
    w->status = w->fd < 0 ? errno : 0;
    return w->status;
}

int fs_write_add(struct fs_writer *w, const void *data, size_t len)
{
    if (!w->status && !is_allowed(w->size + len))
        w->status = EFBIG;
    if (!w->status)
        w->status = write_all(w->fd, data, len);
    w->size += len;
    return w->status;
}

int fs_write_end(struct fs_writer *w)
{
    if (w->fd >= 0 && close(w->fd) != 0 && !w->status)
        w->status = errno;
    if (!w->status && rename(w->temporary.at, w->path) != 0)
        w->status = errno;
    if (w->status && w->fd >= 0)
        unlink(w->temporary.at);
    str_fini(&w->temporary);
    return w->status;
}

static int replace(const char *path, const void *data, size_t len, mode_t mode)
{
    struct fs_writer w;
    fs_write_begin(&w, path, mode);
    fs_write_add(&w, data, len);
    return fs_write_end(&w);
}

int fs_replace(const char *path, const void *data, size_t len)
{
    return replace(path, data, len, 0600);
}

int fs_publish(const char *path, const void *data, size_t len)
{
    return replace(path, data, len, 0666);
}

static int make_folder(const char *path)
{
    if (mkdir(path, 0700) == 0)
        return 0;
    int status = errno;
    struct fs_info info;
    if (fs_stat(&info, path) == 0)
        return info.is_folder ? 0 : ENOTDIR;
    return status;
}

int fs_make_folders(const char *path)
{
    struct str part = {0};
    if (make_folder(path) == 0)
        return 0;
    int status = 0;
    for (const char *at = path; *at && !status; at++) {
        str_addc(&part, *at);
        if (part.failed)
            status = ENOMEM;
        else if ((at[1] == '/' || !at[1]) && *at != '/')
            status = make_folder(part.at);
    }
    str_fini(&part);
    return status;
}

void fs_touch(const char *path)
{
    utimensat(AT_FDCWD, path, NULL, 0);
}

static void add_parts(struct str *out, const char *path)
{
    while (*path) {
        size_t len = strcspn(path, "/");
        if (len && !(len == 1 && path[0] == '.')) {
            str_addc(out, '/');
            str_addn(out, path, len);
        }
        path += len + (path[len] == '/');
    }
}

int fs_absolute(struct str *out, const char *path)
{
    char folder[4096];
    size_t start = out->len;
    if (*path != '/') {
        if (!getcwd(folder, sizeof folder))
            return errno;
        add_parts(out, folder);
    }
    add_parts(out, path);
    if (out->len == start)
        str_addc(out, '/');
    return out->failed ? ENOMEM : 0;
}

int fs_list(const char *folder, bool (*visit)(void *user, const char *name), void *user)
{
    DIR *dir = opendir(folder);
    if (!dir)
        return errno;
    bool done = false;
    for (struct dirent *entry; !done && (entry = readdir(dir));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            done = visit(user, entry->d_name);
    closedir(dir);
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void) st, (void) kind, (void) at;
    remove(path);
    return 0;
}

bool fs_read_exactly(int fd, void *out, size_t len)
{
    for (char *at = out; len;) {
        ssize_t n = read(fd, at, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t) n;
    }
    return true;
}

int fs_remove(const char *path)
{
    struct stat st;
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return lstat(path, &st) != 0 && errno == ENOENT ? 0 : EBUSY;
}
