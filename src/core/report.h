/* Text in the forms of enum runcu_report: the compiler's messages and the doctor's findings. */
#ifndef CORE_REPORT_H
#define CORE_REPORT_H

#include "core/core.h"

enum style {
    STYLE_PLAIN,
    STYLE_STRONG,
    STYLE_NOTE,
    STYLE_REMARK,
    STYLE_WARNING,
    STYLE_ERROR,
    STYLE_CARET,
    STYLE_COUNT
};

/* Zeroed but for the form; `out` is the owner's. */
struct report_writer {
    struct str out;
    int form;
};

/* Appends text in the writer's form, which is not JSON. */
void report_put(struct report_writer *w, enum style style, const char *text);
/* JSON: a string in quotes, "key": "text". What is no UTF-8 becomes U+FFFD. */
void report_add_json(struct str *out, const char *text);
void report_add_member(struct str *out, const char *key, const char *text);

#endif
