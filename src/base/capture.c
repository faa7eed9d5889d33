/* Catches what is written to descriptor 1. The file that it stands for meanwhile has room for any
 * amount, so nobody who writes ever waits for us, as they would with a pipe. */
#include "base/capture.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

/* Of the process, like the descriptor. */
static struct {
    pthread_mutex_t lock;
    unsigned users;
    int file, saved;
    off_t taken; /* bytes that have been given out */
} ear = {.lock = PTHREAD_MUTEX_INITIALIZER, .file = -1, .saved = -1};

/* With the lock held. */
static bool redirect(void)
{
    if (ear.file < 0)
        ear.file = memfd_create("runcu-output", MFD_CLOEXEC);
    ear.saved = ear.file < 0 ? -1 : fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (ear.saved < 0)
        return false;
    if (dup2(ear.file, STDOUT_FILENO) >= 0)
        return true;
    close(ear.saved);
    ear.saved = -1;
    return false;
}

/* With the lock held. */
static void put_back(void)
{
    dup2(ear.saved, STDOUT_FILENO);
    close(ear.saved);
    ear.saved = -1;
    if (!ear.taken)
        return;
    ear.taken = 0;
    if (ftruncate(ear.file, 0) != 0 || lseek(ear.file, 0, SEEK_SET) != 0) {
        close(ear.file);
        ear.file = -1;
    }
}

/* With the lock held. */
static void take(struct str *out)
{
    char piece[4096];
    ssize_t n;
    while ((n = pread(ear.file, piece, sizeof piece, ear.taken)) > 0) {
        str_addn(out, piece, (size_t) n);
        ear.taken += n;
    }
}

bool capture_begin(void)
{
    fflush(stdout); /* what was written before is not to be caught */
    pthread_mutex_lock(&ear.lock);
    bool ok = ear.users || redirect();
    ear.users += ok;
    pthread_mutex_unlock(&ear.lock);
    return ok;
}

void capture_end(struct str *out)
{
    fflush(stdout);
    pthread_mutex_lock(&ear.lock);
    take(out);
    if (--ear.users == 0)
        put_back();
    pthread_mutex_unlock(&ear.lock);
}

void capture_before_fork(void)
{
    pthread_mutex_lock(&ear.lock);
}

void capture_after_fork(bool in_child)
{
    if (in_child && ear.users) {
        dup2(ear.saved, STDOUT_FILENO);
        close(ear.saved);
        close(ear.file); /* which is the parent's too, and so is its place */
        ear.file = ear.saved = -1;
        ear.users = 0;
        ear.taken = 0;
    } else if (in_child && ear.file >= 0) {
        close(ear.file);
        ear.file = -1;
    }
    pthread_mutex_unlock(&ear.lock);
}
