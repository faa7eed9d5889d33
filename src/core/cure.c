/* What is behind each error and what to do about it: cure.def as functions. What a machine shows
 * of a driver that cannot be had is machine.c's. */
#include "core/core.h"

static const struct {
    int status;
    const char *cause, *cure;
} statuses[] = {
#define STATUS(name, cause, cure) {RUNCU_##name, cause, cure},
#define RESULT(name, cure)
#include "core/cure.def"
#undef STATUS
#undef RESULT
};

static const struct {
    int code;
    const char *cure;
} results[] = {
#define STATUS(name, cause, cure)
#define RESULT(name, cure) {name, cure},
#include "core/cure.def"
#undef STATUS
#undef RESULT
};

const char *runcu_status_cause(int status)
{
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
        if (statuses[i].status == status)
            return statuses[i].cause;
    return NULL;
}

const char *runcu_status_cure(int status)
{
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
        if (statuses[i].status == status)
            return statuses[i].cure;
    return NULL;
}

const char *runcu_result_cure(int code)
{
    for (size_t i = 0; i < ARRAY_LEN(results); i++)
        if (results[i].code == code)
            return results[i].cure;
    return NULL;
}
