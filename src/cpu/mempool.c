/* Memory in the order of streams, and the pools it is counted in. It is there at once, and goes
 * when its stream gets there; nothing is kept beyond that, since the system gives it anew as fast.
 * So what a pool has reserved is what is in use, and there is never anything to trim. */
#include <stdatomic.h>

#include "base/alloc.h"
#include "cpu/cpu.h"

enum { UNIT = 512, FLAGS = 3 };

struct cpu_pool {
    struct cpu_pool *next;
    CUmemoryPool handle; /* NULL: destroyed; it goes with its last allocation */
    atomic_uint refs;    /* the list's, and one for each allocation */
    atomic_size_t used;
    size_t high, most; /* `most` 0: no limit of its own */
    uint64_t threshold;
    int flags[FLAGS];
};

/* What an allocation's range owns. */
struct pooled {
    struct cpu_pool *pool;
    size_t bytes;
    bool is_freed; /* a stream will free it, or has */
};

/* ---- pools ---- */

static void drop_pool(struct cpu_pool *p)
{
    if (atomic_fetch_sub(&p->refs, 1) == 1)
        alloc_free(p);
}

/* NULL: memory is short. */
static struct cpu_pool *create(size_t most)
{
    struct cpu_pool *p = alloc_zero(1, sizeof *p);
    if (!p || !(p->handle = cpu_handle_create(CPU_POOL, p))) {
        alloc_free(p);
        return NULL;
    }
    *p =
        (struct cpu_pool){.next = cpu.pools, .handle = p->handle, .most = most, .flags = {1, 1, 1}};
    atomic_store(&p->refs, 1);
    return cpu.pools = p;
}

static struct cpu_pool *default_pool(void)
{
    if (!cpu.default_pool)
        cpu.default_pool = create(0);
    return cpu.default_pool;
}

static struct cpu_pool *current_pool(void)
{
    return cpu.pool ? cpu.pool : default_pool();
}

static CUresult tell_pool(CUmemoryPool *out, CUdevice device, struct cpu_pool *(*which)(void) )
{
    CUresult code = cpu_enter();
    if (code)
        return code;
    if (!out)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    if ((code = cpu_check_device(device)))
        return cpu_leave(code);
    const struct cpu_pool *p = which();
    if (!p)
        return cpu_leave(CUDA_ERROR_OUT_OF_MEMORY);
    *out = p->handle;
    return cpu_leave(CUDA_SUCCESS);
}

CUresult cpu_cuDeviceGetDefaultMemPool(CUmemoryPool *pool, CUdevice device)
{
    return tell_pool(pool, device, default_pool);
}

CUresult cpu_cuDeviceGetMemPool(CUmemoryPool *pool, CUdevice device)
{
    return tell_pool(pool, device, current_pool);
}

static CUresult enter_pool(struct cpu_pool **out, CUmemoryPool pool)
{
    CUresult code = cpu_enter();
    if (code)
        return code;
    *out = cpu_handle_get(CPU_POOL, pool);
    return *out ? CUDA_SUCCESS : cpu_leave(CUDA_ERROR_INVALID_VALUE);
}

CUresult cpu_cuDeviceSetMemPool(CUdevice device, CUmemoryPool pool)
{
    struct cpu_pool *p;
    CUresult code = enter_pool(&p, pool);
    if (code)
        return code;
    if ((code = cpu_check_device(device)))
        return cpu_leave(code);
    cpu.pool = p;
    return cpu_leave(CUDA_SUCCESS);
}

CUresult cpu_cuMemPoolCreate(CUmemoryPool *pool, const CUmemPoolProps *props)
{
    CUresult code = cpu_enter();
    if (code)
        return code;
    if (!pool || !props || props->allocType != CU_MEM_ALLOCATION_TYPE_PINNED ||
        props->location.type != CU_MEM_LOCATION_TYPE_DEVICE)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    if ((code = cpu_check_device(props->location.id)))
        return cpu_leave(code);
    if (props->handleTypes != CU_MEM_HANDLE_TYPE_NONE)
        return cpu_leave(
            cpu_refuse(CUDA_ERROR_NOT_SUPPORTED, "pools of the CPU device are for one process"));
    const struct cpu_pool *p = create(props->maxSize);
    if (!p)
        return cpu_leave(CUDA_ERROR_OUT_OF_MEMORY);
    *pool = p->handle;
    return cpu_leave(CUDA_SUCCESS);
}

CUresult cpu_cuMemPoolDestroy(CUmemoryPool pool)
{
    struct cpu_pool *p, **at = &cpu.pools;
    CUresult code = enter_pool(&p, pool);
    if (code)
        return code;
    if (p == cpu.default_pool)
        return cpu_leave(cpu_refuse(CUDA_ERROR_INVALID_VALUE, "the default pool stays"));
    if (cpu.pool == p)
        cpu.pool = NULL;
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    cpu_handle_destroy(p->handle);
    p->handle = NULL;
    drop_pool(p);
    return cpu_leave(CUDA_SUCCESS);
}

CUresult cpu_cuMemPoolTrimTo(CUmemoryPool pool, size_t keep)
{
    struct cpu_pool *p;
    CUresult code = enter_pool(&p, pool);
    (void) keep; /* nothing is reserved that is not in use */
    return code ? code : cpu_leave(CUDA_SUCCESS);
}

CUresult cpu_cuMemPoolSetAttribute(CUmemoryPool pool, int attribute, void *value)
{
    struct cpu_pool *p;
    CUresult code = enter_pool(&p, pool);
    if (code)
        return code;
    if (!value)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    switch (attribute) {
    case CU_MEMPOOL_ATTR_REUSE_FOLLOW_EVENT_DEPENDENCIES:
    case CU_MEMPOOL_ATTR_REUSE_ALLOW_OPPORTUNISTIC:
    case CU_MEMPOOL_ATTR_REUSE_ALLOW_INTERNAL_DEPENDENCIES:
        p->flags[attribute - CU_MEMPOOL_ATTR_REUSE_FOLLOW_EVENT_DEPENDENCIES] = *(int *) value;
        return cpu_leave(CUDA_SUCCESS);
    case CU_MEMPOOL_ATTR_RELEASE_THRESHOLD:
        p->threshold = *(uint64_t *) value;
        return cpu_leave(CUDA_SUCCESS);
    case CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH:
    case CU_MEMPOOL_ATTR_USED_MEM_HIGH:
        if (*(uint64_t *) value)
            return cpu_leave(CUDA_ERROR_INVALID_VALUE);
        p->high = atomic_load(&p->used);
        return cpu_leave(CUDA_SUCCESS);
    default:
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    }
}

CUresult cpu_cuMemPoolGetAttribute(CUmemoryPool pool, int attribute, void *value)
{
    struct cpu_pool *p;
    CUresult code = enter_pool(&p, pool);
    if (code)
        return code;
    if (!value)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    switch (attribute) {
    case CU_MEMPOOL_ATTR_REUSE_FOLLOW_EVENT_DEPENDENCIES:
    case CU_MEMPOOL_ATTR_REUSE_ALLOW_OPPORTUNISTIC:
    case CU_MEMPOOL_ATTR_REUSE_ALLOW_INTERNAL_DEPENDENCIES:
        *(int *) value = p->flags[attribute - CU_MEMPOOL_ATTR_REUSE_FOLLOW_EVENT_DEPENDENCIES];
        return cpu_leave(CUDA_SUCCESS);
    case CU_MEMPOOL_ATTR_RELEASE_THRESHOLD:
        *(uint64_t *) value = p->threshold;
        return cpu_leave(CUDA_SUCCESS);
    case CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT:
    case CU_MEMPOOL_ATTR_USED_MEM_CURRENT:
        *(uint64_t *) value = atomic_load(&p->used);
        return cpu_leave(CUDA_SUCCESS);
    case CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH:
    case CU_MEMPOOL_ATTR_USED_MEM_HIGH:
        *(uint64_t *) value = p->high;
        return cpu_leave(CUDA_SUCCESS);
    default:
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    }
}

/* ---- allocations ---- */

/* The pool counts it no more; from then on the range, if it is still looked at, owns nothing. */
static void give_back(struct pooled *a)
{
    if (a->bytes)
        atomic_fetch_sub(&a->pool->used, ALIGN_UP(a->bytes, UNIT));
    a->bytes = 0;
}

/* Nobody looks at the memory any more. No lock is held. */
static void gone(void *owner)
{
    struct pooled *a = owner;
    give_back(a);
    drop_pool(a->pool);
    alloc_free(a);
}

void cpu_pooled_free(const struct simt_range *range)
{
    if (range->gone == gone)
        give_back(range->owner);
}

static CUresult take(struct cpu_context *c, struct cpu_pool *p, CUdeviceptr *out, size_t bytes)
{
    size_t used = atomic_load(&p->used);
    if (p->most && (bytes > p->most || ALIGN_UP(bytes, UNIT) > p->most - MIN(used, p->most)))
        return cpu_refuse(CUDA_ERROR_OUT_OF_MEMORY, "the pool has %zu bytes at most, %zu in use",
                          p->most, used);
    struct pooled *a = alloc_new(sizeof *a);
    if (!a)
        return CUDA_ERROR_OUT_OF_MEMORY;
    CUresult code = cpu_memory_alloc(c, out, bytes);
    if (code) {
        alloc_free(a);
        return code;
    }
    *a = (struct pooled){p, bytes, false};
    atomic_fetch_add(&p->refs, 1);
    used = atomic_fetch_add(&p->used, ALIGN_UP(bytes, UNIT)) + ALIGN_UP(bytes, UNIT);
    p->high = MAX(p->high, used);
    simt_space_own(c->space, *out, gone, a);
    return CUDA_SUCCESS;
}

/* Where memory is short, what streams are about to free is waited for. */
static CUresult alloc(CUdeviceptr *address, size_t bytes, CUmemoryPool pool, CUstream stream)
{
    struct cpu_context *c = NULL;
    struct cpu_stream *s = NULL;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    if ((code = cpu_stream_get(&s, c, stream)))
        return cpu_leave(code);
    if (s->capture)
        return cpu_leave(cpu_capture_break(s->capture, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED));
    struct cpu_pool *p = pool ? cpu_handle_get(CPU_POOL, pool) : current_pool();
    if (!address || !p)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    bytes = MAX(bytes, 1); /* there is memory of no bytes */
    CUcontext handle = s->context->handle;
    code = take(s->context, p, address, bytes);
    if (code != CUDA_ERROR_OUT_OF_MEMORY || !s->context->pending)
        return cpu_leave(code);
    CUresult waited = cpu_wait_prior(s->context);
    c = cpu_handle_get(CPU_CONTEXT, handle);
    p = pool ? cpu_handle_get(CPU_POOL, pool) : current_pool();
    if (waited || !c || !p)
        return cpu_leave(waited ? waited : CUDA_ERROR_INVALID_VALUE);
    return cpu_leave(take(c, p, address, bytes));
}

CUresult cpu_cuMemAllocAsync(CUdeviceptr *address, size_t bytes, CUstream stream)
{
    return alloc(address, bytes, NULL, stream);
}

CUresult cpu_cuMemAllocFromPoolAsync(CUdeviceptr *address, size_t bytes, CUmemoryPool pool,
                                     CUstream stream)
{
    return pool ? alloc(address, bytes, pool, stream) : CUDA_ERROR_INVALID_VALUE;
}

CUresult cpu_cuMemFreeAsync(CUdeviceptr address, CUstream stream)
{
    struct cpu_context *c = NULL;
    struct cpu_stream *s = NULL;
    struct simt_range range;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    if ((code = cpu_stream_get(&s, c, stream)))
        return cpu_leave(code);
    if (s->capture)
        return cpu_leave(cpu_capture_break(s->capture, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED));
    struct cpu_context *owner = cpu_owner(s->context, address, 1);
    if (!owner || !simt_space_find(owner->space, address, &range) || range.base != address ||
        range.gone != gone)
        return cpu_leave(cpu_refuse(CUDA_ERROR_INVALID_VALUE,
                                    "0x%llx is no memory from cuMemAllocAsync", address));
    struct pooled *a = range.owner;
    if (a->is_freed)
        return cpu_leave(cpu_refuse(CUDA_ERROR_INVALID_VALUE, "it has been freed already"));
    struct cpu_op *op = cpu_op_create(CPU_RELEASE, 0);
    if (!op)
        return cpu_leave(CUDA_ERROR_OUT_OF_MEMORY);
    a->is_freed = true;
    op->u.free.base = range.base;
    op->u.free.size = range.size;
    op->u.free.serial = range.serial;
    cpu_enqueue(s, op);
    return cpu_leave(CUDA_SUCCESS);
}
