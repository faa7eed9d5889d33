/* The environment variables that count, from environment.def, and those that look like ours and are
 * none. Who needs a value asks getenv itself. */
#include "core/environment.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    LIBRARY = RUNCU_READ_BY_LIBRARY,
    PYTHON = RUNCU_READ_BY_PYTHON,
    THEIRS = RUNCU_READ_BY_OTHERS
};

static const struct {
    const char *name;
    int reader;
    const char *meaning, *otherwise;
} rows[] = {
#define VARIABLE(name, reader, meaning, otherwise) {name, reader, meaning, otherwise},
#include "core/environment.def"
#undef VARIABLE
};

int runcu_environment_get(runcu_setting *out, size_t index)
{
    if (!out || index >= ARRAY_LEN(rows))
        return 0;
    *out = (runcu_setting){rows[index].name, rows[index].reader, rows[index].meaning,
                            rows[index].otherwise, getenv(rows[index].name)};
    return 1;
}

bool environment_is_known(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (strcmp(rows[i].name, name) == 0)
            return true;
    return false;
}

/* How many letters differ, those of the shorter one missing at the end counted. */
static size_t count_changes(const char *a, const char *b)
{
    size_t row[64], width = strlen(b), before, above;
    if (width >= ARRAY_LEN(row))
        return SIZE_MAX;
    for (size_t j = 0; j <= width; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        before = row[0];
        row[0] = i;
        for (size_t j = 1; j <= width; j++) {
            above = row[j];
            size_t change = before + (a[i - 1] != b[j - 1]);
            row[j] = MIN(change, MIN(above, row[j - 1]) + 1);
            before = above;
        }
    }
    return row[width];
}

const char *environment_nearest(const char *name)
{
    const char *found = NULL;
    size_t best = 1 + strlen(name) / 3;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t changes = count_changes(name, rows[i].name);
        if (changes < best) {
            best = changes;
            found = rows[i].name;
        }
    }
    return found;
}

void environment_visit_unknown(void (*visit)(void *user, const char *name), void *user)
{
    for (char **entry = environ; entry && *entry; entry++) {
        char name[256];
        size_t len = strcspn(*entry, "=");
        if (strncmp(*entry, "RUNCU_", 6) != 0 || len >= sizeof name)
            continue;
        memcpy(name, *entry, len);
        name[len] = 0;
        if (!environment_is_known(name))
            visit(user, name);
    }
}
