/* What program.c and batch.c share: the arguments of a compilation. */
#ifndef BIND_REQUEST_H
#define BIND_REQUEST_H

#include "core.h"

/* A list of texts as the C library takes them; the strings belong to `items`. */
struct bind_texts {
    PyObject *items; /* a tuple */
    const char **at;
    size_t count;
};

/* A dict of texts by name. */
struct bind_headers {
    PyObject *items; /* a list of pairs, which own the texts */
    runcu_header *at;
    size_t count;
};

typedef struct bind_request {
    const char *source;
    runcu_program_params params;
    struct bind_texts options, include_dirs, name_expressions;
    struct bind_headers headers;
} bind_request;

/* The arguments of Program. Single texts are borrowed: keep `args` and `kwargs` as long as the
 * request is used. bind_request_release is to be called either way. */
int bind_request_get(bind_request *out, const bind_state *state, PyObject *args, PyObject *kwargs);
void bind_request_release(bind_request *request);

/* A list of texts, None being an empty one; bind_texts_release is to be called either way. `what`
 * is for errors. */
int bind_texts_get(struct bind_texts *out, PyObject *values, const char *what);
void bind_texts_release(struct bind_texts *texts);
/* An optional text, borrowed; NULL for None. */
int bind_text_get(const char **out, PyObject *value, const char *what);

#endif
