/* Words for faults: who did it, what the access was, which allocation it missed and by how much,
 * and the source line with its chain of inlined calls. Not here: noticing faults, and who is told.
 */
#include "simt/trap.h"

#include <inttypes.h>
#include <string.h>

#include "base/str.h"
#include "simt/space.h"

/* CUresult, as far as kernels bring them about. */
enum {
    ILLEGAL_ADDRESS = 700,
    TIMEOUT = 702,
    ASSERT = 710,
    ILLEGAL_INSTRUCTION = 715,
    MISALIGNED = 716,
};

enum {
    NULL_PAGE = 65536,
    REACH = 1 << 30, /* an allocation farther away than this explains nothing */
};

/* ---- names ---- */

/* One length-prefixed name of a mangled symbol ("3addPf": add); NULL if there is none. */
static const char *source_name(const char *p, size_t *len)
{
    size_t n = 0;
    while (*p >= '0' && *p <= '9' && n < 10000)
        n = n * 10 + (size_t) (*p++ - '0');
    *len = n;
    return n && strnlen(p, n) == n ? p : NULL;
}

/* The name without its parameters: add for _Z3addPfi, ns::add for _ZN2ns3addEv; whatever is harder
 * stays as it is. */
static void add_name(struct str *out, const char *symbol)
{
    size_t len;
    const char *p = symbol;
    bool nested = strncmp(p, "_ZN", 3) == 0;
    const char *name = strncmp(p, "_Z", 2) == 0 ? source_name(p + (nested ? 3 : 2), &len) : NULL;
    if (!name) {
        str_add(out, symbol);
        return;
    }
    while (name) {
        bool hidden = len >= 10 && memcmp(name, "_GLOBAL__N", 10) == 0;
        str_addn(out, hidden ? "(anonymous)" : name, hidden ? 11 : len);
        name = nested ? source_name(name + len, &len) : NULL;
        if (name)
            str_add(out, "::");
    }
}

static void add_file(struct str *out, const struct ptx_module *m, const struct ptx_loc *loc)
{
    const char *file = m && loc->file < m->file_count ? m->files[loc->file] : NULL;
    str_addf(out, "%s:%" PRIu32, file ? file : "line", loc->line);
}

/* ", at add.cu:5 in f, inlined at add.cu:9" */
static void add_source(struct str *out, const struct simt_trap *t)
{
    const struct ptx_loc *loc = t->in ? t->in->loc : NULL;
    if (!loc || !loc->line)
        return;
    str_add(out, " At ");
    add_file(out, t->module, loc);
    for (unsigned depth = 0; loc->inlined_at && depth < 16; depth++) {
        if (loc->function) {
            str_add(out, " in ");
            add_name(out, loc->function);
        }
        loc = loc->inlined_at;
        str_add(out, ", inlined at ");
        add_file(out, t->module, loc);
    }
    str_add(out, ".");
}

/* ---- the access ---- */

static void add_bytes(struct str *out, uint64_t n)
{
    str_addf(out, "%" PRIu64 " byte%s", n, n == 1 ? "" : "s");
}

/* What a range is, and what has become of it when it is no longer live. */
struct words {
    const char *what, *gone;
};

static const struct words *words_of(const struct simt_range *r)
{
    static const struct words words[SIMT_RANGE_KINDS] = {
        [SIMT_RANGE_HEAP] = {"allocation", "has been freed"},
        [SIMT_RANGE_HOST] = {"page-locked host memory", "has been freed"},
        [SIMT_RANGE_GLOBAL] = {"variable", "has been freed"},
        [SIMT_RANGE_CONSTANT] = {"constant variable", "has been freed"},
        [SIMT_RANGE_REGISTERED] = {"registered host memory", "has been unregistered"},
        [SIMT_RANGE_MANAGED] = {"managed allocation", "has been freed"},
        [SIMT_RANGE_MAPPED] = {"mapped memory", "has been unmapped"},
        [SIMT_RANGE_IMPORTED] = {"memory of another process", "has been closed"},
    };
    return &words[(r->kind & ~SIMT_READ_ONLY) % SIMT_RANGE_KINDS];
}

static void add_range(struct str *out, const struct simt_range *r)
{
    str_addf(out, "the %zu-byte %s ", r->size, words_of(r)->what);
    if (r->name)
        str_addf(out, "'%s'", r->name);
    else
        str_addf(out, "at 0x%" PRIx64, r->base);
}

/* Where [address, address + width) lies against [base, base + size), which does not hold all of it.
 */
static void add_miss(struct str *out, const struct simt_trap *t, uint64_t base, uint64_t size)
{
    uint64_t end = base + size;
    if (t->address < base) {
        add_bytes(out, base - t->address);
        str_add(out, " before the start of ");
    } else if (t->address < end) {
        str_add(out, "reaching ");
        add_bytes(out, t->address + t->width - end);
        str_add(out, " past the end of ");
    } else if (t->address == end) {
        str_add(out, "right past the end of ");
    } else {
        add_bytes(out, t->address - end);
        str_add(out, " past the end of ");
    }
}

static void add_window(struct str *out, const struct simt_trap *t)
{
    if (!t->window_size) {
        str_addf(out, ", outside %s memory", t->is_shared ? "shared" : "local");
        return;
    }
    str_add(out, ", ");
    add_miss(out, t, t->window, t->window_size);
    str_addf(out, "the %zu bytes of %s", t->window_size,
             t->is_shared ? "the block's shared memory" : "the thread's local memory");
}

static void add_nearest(struct str *out, const struct simt_trap *t, struct simt_space *space)
{
    struct simt_range r;
    if (t->address < NULL_PAGE) {
        str_add(out, t->address ? ", close to the null pointer" : ", the null pointer");
    } else if (simt_space_freed(space, t->address, &r)) {
        str_add(out, ", inside ");
        add_range(out, &r);
        str_addf(out, ", which %s", words_of(&r)->gone);
    } else if (!simt_space_nearest(space, t->address, REACH, &r)) {
        str_add(out, ", which is near no allocation");
    } else if (t->address >= r.base && t->address - r.base < r.size &&
               r.size - (t->address - r.base) >= t->width) {
        str_add(out, ", inside ");
        add_range(out, &r);
        str_add(out, r.kind & SIMT_READ_ONLY ? ", which kernels may only read" : "");
    } else {
        str_add(out, ", ");
        add_miss(out, t, r.base, r.size);
        add_range(out, &r);
    }
}

static void add_access(struct str *out, const struct simt_trap *t, struct simt_space *space)
{
    str_addf(out, "%s of ", t->is_atomic ? "atomic access" : t->is_store ? "store" : "load");
    add_bytes(out, t->width);
    str_addf(out, " at 0x%" PRIx64, t->address);
    if (t->code == MISALIGNED)
        str_addf(out, ", which is not a multiple of %" PRIu32, t->width);
    else if (t->is_shared || t->is_local)
        add_window(out, t);
    else
        add_nearest(out, t, space);
}

/* ---- all of it ---- */

static const char *what(int code)
{
    switch (code) {
    case ILLEGAL_ADDRESS:
        return "illegal address";
    case MISALIGNED:
        return "misaligned address";
    case ILLEGAL_INSTRUCTION:
        return "illegal instruction";
    case ASSERT:
        return "assertion failed";
    case TIMEOUT:
        return "stopped";
    default:
        return "the kernel stopped itself (trap)";
    }
}

static void add_place(struct str *out, const struct simt_trap *t)
{
    if (t->kernel) {
        str_add(out, "kernel '");
        add_name(out, t->kernel->name);
        str_add(out, "', ");
    }
    str_addf(out,
             "block (%" PRIu32 ",%" PRIu32 ",%" PRIu32 "), thread (%" PRIu32 ",%" PRIu32 ",%" PRIu32
             "): ",
             t->block[0], t->block[1], t->block[2], t->thread[0], t->thread[1], t->thread[2]);
}

static void add_insn(struct str *out, const struct simt_trap *t)
{
    str_add(out, " Instruction: ");
    ptx_print_insn(out, t->in);
    str_addf(out, " (line %" PRIu32 " of the PTX).", t->in->line);
}

static void copy_text(struct simt_fault *out, const struct str *s, const struct simt_trap *t)
{
    const char *text = s->failed ? (t->text ? t->text : what(t->code)) : str_text(s);
    size_t n = strnlen(text, sizeof out->text - 1);
    memcpy(out->text, text, n);
    out->text[n] = '\0';
}

void simt_trap_describe(struct simt_fault *out, const struct simt_trap *t, struct simt_space *space)
{
    struct str s = {0};
    memset(out, 0, sizeof *out);
    out->code = t->code;
    out->has_place = t->kernel != NULL;
    memcpy(out->block, t->block, sizeof out->block);
    memcpy(out->thread, t->thread, sizeof out->thread);
    out->ptx_line = t->in ? t->in->line : 0;
    if (out->has_place)
        add_place(&s, t);
    if (t->text)
        str_add(&s, t->text);
    else if (t->width)
        add_access(&s, t, space);
    else
        str_add(&s, what(t->code));
    if (s.len && s.at[s.len - 1] != '.')
        str_add(&s, ".");
    add_source(&s, t);
    if (t->in)
        add_insn(&s, t);
    copy_text(out, &s, t);
    str_fini(&s);
}
