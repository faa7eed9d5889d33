/* Pages that other processes can open: a file without a name, which /proc/PID/fd leads to. Every
 * kilobyte of data has a place for a token, by which the other process knows that it found what it
 * was told of. One thread at a time a block; another block at the same time is fine. */
#ifndef BASE_SHM_H
#define BASE_SHM_H

#include "base.h"

struct shm {
    int fd;
    int copy;    /* for a child, between the two calls around a fork; else -1 */
    size_t size; /* of the data; whole pages */
};

/* Zeros. NULL: memory or file descriptors are short, or the system has no such files. */
struct shm *shm_create(size_t size);
/* The file that a descriptor leads to, which stays the caller's. NULL: it is none of these. */
struct shm *shm_open_fd(int fd);
/* Takes the place of the process's own pages there, which nobody writes meanwhile, with the same
 * contents. NULL: as above, and nothing has changed. */
struct shm *shm_take(void *at, size_t size);
/* Closes the file. Mappings stay, here and elsewhere. Accepts NULL. */
void shm_destroy(struct shm **shm);
/* Maps part of the data, at `at` if that is not NULL (replacing what is there); whole pages.
 * NULL: the system refuses. */
void *shm_map(const struct shm *shm, void *at, size_t offset, size_t size);
/* Makes a range zeros that take no memory. */
void shm_clear(void *at, size_t size);

/* The token of the kilobyte that holds the offset, made when it is first asked for, never 0; 0: the
 * system refuses. Until shm_forget. */
uint64_t shm_token(const struct shm *shm, size_t offset);
void shm_forget(const struct shm *shm, size_t offset);

/* A forked child has a copy of its own: before the fork, in the parent afterwards, and in the
 * child, where false means that there is no copy. The child then maps it anew wherever it was
 * mapped. */
void shm_before_fork(struct shm *shm);
void shm_after_fork_in_parent(struct shm *shm);
bool shm_after_fork_in_child(struct shm *shm);

/* Opens another process's file: its descriptor, or -1 if there is none of ours with so much data
 * and that token. */
int shm_open_other(int pid, int fd, size_t size, size_t offset, uint64_t token);

#endif
