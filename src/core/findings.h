/* What the doctor's files share: findings as they are gathered. */
#ifndef CORE_FINDINGS_H
#define CORE_FINDINGS_H

#include "core/core.h"
#include "core/program.h"
#include "runcu/diagnose.h"

struct runcu_diagnosis {
    struct arena arena;
    VEC(runcu_finding) list;
    struct str verdict;
    bool is_well;
    bool failed; /* memory was short */
    bool has_compiler;
};

/* A finding as it is written; area and item are copied. */
struct draft {
    const char *area, *item;
    int state;
    struct str text, detail, advice;
};

/* Takes over the draft's texts. */
void findings_add(runcu_diagnosis *d, struct draft *draft);
/* This thread's last failure as text and detail of a draft. */
void findings_error(struct draft *draft);
/* How a file is called that was found at a place: by its name in that folder. */
const char *findings_name(const char *file, const char *place);
/* Commands by which `what` of install.def is installed, added to the advice. */
void findings_install(struct draft *draft, const char *what);

/* toolchain.c: NVRTC, CUDA's headers, nvJitLink, cudadevrt. `driver`: the version of NVIDIA's
 * driver, 0 if there is none. */
void toolchain_look(runcu_diagnosis *d, int driver);

#endif
