/** The folder of compiled programs: what is in it, clearing it, carrying it elsewhere.
 *
 * What is compiled is looked up by source, headers, options and NVRTC's build, in two folders: the
 * user's own (runcu_program_params.cache_dir, RUNCU_CACHE_DIR, else $XDG_CACHE_HOME/runcu, else
 * ~/.cache/runcu), then, if there is one, a second that is never written (shared_cache_dir,
 * RUNCU_CACHE_SHARED): a team's, or one that lies in an image. An entry has a part for each
 * architecture that its source was compiled for. Damaged files are not believed, and written anew
 * when their source is compiled again. Where no folder can be written, nothing is kept.
 *
 * Below, `dir` is a folder of either kind; NULL: the user's own. Any number of processes may use a
 * folder at once, whatever is done to it here. Thread-safety: safe. */
#ifndef RUNCU_CACHE_H
#define RUNCU_CACHE_H

#include "base.h"

RUNCU_BEGIN

/** What a folder holds. */
typedef struct runcu_cache_info {
    char dir[4096];        /**< absolute; "" if the environment names none */
    char shared_dir[4096]; /**< that of RUNCU_CACHE_SHARED; "" if there is none */
    int is_writable;       /**< 1: it can be written, or made */
    uint64_t entries;      /**< one a source */
    uint64_t bytes;        /**< of all entries */
    uint64_t limit;        /**< bytes beyond which those longest out of use go (RUNCU_CACHE_SIZE);
                                  0: nothing is kept */
    uint64_t header_bytes; /**< of CUDA's headers, unpacked from NVRTC; beside the limit */
    /** Since the folder was made or cleared, of all processes: sources found in it, found in the
     * second folder, and compiled because they were in neither. What a process has had lately it
     * does not look up again; one that is killed at the wrong moment may lose some counts. */
    uint64_t hits, shared_hits, misses;
} runcu_cache_info;

/** A folder that does not exist is empty. ERROR_SYSTEM: the path is too long. */
RUNCU_API int runcu_cache_get_info(runcu_cache_info *out, const char *dir);

/** Removes all entries, what interrupted writers left a minute ago or longer, and the counts, and
 * forgets what this process has had lately; CUDA's headers stay, for others may be compiling with
 * them, and so do files of other names. *removed (may be NULL): the number of entries.
 * ERROR_SYSTEM: some could not be removed. */
RUNCU_API int runcu_cache_clear(uint64_t *removed, const char *dir);

/** Writes all sound entries to one file, which is replaced whole or not at all. Such a file serves
 * any machine of this kind: entries whose headers lie elsewhere there are not found. *entries (may
 * be NULL): how many. ERROR_SYSTEM: the file cannot be written. */
RUNCU_API int runcu_cache_export(uint64_t *entries, const char *path, const char *dir);

/** What became of the entries of a file. */
typedef struct runcu_cache_imported {
    uint64_t added;   /**< new, or new parts of entries that were there */
    uint64_t known;   /**< there already */
    uint64_t damaged; /**< not believed, and left out */
} runcu_cache_imported;

/** Takes over the entries of a file that runcu_cache_export wrote, each if it is sound; the ones
 * longest out of use go if there are too many. *out may be NULL. Code is taken on trust: a checksum
 * tells damage, not malice. ERROR_SYSTEM: the file cannot be read or the folder not be written;
 * ERROR_ARGUMENT: the file is no such file. */
RUNCU_API int runcu_cache_import(runcu_cache_imported *out, const char *path, const char *dir);

RUNCU_END

#endif
