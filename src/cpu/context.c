/* Contexts: the primary one, counted, and others; each thread's stack of them; limits. A context
 * that is destroyed while other threads have it current stays on their stacks as a handle that
 * names nothing. */
#include <string.h>

#include "base/alloc.h"
#include "cpu/cpu.h"

enum {
    KNOWN_FLAGS = 0x1f | 0x20 | 0x40 | 0x80
}; /* scheduling, map host, resize, core dumps, sync memops */

/* ---- the current one ---- */

static CUcontext top(const struct cpu_thread *t)
{
    return t && t->stack.len ? t->stack.at[t->stack.len - 1] : NULL;
}

struct cpu_context *cpu_current(void)
{
    return cpu_handle_get(CPU_CONTEXT, top(cpu_thread()));
}

/* The current context, whatever has happened in it. */
static CUresult enter_any(struct cpu_context **out)
{
    CUresult code = cpu_enter();
    if (code)
        return code;
    CUcontext handle = top(cpu_thread());
    struct cpu_context *c = cpu_handle_get(CPU_CONTEXT, handle);
    *out = c;
    if (!c || c->ending || (c->is_primary && !c->retained))
        return cpu_leave(handle ? CUDA_ERROR_CONTEXT_IS_DESTROYED : CUDA_ERROR_INVALID_CONTEXT);
    return CUDA_SUCCESS;
}

CUresult cpu_enter_context(struct cpu_context **out)
{
    CUresult code = enter_any(out);
    if (code)
        return code;
    return (*out)->fault ? cpu_leave((*out)->fault) : CUDA_SUCCESS;
}

static CUresult push(CUcontext handle)
{
    struct cpu_thread *t = cpu_thread();
    if (!t || !vec_push(&t->stack, handle))
        return CUDA_ERROR_OUT_OF_MEMORY;
    return CUDA_SUCCESS;
}

static void pop(void)
{
    struct cpu_thread *t = cpu_thread();
    if (t && t->stack.len)
        t->stack.len--;
}

/* ---- beginning and end ---- */

static void set_limits(struct cpu_context *c)
{
    static const size_t defaults[CPU_LIMITS] = {
        [CU_LIMIT_STACK_SIZE] = 1024,
        [CU_LIMIT_PRINTF_FIFO_SIZE] = 1 << 20,
        [CU_LIMIT_MALLOC_HEAP_SIZE] = 8 << 20,
        [CU_LIMIT_DEV_RUNTIME_SYNC_DEPTH] = 2,
        [CU_LIMIT_DEV_RUNTIME_PENDING_LAUNCH_COUNT] = 2048,
        [CU_LIMIT_MAX_L2_FETCH_GRANULARITY] = 64,
    };
    memcpy(c->limits, defaults, sizeof defaults);
}

/* NULL: memory is short. */
static struct cpu_context *create(unsigned flags, bool is_primary)
{
    struct cpu_context *c = alloc_zero(1, sizeof *c);
    if (!c)
        return NULL;
    c->flags = flags;
    c->is_primary = is_primary;
    set_limits(c);
    cpu_stream_init(&c->legacy, c, CU_STREAM_DEFAULT);
    if (simt_space_create(&c->space) == 0) {
        if (cpu_hosts_map(c) && (c->handle = cpu_handle_create(CPU_CONTEXT, c))) {
            c->id = ++cpu.ids;
            c->next = cpu.contexts;
            cpu.contexts = c;
            return c;
        }
        simt_space_destroy(&c->space);
    }
    alloc_free(c);
    return NULL;
}

void cpu_context_free(struct cpu_context *c)
{
    if (c->destroyed && !c->waiting)
        alloc_free(c);
}

static void unlink_context(struct cpu_context *c)
{
    struct cpu_context **p = &cpu.contexts;
    while (*p != c)
        p = &(*p)->next;
    *p = c->next;
    if (cpu.primary == c)
        cpu.primary = NULL;
}

/* Nothing is pending. Threads that wait for it find out when they look. */
static void destroy(struct cpu_context *c)
{
    unlink_context(c);
    cpu_handle_destroy(c->handle);
    while (c->modules)
        cpu_module_destroy(c->modules);
    while (c->links)
        cpu_link_destroy(c->links);
    while (c->events)
        cpu_event_destroy(c->events);
    while (c->textures)
        cpu_texture_free(c->textures);
    while (c->mipmaps)
        cpu_mipmap_free(c->mipmaps);
    while (c->arrays)
        cpu_array_free(c->arrays);
    for (struct cpu_stream *s = c->streams, *next; s; s = next) {
        next = s->next;
        s->destroyed = true;
        cpu_stream_release(s);
    }
    cpu_hosts_free(c);
    cpu_memory_forget(c);
    simt_space_destroy(&c->space);
    c->destroyed = true;
    if (cpu.waiters)
        pthread_cond_broadcast(&cpu.done);
    cpu_context_free(c);
}

static bool all_idle(void)
{
    const struct cpu_context *c = cpu.contexts;
    while (c && !c->pending)
        c = c->next;
    return !c;
}

/* Waits for its work first, and for what others do in its memory; an interrupted wait stops the
 * work and ends as well. A primary context that is retained again meanwhile stays. */
static CUresult finish(struct cpu_context *c)
{
    CUcontext handle = c->handle;
    while (c && !c->retained && !cpu.stop) {
        if (!cpu_quiet(c)) {
            cpu_wait_quiet(c);
        } else if (cpu_hosts_any(c) && !all_idle()) {
            cpu_wait_all();
        } else {
            destroy(c);
            return CUDA_SUCCESS;
        }
        c = cpu_handle_get(CPU_CONTEXT, handle);
    }
    return c ? CUDA_SUCCESS : CUDA_ERROR_CONTEXT_IS_DESTROYED; /* by another thread */
}

/* ---- primary ---- */

CUresult cpu_cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device)
{
    CUresult code = cpu_enter();
    if (code)
        return code;
    if (!context)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    if ((code = cpu_check_device(device)))
        return cpu_leave(code);
    if (!cpu.primary)
        cpu.primary = create(CU_CTX_SCHED_AUTO, true);
    if (!cpu.primary)
        return cpu_leave(CUDA_ERROR_OUT_OF_MEMORY);
    cpu.primary->retained++;
    *context = cpu.primary->handle;
    return cpu_leave(CUDA_SUCCESS);
}

CUresult cpu_cuDevicePrimaryCtxRelease(CUdevice device)
{
    CUresult code = cpu_enter();
    if (code)
        return code;
    if ((code = cpu_check_device(device)))
        return cpu_leave(code);
    if (!cpu.primary || !cpu.primary->retained)
        return cpu_leave(CUDA_ERROR_INVALID_CONTEXT);
    if (--cpu.primary->retained == 0)
        finish(cpu.primary);
    return cpu_leave(CUDA_SUCCESS);
}

CUresult cpu_cuDevicePrimaryCtxGetState(CUdevice device, unsigned *flags, int *active)
{
    CUresult code = cpu_enter();
    if (code)
        return code;
    if ((code = cpu_check_device(device)))
        return cpu_leave(code);
    if (!flags || !active)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    *active = cpu.primary && cpu.primary->retained;
    *flags = cpu.primary ? cpu.primary->flags : 0;
    return cpu_leave(CUDA_SUCCESS);
}

/* ---- others ---- */

CUresult cpu_cuCtxCreate(CUcontext *context, unsigned flags, CUdevice device)
{
    CUresult code = cpu_enter();
    if (code)
        return code;
    unsigned scheduling = flags & CU_CTX_SCHED_MASK;
    if (!context || (flags & ~(unsigned) KNOWN_FLAGS) || (scheduling & (scheduling - 1)))
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    if ((code = cpu_check_device(device)))
        return cpu_leave(code);
    struct cpu_context *c = create(flags, false);
    if (!c)
        return cpu_leave(CUDA_ERROR_OUT_OF_MEMORY);
    if ((code = push(c->handle)))
        destroy(c);
    else
        *context = c->handle;
    return cpu_leave(code);
}

CUresult cpu_cuCtxDestroy(CUcontext context)
{
    CUresult code = cpu_enter();
    if (code)
        return code;
    struct cpu_context *c = cpu_handle_get(CPU_CONTEXT, context);
    if (!c || c->is_primary)
        return cpu_leave(context ? CUDA_ERROR_INVALID_CONTEXT : CUDA_ERROR_INVALID_VALUE);
    if (c->ending)
        return cpu_leave(CUDA_ERROR_CONTEXT_IS_DESTROYED);
    c->ending = true;
    if (top(cpu_thread()) == context)
        pop();
    return cpu_leave(finish(c));
}

CUresult cpu_cuCtxPushCurrent(CUcontext context)
{
    CUresult code = cpu_enter();
    if (code)
        return code;
    if (!cpu_handle_get(CPU_CONTEXT, context))
        return cpu_leave(CUDA_ERROR_INVALID_CONTEXT);
    return cpu_leave(push(context));
}

CUresult cpu_cuCtxPopCurrent(CUcontext *context)
{
    CUresult code = cpu_enter();
    if (code)
        return code;
    CUcontext was = top(cpu_thread());
    if (!was)
        return cpu_leave(CUDA_ERROR_INVALID_CONTEXT);
    pop();
    if (context)
        *context = was;
    return cpu_leave(CUDA_SUCCESS);
}

CUresult cpu_cuCtxSetCurrent(CUcontext context)
{
    CUresult code = cpu_enter();
    if (code)
        return code;
    if (context && !cpu_handle_get(CPU_CONTEXT, context))
        return cpu_leave(CUDA_ERROR_INVALID_CONTEXT);
    pop();
    return cpu_leave(context ? push(context) : CUDA_SUCCESS);
}

CUresult cpu_cuCtxGetCurrent(CUcontext *context)
{
    CUresult code = cpu_enter();
    if (code)
        return code;
    if (!context)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    *context = top(cpu_thread());
    return cpu_leave(CUDA_SUCCESS);
}

CUresult cpu_cuCtxGetDevice(CUdevice *device)
{
    struct cpu_context *c = NULL;
    CUresult code = enter_any(&c);
    if (code)
        return code;
    if (!device)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    *device = 0;
    return cpu_leave(CUDA_SUCCESS);
}

CUresult cpu_cuCtxGetFlags(unsigned *flags)
{
    struct cpu_context *c = NULL;
    CUresult code = enter_any(&c);
    if (code)
        return code;
    if (!flags)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    *flags = c->flags;
    return cpu_leave(CUDA_SUCCESS);
}

/* The context that is meant: NULL is the current one. */
static CUresult enter_meant(struct cpu_context **out, CUcontext context)
{
    if (!context)
        return enter_any(out);
    CUresult code = cpu_enter();
    if (code)
        return code;
    *out = cpu_handle_get(CPU_CONTEXT, context);
    return *out ? CUDA_SUCCESS : cpu_leave(CUDA_ERROR_INVALID_CONTEXT);
}

CUresult cpu_cuCtxGetId(CUcontext context, unsigned long long *id)
{
    struct cpu_context *c = NULL;
    CUresult code = enter_meant(&c, context);
    if (code)
        return code;
    if (!id)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    *id = c->id;
    return cpu_leave(CUDA_SUCCESS);
}

CUresult cpu_cuCtxGetApiVersion(CUcontext context, unsigned *version)
{
    struct cpu_context *c = NULL;
    CUresult code = enter_meant(&c, context);
    if (code)
        return code;
    if (!version)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    *version = 3020; /* of contexts since their second interface */
    return cpu_leave(CUDA_SUCCESS);
}

CUresult cpu_cuCtxSynchronize(void)
{
    struct cpu_context *c = NULL;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    struct cpu_capture *capture = cpu_capture_in(c, false);
    if (capture)
        return cpu_leave(cpu_capture_break(capture, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED));
    return cpu_leave(cpu_wait_prior(c));
}

/* ---- settings ---- */

CUresult cpu_cuCtxSetLimit(int limit, size_t value)
{
    struct cpu_context *c = NULL;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    if (limit < 0 || limit >= CPU_LIMITS)
        return cpu_leave(CUDA_ERROR_UNSUPPORTED_LIMIT);
    if (limit == CU_LIMIT_STACK_SIZE && value > (512 << 10))
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    c->limits[limit] = value;
    return cpu_leave(CUDA_SUCCESS);
}

CUresult cpu_cuCtxGetLimit(size_t *value, int limit)
{
    struct cpu_context *c = NULL;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    if (!value)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    if (limit < 0 || limit >= CPU_LIMITS)
        return cpu_leave(CUDA_ERROR_UNSUPPORTED_LIMIT);
    *value = c->limits[limit];
    return cpu_leave(CUDA_SUCCESS);
}

CUresult cpu_cuCtxGetCacheConfig(int *config)
{
    struct cpu_context *c = NULL;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    if (!config)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    *config = c->cache_config;
    return cpu_leave(CUDA_SUCCESS);
}

CUresult cpu_cuCtxSetCacheConfig(int config)
{
    struct cpu_context *c = NULL;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    if (config < 0 || config > 3)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    c->cache_config = config;
    return cpu_leave(CUDA_SUCCESS);
}

CUresult cpu_cuCtxGetStreamPriorityRange(int *least, int *greatest)
{
    struct cpu_context *c = NULL;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    if (least)
        *least = 0;
    if (greatest)
        *greatest = CPU_PRIORITY;
    return cpu_leave(CUDA_SUCCESS);
}

/* Its banks are four bytes wide, as those of every GPU since compute capability 5.0. */
CUresult cpu_cuCtxGetSharedMemConfig(int *config)
{
    struct cpu_context *c = NULL;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    if (!config)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    *config = CU_SHARED_MEM_CONFIG_FOUR_BYTE_BANK_SIZE;
    return cpu_leave(CUDA_SUCCESS);
}

CUresult cpu_cuCtxSetSharedMemConfig(int config)
{
    struct cpu_context *c = NULL;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    bool is_known = config >= 0 && config <= CU_SHARED_MEM_CONFIG_EIGHT_BYTE_BANK_SIZE;
    return cpu_leave(is_known ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE);
}

/* ---- peers: there is one device, and no device is its own peer ---- */

static CUresult enter_peer(CUcontext peer)
{
    struct cpu_context *c = NULL;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    return cpu_handle_get(CPU_CONTEXT, peer) ? CUDA_SUCCESS : cpu_leave(CUDA_ERROR_INVALID_CONTEXT);
}

CUresult cpu_cuCtxEnablePeerAccess(CUcontext peer, unsigned flags)
{
    CUresult code = flags ? CUDA_ERROR_INVALID_VALUE : enter_peer(peer);
    return code ? code : cpu_leave(CUDA_ERROR_PEER_ACCESS_UNSUPPORTED);
}

CUresult cpu_cuCtxDisablePeerAccess(CUcontext peer)
{
    CUresult code = enter_peer(peer);
    return code ? code : cpu_leave(CUDA_ERROR_PEER_ACCESS_NOT_ENABLED);
}
