/* This thread's last failure, texts of codes, and the log. The record's memory goes with its
 * thread; nothing else happens then. */
#include "core.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "program.h"

struct record {
    int status, code;
    const char *name, *routine;
    struct str message, detail, launches;
    struct str text;    /* message and detail, made when asked for */
    struct arena arena; /* of the diagnostics */
    const runcu_diagnostic *diagnostics;
    size_t diagnostic_count;
    bool is_weak; /* the detail gives way to a better one */
    bool is_kept; /* its memory is known to the thread's key */
};

static _Thread_local struct record record;
static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static bool has_key;

static runcu_log_fn *log_fn;
static void *log_user;

static void free_record(void *p)
{
    struct record *r = p;
    str_fini(&r->message);
    str_fini(&r->detail);
    str_fini(&r->launches);
    str_fini(&r->text);
    arena_fini(&r->arena);
    *r = (struct record){0};
}

static void make_key(void)
{
    has_key = pthread_key_create(&key, free_record) == 0;
}

/* Unloaded code must not be called when some thread ends later. */
AT_UNLOAD static void drop_key(void)
{
    if (has_key)
        pthread_key_delete(key);
    has_key = false;
    free_record(&record);
}

static void keep_record(void)
{
    if (record.is_kept)
        return;
    pthread_once(&key_once, make_key);
    record.is_kept = has_key && pthread_setspecific(key, &record) == 0;
}

int runcu_fail(int status, const char *format, ...)
{
    keep_record();
    struct str message = {0}; /* the arguments may be the earlier record's */
    va_list args;
    va_start(args, format);
    str_vaddf(&message, format, args);
    va_end(args);
    arena_fini(&record.arena);
    record.diagnostics = NULL;
    record.diagnostic_count = 0;
    str_fini(&record.message);
    str_clear(&record.detail);
    str_clear(&record.launches);
    record.is_weak = false;
    record.message = message;
    record.status = status;
    record.code = 0;
    record.name = record.routine = "";
    return status;
}

void runcu_fail_detail(const char *format, ...)
{
    struct str more = {0};
    va_list args;
    va_start(args, format);
    str_vaddf(&more, format, args);
    va_end(args);
    if (record.is_weak)
        str_clear(&record.detail);
    record.is_weak = false;
    if (more.len && record.detail.len && record.detail.at[record.detail.len - 1] != '\n')
        str_addc(&record.detail, '\n');
    str_addn(&record.detail, str_text(&more), more.len);
    str_fini(&more);
}

void core_fail_better(void)
{
    record.is_weak = true;
}

void core_fail_diagnostics(const runcu_diagnostic *list, size_t count)
{
    record.diagnostics = diagnostics_copy(&record.arena, list, count);
    record.diagnostic_count = record.diagnostics ? count : 0;
}

const runcu_diagnostic *runcu_error_diagnostics(size_t *count)
{
    if (count)
        *count = record.diagnostic_count;
    return record.diagnostics;
}

void core_fail_launches(const char *launches)
{
    enum { IN_DETAIL = 3 };
    struct str few = {0};
    str_clear(&record.launches);
    str_add(&record.launches, launches);
    for (int i = 0; i < IN_DETAIL && *launches; i++) {
        size_t len = strcspn(launches, "\n");
        str_addf(&few, "%s%.*s", i ? "; " : "", (int) len, launches);
        launches += len + (launches[len] == '\n');
    }
    runcu_fail_detail("\nThe last launches in the context, the newest first: %s%s.", str_text(&few),
                      *launches ? "; ..." : "");
    str_fini(&few);
}

void runcu_fail_code(int code, const char *name, const char *routine)
{
    record.code = code;
    record.name = name ? name : "";
    record.routine = routine ? routine : "";
}

int core_fail_null(const char *function, const char *argument)
{
    return runcu_fail(RUNCU_ERROR_ARGUMENT, "%s: %s is NULL", function, argument);
}

int runcu_fail_memory(void)
{
    return runcu_fail(RUNCU_ERROR_MEMORY, "%s", runcu_status_text(RUNCU_ERROR_MEMORY));
}

int core_last_status(void)
{
    return record.status;
}

int core_set_status(int status)
{
    return record.status = status;
}

/* Where memory was too short for the message, the status still has a text of its own. */
static const char *message_text(void)
{
    if (!record.status)
        return "";
    return record.message.len && !record.message.failed ? record.message.at
                                                        : runcu_status_text(record.status);
}

void runcu_error_get(runcu_error *out)
{
    if (!out)
        return;
    *out = (runcu_error){
        .status = record.status,
        .code = record.code,
        .name = record.name ? record.name : "",
        .routine = record.routine ? record.routine : "",
        .message = message_text(),
        .detail = str_text(&record.detail),
    };
}

const char *runcu_error_text(void)
{
    if (!record.detail.len)
        return message_text();
    str_clear(&record.text);
    str_addf(&record.text, "%s\n%s", message_text(), str_text(&record.detail));
    return record.text.failed ? message_text() : str_text(&record.text);
}

const char *runcu_error_launches(void)
{
    return str_text(&record.launches);
}

const char *runcu_status_text(int status)
{
    switch (status) {
#define RUNCU_STATUS(code, name, text) \
    case code:                         \
        return text;
#include "runcu/error.def"
#undef RUNCU_STATUS
    default:
        return NULL;
    }
}

const char *runcu_result_name(int code)
{
    return drv_result_name(code);
}

const char *runcu_result_text(int code)
{
    return drv_result_text(code);
}

const char *runcu_result_class(int code)
{
    return drv_result_class(code);
}

void runcu_set_log(runcu_log_fn *log, void *user)
{
    log_user = user;
    log_fn = log;
}

void core_vlog(int level, const char *category, const char *format, va_list args)
{
    char text[2048]; /* a message to people; longer ones end early */
    if (!log_fn)
        return;
    vsnprintf(text, sizeof text, format, args);
    log_fn(log_user, level, category, text);
}

void core_log(int level, const char *category, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    core_vlog(level, category, format, args);
    va_end(args);
}

const char *runcu_version(void)
{
#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)
    return TEXT(RUNCU_VERSION_MAJOR) "." TEXT(RUNCU_VERSION_MINOR) "." TEXT(RUNCU_VERSION_PATCH);
}
