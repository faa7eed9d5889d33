/* The last launches of a context, for the error that tells of a fault later: a GPU does not say
 * which of them it was. Noted at each launch, so it has to cost next to nothing: the arguments'
 * bytes are copied, and words are made of them only when they are asked for. */
#include "launch.h"

#include <sched.h>
#include <string.h>

#include "base/alloc.h"

enum { PATIENCE = 1000 /* yields, before a launch goes unnoted */ };

/* --- the lock: held for some nanoseconds --- */

static NO_INLINE bool enter_slowly(struct core_history *h)
{
    for (int i = 0; i < PATIENCE; i++) {
        if (!atomic_exchange_explicit(&h->is_busy, true, memory_order_acquire))
            return true;
        sched_yield();
    }
    return false; /* as in a child that was forked just then */
}

static ALWAYS_INLINE bool enter(struct core_history *h)
{
    return LIKELY(!atomic_exchange_explicit(&h->is_busy, true, memory_order_acquire)) ||
           enter_slowly(h);
}

static ALWAYS_INLINE void leave(struct core_history *h)
{
    atomic_store_explicit(&h->is_busy, false, memory_order_release);
}

HOT void core_history_add(const struct core_launch *l)
{
    const runcu_function *f = l->function;
    struct core_history *h = &f->context->history;
    if (UNLIKELY(!enter(h)))
        return;
    struct core_past *p = &h->at[h->next++ % CORE_HISTORY];
    if (UNLIKELY(p->text != NULL)) {
        alloc_free(p->text);
        p->text = NULL;
    }
    p->function = f;
    p->grid = l->grid;
    p->block = l->block;
    p->shared = l->shared;
    p->stream = l->stream;
    p->bytes = (uint32_t) MIN(l->packed.bytes, sizeof p->args);
    memcpy(p->args, l->buffer, p->bytes);
    leave(h);
}

/* --- words --- */

static void add_extent(struct str *out, const runcu_dim3 *d)
{
    if (d->y == 1 && d->z == 1)
        str_addf(out, "%u", d->x);
    else
        str_addf(out, "(%u, %u, %u)", d->x, d->y, d->z);
}

static void add_integer(struct str *out, const runcu_param *p, const unsigned char *at)
{
    uint64_t bits = 0;
    memcpy(&bits, at, p->size);
    int unused = 64 - 8 * (int) p->size;
    int64_t value = (int64_t) (bits << unused) >> unused;
    if (p->kind == RUNCU_PARAM_INT)
        str_addf(out, "%lld", (long long) value);
    else
        str_addf(out, "%llu", (unsigned long long) bits);
}

static void add_value(struct str *out, const runcu_param *p, const unsigned char *at)
{
    uint64_t address;
    float f;
    double d;
    bool is_address = p->size == 8 && (p->kind == RUNCU_PARAM_POINTER || p->is_maybe_pointer ||
                                       p->kind == RUNCU_PARAM_UNKNOWN);
    if (is_address) {
        memcpy(&address, at, sizeof address);
        str_addf(out, "%#llx", (unsigned long long) address);
    } else if (p->kind == RUNCU_PARAM_FLOAT && p->size == sizeof f) {
        memcpy(&f, at, sizeof f);
        str_addf(out, "%g", (double) f);
    } else if (p->kind == RUNCU_PARAM_FLOAT && p->size == sizeof d) {
        memcpy(&d, at, sizeof d);
        str_addf(out, "%g", d);
    } else if (p->kind == RUNCU_PARAM_BOOL) {
        str_add(out, *at ? "true" : "false");
    } else if (p->size > 0 && p->size <= 8 && p->kind != RUNCU_PARAM_STRUCT) {
        add_integer(out, p, at);
    } else {
        str_addf(out, "{%u bytes}", p->size);
    }
}

/* "saxpy<<<4, 256>>>(2, 0x7f0000000200, 0x7f0000000a00, 1000)" */
static void describe(struct str *out, const struct core_past *p)
{
    const runcu_function *f = p->function;
    str_addf(out, "%s<<<", f->name);
    add_extent(out, &p->grid);
    str_add(out, ", ");
    add_extent(out, &p->block);
    if (p->shared || p->stream)
        str_addf(out, ", %u", p->shared);
    if (p->stream)
        str_addf(out, ", %#llx", (unsigned long long) (uintptr_t) p->stream);
    str_add(out, ">>>(");
    for (int i = 0; i < f->count; i++) {
        const runcu_param *param = &f->params[i];
        str_add(out, i ? ", " : "");
        if (param->offset + param->size <= p->bytes)
            add_value(out, param, p->args + param->offset);
        else
            str_add(out, "...");
    }
    if (f->count < 0)
        str_addf(out, "%u bytes", p->bytes);
    str_addc(out, ')');
}

void core_history_forget(const runcu_function *f)
{
    struct core_history *h = &f->context->history;
    if (!enter(h))
        return;
    for (size_t i = 0; i < CORE_HISTORY; i++) {
        struct core_past *p = &h->at[i];
        struct str text = {0};
        if (p->function != f)
            continue;
        describe(&text, p);
        p->text = str_take(&text);
        p->function = NULL;
        str_fini(&text);
    }
    leave(h);
}

void core_history_free(runcu_context *context)
{
    for (size_t i = 0; i < CORE_HISTORY; i++)
        alloc_free(context->history.at[i].text);
}

void core_history_tell(const struct core_driver *driver)
{
    CUcontext handle = NULL;
    runcu_context *context = NULL;
    struct str text = {0};
    if (driver->cu.cuCtxGetCurrent(&handle) != CUDA_SUCCESS || !handle ||
        !(context = core_context_look(driver, handle)))
        return;
    struct core_history *h = &context->history;
    if (enter(h)) {
        for (size_t i = 0; i < CORE_HISTORY && i < h->next; i++) { /* the newest first */
            const struct core_past *p = &h->at[(h->next - 1 - i) % CORE_HISTORY];
            if (p->function)
                describe(&text, p);
            else if (p->text)
                str_add(&text, p->text);
            if (p->function || p->text)
                str_addc(&text, '\n');
        }
        leave(h);
    }
    runcu_context_release(&context);
    if (text.len && !text.failed)
        core_fail_launches(str_text(&text));
    str_fini(&text);
}
