/* What the doctor asks about the environment. */
#ifndef CORE_ENVIRONMENT_H
#define CORE_ENVIRONMENT_H

#include "core/core.h"

bool environment_is_known(const char *name);
/* The known variable most like `name`; NULL if none is near. */
const char *environment_nearest(const char *name);
/* Calls `visit` for each variable RUNCU_… that is set and means nothing. The environment must not
 * be changed meanwhile. */
void environment_visit_unknown(void (*visit)(void *user, const char *name), void *user);

#endif
