/* Pages that other processes can open. Tokens stand in the file behind the data. */
#include "shm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alloc.h"

enum { PAGE = 4096, CELL = 1024 /* bytes of data that share a token */ };

static const char name[] = "runcu";

static off_t token_place(size_t size, size_t offset)
{
    return (off_t) (size + offset / CELL * sizeof(uint64_t));
}

static int make_file(size_t size)
{
    int fd = memfd_create(name, MFD_CLOEXEC);
    if (fd >= 0 && ftruncate(fd, token_place(size, ALIGN_UP(size, CELL))) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

struct shm *shm_create(size_t size)
{
    struct shm *s = alloc_new(sizeof *s);
    if (!s)
        return NULL;
    *s = (struct shm){make_file(size), -1, size};
    if (s->fd < 0) {
        alloc_free(s);
        return NULL;
    }
    return s;
}

static bool is_zero(const char *page)
{
    return page[0] == 0 && memcmp(page, page + 1, PAGE - 1) == 0;
}

static bool write_all(int fd, const char *p, size_t size, size_t offset)
{
    while (size) {
        ssize_t n = pwrite(fd, p, size, (off_t) offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        p += n;
        size -= (size_t) n;
        offset += (size_t) n;
    }
    return true;
}

/* Pages of zeros stay holes in the file. */
static bool copy_pages(int fd, const char *p, size_t size)
{
    for (size_t at = 0, end; at < size; at = end) {
        end = at + PAGE;
        if (is_zero(p + at))
            continue;
        while (end < size && !is_zero(p + end))
            end += PAGE;
        if (!write_all(fd, p + at, end - at, at))
            return false;
    }
    return true;
}

struct shm *shm_take(void *at, size_t size)
{
    struct shm *s = shm_create(size);
    if (s && (!copy_pages(s->fd, at, size) || !shm_map(s, at, 0, size)))
        shm_destroy(&s);
    return s;
}

void shm_destroy(struct shm **shm)
{
    if (!*shm)
        return;
    close((*shm)->fd);
    alloc_free(*shm);
    *shm = NULL;
}

void *shm_map(const struct shm *shm, void *at, size_t offset, size_t size)
{
    int flags = MAP_SHARED | MAP_NORESERVE | (at ? MAP_FIXED : 0);
    void *p = mmap(at, size, PROT_READ | PROT_WRITE, flags, shm->fd, (off_t) offset);
    return p == MAP_FAILED ? NULL : p;
}

void shm_clear(void *at, size_t size)
{
    madvise(at, size, MADV_REMOVE);
}

/* ---- tokens ---- */

uint64_t shm_token(const struct shm *shm, size_t offset)
{
    uint64_t token = 0;
    off_t place = token_place(shm->size, offset);
    if (pread(shm->fd, &token, sizeof token, place) != sizeof token)
        return 0;
    while (!token) {
        if (getrandom(&token, sizeof token, 0) != sizeof token)
            return 0;
        if (token && pwrite(shm->fd, &token, sizeof token, place) != sizeof token)
            return 0;
    }
    return token;
}

void shm_forget(const struct shm *shm, size_t offset)
{
    static const uint64_t none;
    if (pwrite(shm->fd, &none, sizeof none, token_place(shm->size, offset)) < 0)
        return; /* the file is ours and has room for it: this cannot happen */
}

static bool is_ours(const char *path)
{
    char target[64];
    ssize_t n = readlink(path, target, sizeof target - 1);
    if (n < 0)
        return false;
    target[n] = '\0';
    return strncmp(target, "/memfd:", 7) == 0 && strncmp(target + 7, name, strlen(name)) == 0;
}

int shm_open_other(int pid, int fd, size_t size, size_t offset, uint64_t token)
{
    char path[64];
    struct stat st;
    uint64_t found = 0;
    snprintf(path, sizeof path, "/proc/%d/fd/%d", pid, fd);
    if (pid <= 0 || fd < 0 || !token || offset >= size || !is_ours(path))
        return -1;
    int file = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file >= 0 && fstat(file, &st) == 0 && S_ISREG(st.st_mode) &&
        st.st_size == token_place(size, ALIGN_UP(size, CELL)) &&
        pread(file, &found, sizeof found, token_place(size, offset)) == sizeof found &&
        found == token)
        return file;
    if (file >= 0)
        close(file);
    return -1;
}

struct shm *shm_open_fd(int fd)
{
    char path[64];
    struct stat st;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (!is_ours(path) || fstat(fd, &st) != 0 || st.st_size % (CELL + (off_t) sizeof(uint64_t)))
        return NULL;
    struct shm *s = alloc_new(sizeof *s);
    if (!s)
        return NULL;
    size_t cells = (size_t) st.st_size / (CELL + sizeof(uint64_t));
    *s = (struct shm){fcntl(fd, F_DUPFD_CLOEXEC, 3), -1, cells * CELL};
    if (s->fd < 0) {
        alloc_free(s);
        return NULL;
    }
    return s;
}

/* ---- forks ---- */

/* What is no hole, tokens and all. */
static bool copy_file(int to, int from)
{
    off_t data = 0, hole = 0, end = lseek(from, 0, SEEK_END);
    while ((data = lseek(from, hole, SEEK_DATA)) >= 0) {
        hole = lseek(from, data, SEEK_HOLE);
        void *p = hole > data
                      ? mmap(NULL, (size_t) (hole - data), PROT_READ, MAP_SHARED, from, data)
                      : MAP_FAILED;
        if (p == MAP_FAILED)
            return false;
        bool ok = write_all(to, p, (size_t) (hole - data), (size_t) data);
        munmap(p, (size_t) (hole - data));
        if (!ok)
            return false;
    }
    return end >= 0 && errno == ENXIO; /* there is no more data */
}

void shm_before_fork(struct shm *shm)
{
    shm->copy = make_file(shm->size);
    if (shm->copy >= 0 && !copy_file(shm->copy, shm->fd)) {
        close(shm->copy);
        shm->copy = -1;
    }
}

void shm_after_fork_in_parent(struct shm *shm)
{
    if (shm->copy >= 0)
        close(shm->copy);
    shm->copy = -1;
}

bool shm_after_fork_in_child(struct shm *shm)
{
    bool is_there = shm->copy >= 0;
    close(shm->fd);
    shm->fd = is_there ? shm->copy : make_file(shm->size);
    shm->copy = -1;
    return is_there;
}
