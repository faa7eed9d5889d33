/* A folder of cache entries: what its files are called, what goes when it is full, what is counted
 * there. Nothing here knows what a request is. */
#ifndef CORE_STORE_H
#define CORE_STORE_H

#include "base/hash.h"
#include "base/str.h"
#include "base/vec.h"

enum { CACHE_ENTRY_LIMIT = 1 << 30 };

/* Folders of NVRTC's headers are called so, and then by version. */
#define CACHE_HEADERS "headers-"
/* Files that trace.c asks NVRTC for begin so. */
#define CACHE_TRACE "trace."

/* cache.c: the folder that `own` (may be NULL) or the environment names, absolute; "" where there
 * is none to be had. */
int cache_choose_folder(struct str *out, const char *own);
/* Likewise the second folder, which is only read. */
int cache_choose_shared(struct str *out, const char *own);
/* cache.c: the bytes that entries may take, by RUNCU_CACHE_SIZE; 0: no cache is wanted. */
uint64_t cache_cap(void);

/* --- store.c ------------------------------------------------------------- */

/* Appends the path of an entry's file; false when memory is short. */
bool cache_path(struct str *out, const char *folder, const uint8_t key[SHA256_SIZE]);
/* Puts the parts `newer` of an entry beside what the folder has of it; makes the folder. Gives the
 * errno of what failed. *written: bytes of the file, 0 if it is as it was or does not fit. */
int cache_merge(const char *folder, const uint8_t key[SHA256_SIZE], const struct str *newer,
                uint64_t *written);
/* After so many bytes were written: should the folder be weighed? */
bool cache_is_time_to_sweep(uint64_t written, uint64_t cap);
/* Removes the files that were longest out of use, until nine tenths of `cap` are left, and what
 * writers that are long gone have left behind. */
void cache_sweep(const char *folder, uint64_t cap);

struct cache_file {
    char *path;
    uint64_t size;
    int64_t mtime;
    uint8_t key[SHA256_SIZE];
};

/* What lies in a folder, for cache_list_fini. */
struct cache_list {
    const char *folder;
    VEC(struct cache_file) files; /* the entries, unsorted */
    uint64_t bytes;               /* of the entries */
    bool failed;                  /* memory was short */
};

/* Entries; `temporary`, if not NULL, is asked about each file that a writer left or is writing and
 * removes it by a true answer. */
void cache_list(struct cache_list *out, const char *folder, bool (*temporary)(int64_t mtime));
void cache_list_by_age(struct cache_list *list);
void cache_list_fini(struct cache_list *list);

/* --- counts.c: how often something was found ------------------------------ */

enum cache_event { CACHE_HIT = 'h', CACHE_SHARED_HIT = 's', CACHE_MISS = 'm' };

struct cache_counts {
    uint64_t hits, shared_hits, misses;
};

/* Counts one event; nothing is said when it cannot be. */
void cache_count(const char *folder, enum cache_event event);
void cache_counts_read(struct cache_counts *out, const char *folder);
void cache_counts_clear(const char *folder);
/* Is it the name of a file of counts that is being made? */
bool cache_counts_is_temporary(const char *name);

#endif
