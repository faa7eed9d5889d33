/* Threads that work for somebody until told to stop. */
#ifndef BASE_WORKERS_H
#define BASE_WORKERS_H

#include "base.h"

struct workers;

/* How many threads a device should have: RUNCU_THREADS, else the processors this process may use. 1
 * to 256. Thread-safety: safe. */
unsigned workers_default_count(void);

/* Starts `count` threads, each running body(user, index) once, with all signals blocked. Returns
 * how many there are: fewer where the system refuses some, 0 when it refuses all or memory is
 * short. Thread-safety: safe. */
unsigned workers_start(struct workers **out, unsigned count,
                       void (*body)(void *user, unsigned index), void *user);
/* Waits until the threads have returned (the caller has told them to) or two seconds have passed:
 * one that hangs in somebody else's code is left behind, and so is the caller's own. Accepts NULL
 * in *w. */
void workers_join(struct workers **w);
/* In a forked child, where the threads do not exist. Accepts NULL in *w. */
void workers_forget(struct workers **w);

#endif
