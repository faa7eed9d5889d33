/* Compiling in another process: a worker program at the end of a socket. */
#ifndef CORE_REMOTE_H
#define CORE_REMOTE_H

#include <sys/types.h>

#include "core/program.h"

/* A zeroed struct has no process; the rest counts only with one. */
struct remote {
    pid_t pid;
    int socket;
    bool has_answered; /* that it is a worker of our version */
};

/* Starts a worker. False, and the log says why, if there is none to be had. */
bool remote_start(struct remote *out);
/* Ends it; one that compiles is not waited for if `kill_it`. */
void remote_stop(struct remote *remote, bool kill_it);
/* Makes it end; whoever waits for its answer gets none. remote_stop is still to come. */
void remote_interrupt(const struct remote *remote);
/* Has the request compiled, which the cache does not have. False if the worker is of no use any
 * more; otherwise *status is what program_make would have returned. */
bool remote_compile(int *status, struct remote *remote, runcu_program *program, struct request *r);
/* True where NVRTC cannot be used in this process any more: a worker has compiled, or *status says
 * why not. */
bool remote_replaces(int *status, runcu_program *program, struct request *r);
/* Has a worker of its own compile, which may ask NVRTC what it read. False: there is none, or it
 * ended; nothing has been compiled. */
bool remote_traces(int *status, runcu_program *program, struct request *r);
/* The worker's side: serves until the other end closes. Returns its exit status. */
int remote_serve(int socket);

#endif
