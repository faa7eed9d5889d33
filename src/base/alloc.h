/* Heap memory for the whole library. One place, so that a test can make the n-th allocation fail.
 * */
#ifndef BASE_ALLOC_H
#define BASE_ALLOC_H

#include "base.h"

/* Each returns NULL when memory is short; nothing else fails. Thread-safety: safe. */
void *alloc_new(size_t size);
void *alloc_zero(size_t count, size_t size); /* NULL too if count * size overflows */
void *alloc_resize(void *p, size_t size);    /* p stays valid on failure */
void *alloc_copy(const void *p, size_t size);
char *alloc_string(const char *s);
void alloc_free(void *p); /* NULL is fine */

/* Makes the n-th allocation from now on (1 is the next), and all after it, fail; 0 turns that off.
 * For tests. */
void alloc_fail_at(size_t n);

#endif
