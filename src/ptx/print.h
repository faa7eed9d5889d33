/* How the printer writes numbers; shared by its two files. */
#ifndef PTX_PRINT_H
#define PTX_PRINT_H

#include "base/str.h"
#include "ptx/layout.h"

/* An integer as `spelling` says; `text`, if not NULL, instead. */
void print_int(struct str *out, uint64_t value, uint8_t spelling, const char *text);
/* 0f and `digits` = 8 hexadecimal digits, or 0d and 16. */
void print_bits(struct str *out, uint64_t value, unsigned digits, uint8_t spelling);
/* "+8", "-8", "+-8", or nothing. */
void print_offset(struct str *out, int64_t value, uint8_t spelling, const char *text);

void print_vars(struct str *out, const struct var_layout *layouts, uint32_t count);
void print_regs(struct str *out, const struct reg_layout *layout);
void print_params(struct str *out, const struct param_list *list);
void print_linkage(struct str *out, const struct linkage *linkage);
void print_unified(struct str *out, const uint64_t unified[2]);
void print_section(struct str *out, const struct section_layout *section);
const char *print_space(uint8_t space);

#endif
