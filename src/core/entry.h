/* A cache file's bytes: parts, one for each architecture, of one key. */
#ifndef CORE_ENTRY_H
#define CORE_ENTRY_H

#include "core/program.h"

/* One part among the bytes it lies in. */
struct entry_part {
    const char *at;
    size_t len;
    uint8_t key[SHA256_SIZE];
    struct variant variant;
};

/* Appends the part that a program is, with the request's key and variant. False when memory is
 * short. */
bool entry_write(struct str *out, const runcu_program *program, const struct request *r);
/* Appends the parts of `old`, as far as they are sound, of that key, and not for an architecture
 * that `newer` has, and then those of `newer`. Of too many the first ones are left out. Memory that
 * is short shows in `out`. */
void entry_merge(struct str *out, const struct str *old, const struct str *newer,
                 const uint8_t key[SHA256_SIZE]);
/* How many parts the bytes are; 0 if any is damaged or not of that key. */
size_t entry_check(const char *bytes, size_t len, const uint8_t key[SHA256_SIZE]);
/* False if the bytes are damaged, have nothing of the request's key and variant, or what that
 * depends on has changed. Takes over `bytes` if true. */
bool entry_read(runcu_program *program, struct str *bytes, const struct request *r);

/* What a program depends on besides the request, as bytes; false when memory is short. */
bool depends_write(struct str *out, const struct request *r);
/* Is all of it as it was? */
bool depends_hold(const char *depends, size_t len);

#endif
