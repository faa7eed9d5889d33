/* Both ends of a worker: requests go one way, what they came to the other. Who needs how many is
 * not known here (jobs.c). Both ends are of one version: the worker says which it is. */
#include "core/remote.h"

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "core/wire.h"

enum { PATIENCE = 2 };                            /* seconds, for a worker's first word */
static const uint64_t limit = (uint64_t) 1 << 32; /* of a message */

/* --- messages: a length of eight bytes, then as many ---------------------- */

static bool send_all(int socket, const void *data, size_t len)
{
    for (const char *at = data; len;) {
        ssize_t n = send(socket, at, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t) n;
    }
    return true;
}

static bool send_message(int socket, const struct str *body)
{
    uint64_t len = body->len;
    return !body->failed && send_all(socket, &len, sizeof len) &&
           send_all(socket, str_text(body), body->len);
}

/* The body, to be freed; NULL at the end, or when memory is short. */
static char *receive_message(int socket, size_t *len)
{
    uint64_t size;
    if (!fs_read_exactly(socket, &size, sizeof size) || size > limit)
        return NULL;
    char *body = alloc_new((size_t) size + 1);
    if (body && !fs_read_exactly(socket, body, (size_t) size)) {
        alloc_free(body);
        return NULL;
    }
    *len = (size_t) size;
    return body;
}

/* --- where the worker is -------------------------------------------------- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *given; /* by runcu_worker_path; guarded by lock */

int runcu_worker_path(const char *path)
{
    char *copy = path ? alloc_string(path) : NULL;
    if (path && !copy)
        return runcu_fail_memory();
    pthread_mutex_lock(&lock);
    char *old = given;
    given = copy;
    pthread_mutex_unlock(&lock);
    alloc_free(old);
    return 0;
}

AT_UNLOAD static void forget_path(void)
{
    alloc_free(given);
    given = NULL;
}

/* Where it lies beside the library (or a program that has the library inside), if both have been
 * moved together. */
static bool find_moved(struct str *out)
{
    Dl_info info;
    const char *slash = dladdr(&lock, &info) ? strrchr(info.dli_fname, '/') : NULL;
    if (slash) {
        str_addn(out, info.dli_fname, (size_t) (slash + 1 - info.dli_fname));
        str_add(out, RUNCU_LIBEXEC_NEAR "/runcu-worker");
    }
    return slash && !out->failed && fs_is_file(out->at);
}

static bool find_worker(struct str *out)
{
    const char *wish = getenv("RUNCU_WORKER");
    if (wish && *wish) {
        str_add(out, wish);
        return !out->failed;
    }
    pthread_mutex_lock(&lock);
    if (given)
        str_add(out, given);
    pthread_mutex_unlock(&lock);
    if (out->len && fs_is_file(out->at))
        return true;
    str_clear(out);
    if (find_moved(out))
        return true;
    str_clear(out);
    str_add(out, RUNCU_LIBEXEC "/runcu-worker");
    return !out->failed && fs_is_file(out->at);
}

/* --- starting and stopping ------------------------------------------------ */

/* Its end of the socket becomes its standard input. Signals are as a new program expects them, and
 * those of the terminal do not reach it. */
static int spawn(pid_t *pid, const char *path, int socket)
{
    char *argv[] = {(char *) path, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int error = posix_spawn_file_actions_init(&actions);
    if (error)
        return error;
    if ((error = posix_spawnattr_init(&attributes)) == 0) {
        posix_spawn_file_actions_adddup2(&actions, socket, 0);
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                                  POSIX_SPAWN_SETPGROUP);
        posix_spawnattr_setsigmask(&attributes, &none);
        posix_spawnattr_setsigdefault(&attributes, &all);
        error = posix_spawn(pid, path, &actions, &attributes, argv, environ);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

/* Which NVRTC, and where headers are sought. */
static bool greet(const struct remote *remote)
{
    const struct nvrtc *nvrtc;
    struct arena arena = {0};
    struct text_list folders = {0};
    struct str body = {0};
    bool ok = nvrtc_get(&nvrtc) == 0 && nvrtc_search_folders(&folders, &arena);
    if (ok) {
        wire_put_text(&body, runcu_version());
        wire_put_text(&body, nvrtc->path);
        wire_put_texts(&body, folders.at, folders.len);
        ok = send_message(remote->socket, &body);
    }
    str_fini(&body);
    vec_fini(&folders);
    arena_fini(&arena);
    return ok;
}

bool remote_start(struct remote *out)
{
    struct str path = {0};
    int ends[2], error = ENOENT;
    *out = (struct remote){0};
    if (find_worker(&path) && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0) {
        error = spawn(&out->pid, path.at, ends[1]);
        close(ends[1]);
        out->socket = ends[0];
        if (error) {
            close(ends[0]);
            out->pid = 0;
        }
    }
    if (error)
        core_log(RUNCU_LOG_INFO, "compile", "no worker is started (%s): %s",
                 path.len ? path.at : "runcu-worker", strerror(error));
    str_fini(&path);
    if (!error && !greet(out))
        remote_stop(out, true);
    return out->pid != 0;
}

void remote_stop(struct remote *remote, bool kill_it)
{
    if (!remote->pid)
        return;
    close(remote->socket);
    if (kill_it)
        kill(remote->pid, SIGKILL);
    while (waitpid(remote->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    *remote = (struct remote){0};
}

void remote_interrupt(const struct remote *remote)
{
    if (remote->pid)
        kill(remote->pid, SIGKILL);
}

/* --- a request ------------------------------------------------------------ */

static void put_request(struct str *out, const struct request *r)
{
    wire_put_text(out, r->source);
    wire_put_text(out, r->arch);
    wire_put_number(out, r->arch_is_explicit);
    wire_put_number(out, r->for_cpu);
    core_params_put(out, &r->params);
}

struct asked {
    const char *source;
    runcu_program_params params;
    struct target target;
};

static bool get_request(struct asked *out, struct wire *w, struct arena *arena)
{
    *out = (struct asked){.params.size = sizeof out->params};
    out->source = wire_text(w, NULL);
    out->target.arch = wire_text(w, NULL);
    out->target.is_explicit = wire_number(w) != 0;
    out->target.for_cpu = wire_number(w) != 0;
    return core_params_get(&out->params, w, arena) && out->source && out->target.arch;
}

/* --- an answer ------------------------------------------------------------ */

static void put_answer(struct str *out, int status, const runcu_program *program)
{
    runcu_error e;
    runcu_error_get(&e);
    wire_put_number(out, (uint64_t) (int64_t) status);
    wire_put_text(out, status ? e.message : "");
    wire_put_text(out, status ? e.detail : "");
    if (!status || status == RUNCU_ERROR_COMPILE)
        program_put(out, program);
}

/* Takes over `body` with what lies in it; false if it makes no sense. */
static bool take_program(runcu_program *program, char *body, struct wire *w)
{
    runcu_program found = {0};
    if (!program_get(&found, w, &program->arena))
        return false;
    found.arena = program->arena;
    found.image = body;
    *program = found;
    return true;
}

/* Whatever else RUNCU_WORKER may name is not waited for. */
static bool hear_greeting(struct remote *remote)
{
    const struct timeval patience = {PATIENCE, 0}, forever = {0, 0};
    size_t len;
    if (remote->has_answered)
        return true;
    setsockopt(remote->socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    char *body = receive_message(remote->socket, &len);
    struct wire w = {.at = body, .end = body ? body + len : NULL, .bad = !body};
    const char *version = wire_text(&w, NULL);
    remote->has_answered = version && strcmp(version, runcu_version()) == 0;
    alloc_free(body);
    setsockopt(remote->socket, SOL_SOCKET, SO_RCVTIMEO, &forever, sizeof forever);
    if (!remote->has_answered)
        core_log(RUNCU_LOG_INFO, "compile", "what was started as runcu-worker is none");
    return remote->has_answered;
}

/* Until the answer comes; false if the caller wants none any more. */
static bool wait_for_answer(const struct remote *remote, const struct request *r)
{
    struct pollfd answer = {.fd = remote->socket, .events = POLLIN};
    while (poll(&answer, 1, 50) == 0)
        if (r->params.cancel && r->params.cancel(r->params.cancel_user))
            return false;
    return true;
}

bool remote_compile(int *status, struct remote *remote, runcu_program *program, struct request *r)
{
    struct str message = {0};
    size_t len = 0;
    put_request(&message, r);
    bool is_sent = hear_greeting(remote) && send_message(remote->socket, &message);
    str_fini(&message);
    if (is_sent && !wait_for_answer(remote, r)) {
        remote_interrupt(remote);
        *status = runcu_fail(RUNCU_ERROR_INTERRUPTED, "compiling %s was interrupted", r->name);
        return true;
    }
    char *body = is_sent ? receive_message(remote->socket, &len) : NULL;
    if (!body)
        return false;
    struct wire w = {.at = body, .end = body + len};
    *status = (int) (int64_t) wire_number(&w);
    const char *text = wire_text(&w, NULL), *detail = wire_text(&w, NULL);
    bool ok = !w.bad && text && detail;
    if (ok && *status) {
        runcu_fail(*status, "%s", text);
        runcu_fail_detail("%s", detail);
    }
    bool has_program = ok && (!*status || *status == RUNCU_ERROR_COMPILE);
    if (has_program && take_program(program, body, &w)) {
        if (!diagnostics_parse(program, r) || (*status && !compile_keep_advice(program)))
            *status = runcu_fail_memory();
        else if (*status)
            core_fail_diagnostics(program->diagnostics, program->diagnostic_count);
        return true;
    }
    alloc_free(body);
    return ok && !has_program;
}

bool remote_replaces(int *status, runcu_program *program, struct request *r)
{
    struct remote remote = {0};
    if (!nvrtc_is_stuck())
        return false;
    bool ok = remote_start(&remote) && remote_compile(status, &remote, program, r);
    remote_stop(&remote, false);
    if (!ok)
        *status = runcu_fail(RUNCU_ERROR_FORKED,
                             "another thread was compiling when this process was forked, and NVRTC "
                             "is locked here: compile before, or start processes by spawn");
    return true;
}

bool remote_traces(int *status, runcu_program *program, struct request *r)
{
    struct remote remote = {0};
    bool ok = remote_start(&remote) && remote_compile(status, &remote, program, r);
    remote_stop(&remote, !ok || *status == RUNCU_ERROR_INTERRUPTED);
    return ok;
}

/* --- the worker's side ----------------------------------------------------- */

/* The cache was looked up by who asks. */
static int compile(runcu_program **out, const struct asked *asked)
{
    struct request r;
    int status = request_init(&r, asked->source, &asked->params, &asked->target);
    *out = alloc_zero(1, sizeof **out);
    if (!status && !*out)
        status = runcu_fail_memory();
    r.is_workers = true;
    if (!status)
        status = cache_prepare(&r);
    if (!status)
        status = program_make(*out, &r);
    request_fini(&r);
    return status;
}

static bool answer(int socket, const char *body, size_t len)
{
    struct wire w = {.at = body, .end = body + len};
    struct arena arena = {0};
    struct asked asked;
    struct str message = {0};
    runcu_program *program = NULL;
    bool ok = get_request(&asked, &w, &arena);
    if (ok) {
        int status = compile(&program, &asked);
        put_answer(&message, status, program);
        ok = send_message(socket, &message);
    }
    runcu_program_destroy(&program);
    str_fini(&message);
    arena_fini(&arena);
    return ok;
}

static bool greet_back(int socket)
{
    struct str body = {0};
    wire_put_text(&body, runcu_version());
    bool ok = send_message(socket, &body);
    str_fini(&body);
    return ok;
}

static bool read_greeting(int socket)
{
    struct arena arena = {0};
    size_t len, count = 0;
    char *body = receive_message(socket, &len);
    struct wire w = {.at = body, .end = body ? body + len : NULL, .bad = !body};
    const char *version = wire_text(&w, NULL), *nvrtc = wire_text(&w, NULL);
    const char *const *folders = core_texts_get(&count, &w, &arena);
    bool ok = !w.bad && version && nvrtc && strcmp(version, runcu_version()) == 0 &&
              setenv("RUNCU_NVRTC", nvrtc, 1) == 0 && runcu_nvrtc_search(folders, count) == 0;
    arena_fini(&arena);
    alloc_free(body);
    return ok;
}

int remote_serve(int socket)
{
    bool ok = read_greeting(socket) && greet_back(socket);
    size_t len;
    char *body;
    while (ok && (body = receive_message(socket, &len))) {
        ok = answer(socket, body, len);
        alloc_free(body);
    }
    return !ok;
}
