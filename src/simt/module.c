/* A module in memory: its variables in device memory, placed when something first needs them
 * (CUDA's headers declare a thousand that nothing uses), the layout of shared memory, and its
 * kernels, lowered when they are asked for. Not here: lowering (lower.c), who may load what. */
#include "simt/module.h"

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#include "base/map.h"
#include "base/vec.h"

enum {
    GAP = 256, /* between two variables, so that running past one never meets the next */
    MAX_SHARED = 48 << 10, /* static, as ptxas allows */
    MAX_CONST = 64 << 10,
};

/* A .global or .const variable. */
struct placed {
    const struct ptx_var *var;
    uint64_t address;
    bool is_live; /* initialised, and a range of the space */
};

struct simt_module {
    struct ptx_module *ptx;
    struct simt_space *space;
    pthread_mutex_t lock; /* kernels, placed[].is_live */
    struct simt_kernel *kernels;
    VEC(struct placed) placed;
    struct map by_var; /* keyed by the bytes of placed.var */
    void *storage;
    size_t storage_size;
    size_t const_bytes;
    struct simt_taken taken;
};

/* ---- variables ---- */

static bool is_module_data(const struct ptx_var *v)
{
    return v->space == PTX_GLOBAL || v->space == PTX_CONST;
}

/* Gives the variable its offset in the storage, for now as its address. */
static bool lay_out(struct simt_module *m, const struct ptx_var *v, struct str *message)
{
    if (!is_module_data(v))
        return true;
    if (v->is_extern) {
        str_addf(message, "Unresolved extern variable '%s'", v->name);
        return false;
    }
    size_t at = ALIGN_UP(m->storage_size, MAX((size_t) v->align, 16));
    if (v->size > SIZE_MAX / 4 - at || !vec_push(&m->placed, (struct placed){v, at, false})) {
        str_add(message, "memory is short");
        return false;
    }
    m->storage_size = at + v->size + GAP;
    if (v->space == PTX_CONST)
        m->const_bytes += v->size;
    return true;
}

static bool lay_out_all(struct simt_module *m, struct str *message)
{
    for (uint32_t i = 0; i < m->ptx->var_count; i++)
        if (!lay_out(m, m->ptx->vars[i], message))
            return false;
    for (uint32_t f = 0; f < m->ptx->func_count; f++)
        for (uint32_t i = 0; i < m->ptx->funcs[f]->var_count; i++)
            if (!lay_out(m, m->ptx->funcs[f]->vars[i], message))
                return false;
    if (m->const_bytes <= MAX_CONST)
        return true;
    str_addf(message, "File uses too much global constant data (0x%zx bytes, 0x%x max)",
             m->const_bytes, (unsigned) MAX_CONST);
    return false;
}

static bool make_storage(struct simt_module *m, struct str *message)
{
    if (m->storage_size) {
        void *p = mmap(NULL, m->storage_size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        m->storage = p == MAP_FAILED ? NULL : p;
    }
    bool ok = m->storage || !m->storage_size;
    for (size_t i = 0; i < m->placed.len && ok; i++) {
        struct placed *p = &m->placed.at[i];
        p->address += (uint64_t) (uintptr_t) m->storage;
        ok = map_put(&m->by_var, (const char *) &p->var, sizeof p->var, p);
    }
    if (!ok)
        str_add(message, "memory is short");
    return ok;
}

static bool make_live(struct simt_module *m, struct placed *p);

/* Writes the addresses that an initialiser asks for, making live what they point to. */
static bool relocate(struct simt_module *m, const struct placed *p)
{
    for (size_t i = 0; i < p->var->reloc_count; i++) {
        const struct ptx_reloc *r = &p->var->relocs[i];
        uint64_t value = (uint64_t) r->addend;
        if (r->func) {
            value += simt_func_address(r->func);
        } else {
            struct placed *to = map_get(&m->by_var, (const char *) &r->var, sizeof r->var);
            if (!to || !make_live(m, to))
                return false;
            value += to->address;
        }
        value >>= r->shift;
        memcpy((char *) (uintptr_t) p->address + r->offset, &value, r->size);
    }
    return true;
}

static bool make_live(struct simt_module *m, struct placed *p)
{
    if (p->is_live || !p->var->size)
        return true;
    p->is_live = true; /* before the relocations, which may come back here */
    if (p->var->init)
        memcpy((void *) (uintptr_t) p->address, p->var->init, p->var->size);
    struct simt_range range = {
        .base = p->address,
        .size = p->var->size,
        .kind = p->var->space == PTX_CONST ? SIMT_RANGE_CONST : SIMT_RANGE_GLOBAL,
        .name = p->var->name,
    };
    p->is_live = relocate(m, p) && simt_space_map(m->space, &range) == 0;
    return p->is_live;
}

struct simt_place lower_place(struct lower *l, const struct ptx_var *var)
{
    struct placed *p = map_get(&l->module->by_var, (const char *) &var, sizeof var);
    if (p && make_live(l->module, p))
        return (struct simt_place){p->address, var->size};
    lower_fail(l, p ? "memory is short" : "variable '%s' has no place in device memory", var->name);
    return (struct simt_place){0};
}

bool simt_module_global(struct simt_module *m, const char *name, uint64_t *address, size_t *size)
{
    const struct ptx_var *var = ptx_find_var(m->ptx, name);
    struct placed *p = var ? map_get(&m->by_var, (const char *) &var, sizeof var) : NULL;
    if (!p)
        return false;
    pthread_mutex_lock(&m->lock);
    bool ok = make_live(m, p);
    pthread_mutex_unlock(&m->lock);
    *address = p->address;
    *size = var->size;
    return ok;
}

/* ---- shared memory ---- */

/* What a kernel reaches: functions to look through, variables whose initialisers may name more of
 * them. */
struct reach {
    VEC(const struct ptx_func *) funcs;
    VEC(const struct ptx_var *) data;
    VEC(struct simt_shared) shared;
    size_t size; /* of static shared memory */
    bool failed; /* memory is short */
};

static void reach_func(struct reach *r, const struct ptx_func *f)
{
    for (size_t i = 0; i < r->funcs.len; i++)
        if (r->funcs.at[i] == f)
            return;
    if (!vec_push(&r->funcs, f))
        r->failed = true;
}

static void reach_shared(struct reach *r, const struct ptx_var *v)
{
    for (size_t i = 0; i < r->shared.len; i++)
        if (r->shared.at[i].var == v)
            return;
    size_t at = v->unsized ? 0 : ALIGN_UP(r->size, MAX((size_t) v->align, 1));
    if (!vec_push(&r->shared, (struct simt_shared){v, at}))
        r->failed = true;
    if (!v->unsized)
        r->size = v->size > SIZE_MAX / 4 ? SIZE_MAX / 2 : at + v->size;
}

static void reach_var(struct reach *r, const struct ptx_var *v)
{
    if (v->space == PTX_SHARED) {
        reach_shared(r, v);
        return;
    }
    if (!v->reloc_count)
        return;
    for (size_t i = 0; i < r->data.len; i++)
        if (r->data.at[i] == v)
            return;
    if (!vec_push(&r->data, v))
        r->failed = true;
    for (size_t i = 0; i < v->reloc_count; i++) {
        if (v->relocs[i].func)
            reach_func(r, v->relocs[i].func);
        else
            reach_var(r, v->relocs[i].var);
    }
}

static void reach_operand(struct reach *r, const struct ptx_operand *o)
{
    if (o->var)
        reach_var(r, o->var);
    if (o->func)
        reach_func(r, o->func);
    for (uint16_t i = 0; i < o->count; i++)
        reach_operand(r, &o->items[i]);
}

static void reach_fini(struct reach *r)
{
    vec_fini(&r->funcs);
    vec_fini(&r->data);
    vec_fini(&r->shared);
}

static bool reach_all(struct reach *r, const struct ptx_func *kernel,
                      const struct simt_taken *taken)
{
    reach_func(r, kernel);
    for (size_t f = 0; f < r->funcs.len && !r->failed; f++) {
        const struct ptx_func *func = r->funcs.at[f];
        for (uint32_t i = 0; i < func->insn_count; i++) {
            for (uint8_t k = 0; k < func->insns[i].operand_count; k++)
                reach_operand(r, &func->insns[i].operands[k]);
            for (size_t t = 0; simt_is_indirect(&func->insns[i]) && t < taken->len; t++)
                reach_func(r, taken->at[t]);
        }
    }
    return !r->failed;
}

size_t simt_module_shared_offset(const struct simt_kernel *k, const struct ptx_var *var)
{
    if (var->unsized)
        return ALIGN_UP(k->info.static_shared, 16);
    for (uint32_t i = 0; i < k->shared_count; i++)
        if (k->shared[i].var == var)
            return k->shared[i].offset;
    return 0;
}

static bool check_shared(const struct ptx_module *ptx, const struct simt_taken *taken,
                         struct str *message)
{
    bool ok = true;
    for (uint32_t i = 0; i < ptx->func_count && ok; i++) {
        const struct ptx_func *f = ptx->funcs[i];
        struct reach r = {0};
        if (f->kind != PTX_ENTRY || !f->defined)
            continue;
        ok = reach_all(&r, f, taken);
        if (!ok)
            str_add(message, "memory is short");
        if (r.size > MAX_SHARED) {
            str_addf(message,
                     "Entry function '%s' uses too much shared data (0x%zx bytes, 0x%x max)",
                     f->name, r.size, (unsigned) MAX_SHARED);
            ok = false;
        }
        reach_fini(&r);
    }
    return ok;
}

/* ---- the module ---- */

static void release(struct simt_module *m)
{
    for (size_t i = 0; i < m->placed.len; i++)
        if (m->placed.at[i].is_live)
            simt_space_unmap(m->space, m->placed.at[i].address);
    if (m->storage)
        munmap(m->storage, m->storage_size);
    map_fini(&m->by_var);
    vec_fini(&m->placed);
    vec_fini(&m->taken);
    pthread_mutex_destroy(&m->lock);
    alloc_free(m);
}

int simt_module_create(struct simt_module **out, struct ptx_module *ptx, struct simt_space *space,
                       struct str *message)
{
    struct simt_module *m = alloc_zero(1, sizeof *m);
    if (!m) {
        str_add(message, "memory is short");
        return -1;
    }
    pthread_mutex_init(&m->lock, NULL);
    m->ptx = ptx;
    m->space = space;
    bool ok = simt_taken_find(&m->taken, ptx);
    if (!ok)
        str_add(message, "memory is short");
    ok = ok && check_shared(ptx, &m->taken, message) && lay_out_all(m, message);
    if (!ok || !make_storage(m, message)) {
        release(m);
        return -1;
    }
    *out = m;
    return 0;
}

static void kernel_destroy(struct simt_kernel *k)
{
    arena_fini(&k->arena);
    alloc_free(k);
}

void simt_module_destroy(struct simt_module **m)
{
    struct simt_module *old = *m;
    if (!old)
        return;
    *m = NULL;
    while (old->kernels) {
        struct simt_kernel *k = old->kernels;
        old->kernels = k->next;
        kernel_destroy(k);
    }
    struct ptx_module *ptx = old->ptx;
    release(old);
    ptx_destroy(&ptx);
}

const struct ptx_module *simt_module_ptx(const struct simt_module *m)
{
    return m->ptx;
}

const struct simt_taken *simt_module_taken(const struct simt_module *m)
{
    return &m->taken;
}

struct simt_space *simt_module_space(const struct simt_module *m)
{
    return m->space;
}

/* ---- kernels ---- */

static void say_kernels(struct str *message, const struct ptx_module *ptx, const char *name)
{
    unsigned count = 0;
    str_addf(message, "the module has no kernel '%s'", name);
    for (uint32_t i = 0; i < ptx->func_count; i++) {
        if (ptx->funcs[i]->kind == PTX_ENTRY && ptx->funcs[i]->defined)
            str_addf(message, "%s%s", count++ ? ", " : "; it has ", ptx->funcs[i]->name);
    }
}

/* False when memory is short. */
static bool lay_out_shared(struct simt_kernel *k)
{
    struct reach r = {0};
    bool ok = reach_all(&r, k->func, &k->module->taken);
    k->info.static_shared = r.size;
    k->shared_count = (uint32_t) r.shared.len;
    if (ok && r.shared.len)
        ok = (k->shared = arena_copy(&k->arena, r.shared.at, r.shared.len * sizeof *r.shared.at)) !=
             NULL;
    reach_fini(&r);
    return ok;
}

static struct simt_kernel *make_kernel(struct simt_module *m, const struct ptx_func *func,
                                       struct str *message)
{
    struct simt_kernel *k = alloc_zero(1, sizeof *k);
    if (!k) {
        str_add(message, "memory is short");
        return NULL;
    }
    k->module = m;
    k->func = func;
    k->info.func = func;
    k->info.const_bytes = m->const_bytes;
    if (lay_out_shared(k) && simt_lower(k, message) == 0) {
        k->next = m->kernels;
        m->kernels = k;
        return k;
    }
    if (!message->len)
        str_add(message, "memory is short");
    kernel_destroy(k);
    return NULL;
}

int simt_kernel_get(struct simt_kernel **out, struct simt_module *m, const char *name,
                    struct str *message)
{
    const struct ptx_func *func = ptx_find_func(m->ptx, name);
    if (!func || func->kind != PTX_ENTRY || !func->defined) {
        say_kernels(message, m->ptx, name);
        return -1;
    }
    pthread_mutex_lock(&m->lock);
    struct simt_kernel *k = m->kernels;
    while (k && k->func != func)
        k = k->next;
    if (!k)
        k = make_kernel(m, func, message);
    pthread_mutex_unlock(&m->lock);
    *out = k;
    return k ? 0 : -1;
}

void simt_kernel_info(const struct simt_kernel *k, struct simt_kernel_info *out)
{
    *out = k->info;
}
