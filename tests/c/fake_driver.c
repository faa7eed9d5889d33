/* See fake_driver.h. Environment: FAKE_VERSION (13000), FAKE_DEVICES (2), FAKE_CUINIT (what cuInit
 * answers, 0). */
#include "fake_driver.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "driver/driver.h"

/* --- rows --- */

enum row {
#define CU(need, name, symbol, params, args) ROW_##name,
#include "driver/cuda.def"
#undef CU
    ROWS
};

static const char *const row_names[] = {
#define CU(need, name, symbol, params, args) #name,
#include "driver/cuda.def"
#undef CU
};

static struct {
    int calls, fail_in;
    CUresult code;
} rows[ROWS];

static struct fake_state state;
static _Thread_local CUresult last_answer;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

fake_fail_fn fake_fail;
fake_calls_fn fake_calls;
fake_state_fn fake_state;

static int find_row(const char *name)
{
    for (int i = 0; i < ROWS; i++)
        if (strcmp(row_names[i], name) == 0)
            return i;
    fprintf(stderr, "fake driver: no routine %s\n", name);
    abort();
}

void fake_fail(const char *routine, CUresult code, int call)
{
    int row = find_row(routine);
    rows[row].fail_in = code ? call : 0;
    rows[row].code = code;
}

int fake_calls(const char *routine)
{
    return rows[find_row(routine)].calls;
}

struct fake_state *fake_state(void)
{
    return &state;
}

/* Counts a call; its answer if it was told to fail, else 0. */
static CUresult enter(enum row row)
{
    pthread_mutex_lock(&lock);
    rows[row].calls++;
    CUresult code = 0;
    if (rows[row].fail_in > 1)
        rows[row].fail_in--;
    else if (rows[row].fail_in == 1)
        code = rows[row].code;
    if (strcmp(row_names[row], "runcuFaultText") != 0)
        last_answer = code;
    pthread_mutex_unlock(&lock);
    return code;
}

/* --- devices --- */

static int setting(const char *name, int otherwise)
{
    const char *text = getenv(name);
    return text ? atoi(text) : otherwise;
}

static CUresult do_init(unsigned flags)
{
    (void) flags;
    return setting("FAKE_CUINIT", 0);
}

static CUresult do_version(int *version)
{
    *version = setting("FAKE_VERSION", 13000);
    return 0;
}

static CUresult do_error_string(CUresult code, const char **text)
{
    *text = code == 12345 ? "a code of the future" : NULL;
    return code == 12345 ? 0 : CUDA_ERROR_INVALID_VALUE;
}

static CUresult do_error_name(CUresult code, const char **name)
{
    *name = code == 12345 ? "CUDA_ERROR_FUTURE" : NULL;
    return code == 12345 ? 0 : CUDA_ERROR_INVALID_VALUE;
}

static CUresult do_device_count(int *count)
{
    *count = setting("FAKE_DEVICES", 2);
    return 0;
}

static CUresult do_device_get(CUdevice *device, int ordinal)
{
    *device = ordinal;
    return 0;
}

static CUresult do_device_name(char *name, int len, CUdevice device)
{
    snprintf(name, (size_t) len, "Fake %d", device);
    return 0;
}

static CUresult do_pci_id(char *id, int len, CUdevice device)
{
    snprintf(id, (size_t) len, "0000:%02x:00.0", device + 1);
    return 0;
}

static CUresult do_by_pci_id(CUdevice *device, const char *id)
{
    unsigned bus;
    if (sscanf(id, "0000:%x:00.0", &bus) != 1 || bus < 1 || bus > 2)
        return CUDA_ERROR_INVALID_DEVICE;
    *device = (int) bus - 1;
    return 0;
}

static CUresult do_total_memory(size_t *bytes, CUdevice device)
{
    (void) device;
    *bytes = (size_t) 1 << 30;
    return 0;
}

static CUresult do_attribute(int *value, int attribute, CUdevice device)
{
    (void) device;
    switch (attribute) {
    case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK:
    case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X:
    case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y:
        *value = 1024;
        return 0;
    case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z:
        *value = 64;
        return 0;
    case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X:
        *value = INT32_MAX;
        return 0;
    case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y:
    case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z:
        *value = 65535;
        return 0;
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN:
        *value = 227 << 10;
        return 0;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR:
        *value = 9;
        return 0;
    default:
        *value = 0;
        return attribute > 0 && attribute < 200 ? 0 : CUDA_ERROR_INVALID_VALUE;
    }
}

/* --- contexts --- */

/* An image is text, a kernel its name in it. */
struct CUmod_st {
    CUcontext context;
    char *image;
    CUmodule next;
};

static CUmodule modules;

/* One module, or all of a context. */
static void unload(CUmodule module, CUcontext context)
{
    for (CUmodule *at = &modules; *at;) {
        CUmodule m = *at;
        if (m != module && (!context || m->context != context)) {
            at = &m->next;
            continue;
        }
        *at = m->next;
        free(m->image);
        free(m);
        state.live_modules--;
    }
}

struct CUctx_st {
    CUdevice device;
    bool is_alive;
    unsigned long long id;
};

enum { MOST_CONTEXTS = 64, DEPTH = 32 };

static struct CUctx_st contexts[MOST_CONTEXTS]; /* the first two: primary ones */
static int context_count = 2, primary_refs[2];
static unsigned long long next_id = 100;

static _Thread_local CUcontext stack[DEPTH];
static _Thread_local int depth;

static CUcontext current(void)
{
    return depth ? stack[depth - 1] : NULL;
}

static bool is_usable(void)
{
    return current() && current()->is_alive;
}

static CUresult do_primary_retain(CUcontext *context, CUdevice device)
{
    *context = &contexts[device];
    if (primary_refs[device]++ == 0) {
        **context = (struct CUctx_st){device, true, next_id++};
        state.live_contexts++;
    }
    return 0;
}

static CUresult do_primary_release(CUdevice device)
{
    if (primary_refs[device] == 0)
        return CUDA_ERROR_INVALID_CONTEXT;
    if (--primary_refs[device] == 0) {
        contexts[device].is_alive = false;
        state.live_contexts--;
    }
    return 0;
}

static CUresult do_primary_state(CUdevice device, unsigned *flags, int *active)
{
    *flags = 0;
    *active = primary_refs[device] > 0;
    return 0;
}

static CUresult do_context_create(CUcontext *context, unsigned flags, CUdevice device)
{
    (void) flags;
    if (context_count == MOST_CONTEXTS || depth == DEPTH)
        return CUDA_ERROR_OUT_OF_MEMORY;
    *context = &contexts[context_count++];
    **context = (struct CUctx_st){device, true, next_id++};
    stack[depth++] = *context;
    state.live_contexts++;
    return 0;
}

static CUresult do_context_destroy(CUcontext context)
{
    if (!context->is_alive)
        return CUDA_ERROR_INVALID_CONTEXT;
    context->is_alive = false;
    state.live_contexts--;
    unload(NULL, context);
    if (current() == context)
        depth--;
    return 0;
}

static CUresult do_push(CUcontext context)
{
    state.context_switches++;
    if (!context || !context->is_alive)
        return CUDA_ERROR_INVALID_CONTEXT;
    if (depth == DEPTH)
        return CUDA_ERROR_OUT_OF_MEMORY;
    stack[depth++] = context;
    return 0;
}

static CUresult do_pop(CUcontext *context)
{
    state.context_switches++;
    if (!depth)
        return CUDA_ERROR_INVALID_CONTEXT;
    *context = stack[--depth];
    return 0;
}

static CUresult do_set_current(CUcontext context)
{
    state.context_switches++;
    depth -= depth > 0;
    if (context)
        stack[depth++] = context;
    return 0;
}

static CUresult do_get_current(CUcontext *context)
{
    *context = current();
    return 0;
}

static CUresult do_context_device(CUdevice *device)
{
    if (!is_usable())
        return current() ? CUDA_ERROR_CONTEXT_IS_DESTROYED : CUDA_ERROR_INVALID_CONTEXT;
    *device = current()->device;
    return 0;
}

static CUresult do_context_id(CUcontext context, unsigned long long *id)
{
    *id = context->id;
    return context->is_alive ? 0 : CUDA_ERROR_CONTEXT_IS_DESTROYED;
}

static void flush(void)
{
    if (state.on_flush)
        state.on_flush();
}

static CUresult do_synchronize(void)
{
    flush();
    state.synchronisations++;
    if (!is_usable())
        return CUDA_ERROR_INVALID_CONTEXT;
    return state.cancels ? CUDA_ERROR_LAUNCH_TIMEOUT : 0;
}

/* --- memory --- */

struct block {
    struct block *next;
    size_t bytes;
    bool is_host;
    _Alignas(16) char at[];
};

static struct block *all_blocks;

static CUresult do_alloc(CUdeviceptr *address, size_t bytes)
{
    if (!is_usable())
        return CUDA_ERROR_INVALID_CONTEXT;
    if (!bytes)
        return CUDA_ERROR_INVALID_VALUE;
    struct block *b = bytes > (size_t) 1 << 30 ? NULL : malloc(sizeof *b + bytes);
    if (!b)
        return CUDA_ERROR_OUT_OF_MEMORY;
    memset(b->at, 0xcd, bytes);
    pthread_mutex_lock(&lock);
    b->bytes = bytes;
    b->is_host = false;
    b->next = all_blocks;
    all_blocks = b;
    state.live_memory++;
    pthread_mutex_unlock(&lock);
    *address = (uintptr_t) b->at;
    return 0;
}

static CUresult do_free(CUdeviceptr address)
{
    CUresult code = CUDA_ERROR_INVALID_VALUE;
    pthread_mutex_lock(&lock);
    for (struct block **at = &all_blocks; *at && code; at = &(*at)->next)
        if ((uintptr_t) (*at)->at == address) {
            struct block *b = *at;
            *at = b->next;
            free(b);
            state.live_memory--;
            code = 0;
            break;
        }
    pthread_mutex_unlock(&lock);
    return code;
}

static struct block *find_block(CUdeviceptr address)
{
    pthread_mutex_lock(&lock);
    struct block *b = all_blocks;
    while (b && !(address >= (uintptr_t) b->at && address < (uintptr_t) b->at + b->bytes))
        b = b->next;
    pthread_mutex_unlock(&lock);
    return b;
}

static CUresult do_range(CUdeviceptr *base, size_t *bytes, CUdeviceptr address)
{
    struct block *b = find_block(address);
    if (!b)
        return CUDA_ERROR_NOT_FOUND;
    *base = (uintptr_t) b->at;
    *bytes = b->bytes;
    return 0;
}

static CUresult do_pointer_attribute(void *value, int attribute, CUdeviceptr address)
{
    struct block *b = find_block(address);
    if (b && attribute == CU_POINTER_ATTRIBUTE_IS_MANAGED) {
        *(unsigned char *) value = 0;
        return 0;
    }
    if (!b || attribute != CU_POINTER_ATTRIBUTE_MEMORY_TYPE)
        return CUDA_ERROR_INVALID_VALUE;
    unsigned type = b->is_host ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE;
    memcpy(value, &type, sizeof type);
    return 0;
}

static CUresult do_host_flags(unsigned *flags, void *host)
{
    *flags = 0;
    return find_block((uintptr_t) host) ? 0 : CUDA_ERROR_INVALID_VALUE;
}

static bool is_inside(CUdeviceptr address, size_t bytes)
{
    CUdeviceptr base;
    size_t size;
    return do_range(&base, &size, address) == 0 && bytes <= size - (size_t) (address - base);
}

static CUresult do_host_alloc(void **host, size_t bytes, unsigned flags)
{
    (void) flags;
    CUdeviceptr address;
    CUresult code = do_alloc(&address, bytes);
    if (code)
        return code;
    find_block(address)->is_host = true;
    *host = (void *) (uintptr_t) address;
    return 0;
}

static CUresult do_host_free(void *host)
{
    return do_free((uintptr_t) host);
}

static CUresult do_host_address(CUdeviceptr *address, void *host, unsigned flags)
{
    (void) flags;
    *address = (uintptr_t) host;
    return 0;
}

static CUresult do_info(size_t *free_bytes, size_t *total)
{
    *free_bytes = 1000;
    *total = 2000;
    return is_usable() ? 0 : CUDA_ERROR_INVALID_CONTEXT;
}

static CUresult do_htod(CUdeviceptr to, const void *from, size_t bytes)
{
    if (!is_inside(to, bytes))
        return CUDA_ERROR_INVALID_VALUE;
    memcpy((void *) (uintptr_t) to, from, bytes);
    return 0;
}

static CUresult do_dtoh(void *to, CUdeviceptr from, size_t bytes)
{
    if (!is_inside(from, bytes))
        return CUDA_ERROR_INVALID_VALUE;
    memcpy(to, (const void *) (uintptr_t) from, bytes);
    return 0;
}

static CUresult do_dtod(CUdeviceptr to, CUdeviceptr from, size_t bytes)
{
    return is_inside(from, bytes) ? do_htod(to, (const void *) (uintptr_t) from, bytes)
                                  : CUDA_ERROR_INVALID_VALUE;
}

static CUresult do_htod_async(CUdeviceptr to, const void *from, size_t bytes, CUstream stream)
{
    (void) stream;
    return do_htod(to, from, bytes);
}

static CUresult do_dtoh_async(void *to, CUdeviceptr from, size_t bytes, CUstream stream)
{
    (void) stream;
    return do_dtoh(to, from, bytes);
}

static CUresult do_dtod_async(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream)
{
    (void) stream;
    return do_dtod(to, from, bytes);
}

static CUresult do_fill8(CUdeviceptr to, unsigned char value, size_t count)
{
    if (!is_inside(to, count))
        return CUDA_ERROR_INVALID_VALUE;
    memset((void *) (uintptr_t) to, value, count);
    return 0;
}

static CUresult do_fill8_async(CUdeviceptr to, unsigned char value, size_t count, CUstream stream)
{
    (void) stream;
    return do_fill8(to, value, count);
}

static CUresult do_fill32(CUdeviceptr to, unsigned value, size_t count)
{
    if (!is_inside(to, 4 * count))
        return CUDA_ERROR_INVALID_VALUE;
    for (size_t i = 0; i < count; i++)
        memcpy((char *) (uintptr_t) to + 4 * i, &value, 4);
    return 0;
}

static CUresult do_fill2d16(CUdeviceptr to, size_t pitch, unsigned short value, size_t width,
                            size_t height)
{
    for (size_t y = 0; y < height; y++)
        for (size_t x = 0; x < width; x++)
            memcpy((char *) (uintptr_t) to + y * pitch + 2 * x, &value, 2);
    return 0;
}

/* --- modules --- */

struct CUfunc_st {
    CUcontext context;
    char name[256];
};

enum { MOST_FUNCTIONS = 256 };

static struct CUfunc_st functions[MOST_FUNCTIONS];
static int function_count;

static CUresult do_load(CUmodule *module, const void *image)
{
    if (!is_usable())
        return CUDA_ERROR_INVALID_CONTEXT;
    *module = malloc(sizeof **module);
    if (!*module)
        return CUDA_ERROR_OUT_OF_MEMORY;
    (*module)->context = current();
    (*module)->image = memcmp(image, "\177ELF", 4) == 0 ? NULL : strdup(image);
    (*module)->next = modules;
    modules = *module;
    state.live_modules++;
    return 0;
}

static CUresult do_load_ex(CUmodule *module, const void *image, unsigned count, int *options,
                           void **values)
{
    for (unsigned i = 0; state.jit_log && i < count; i++)
        if (options[i] == CU_JIT_ERROR_LOG_BUFFER)
            strcpy(values[i], state.jit_log);
    return state.load_answer ? state.load_answer : do_load(module, image);
}

static CUresult do_unload(CUmodule module)
{
    unload(module, NULL);
    return 0;
}

static CUresult do_get_function(CUfunction *function, CUmodule module, const char *name)
{
    if (function_count == MOST_FUNCTIONS || strlen(name) >= sizeof functions->name)
        return CUDA_ERROR_OUT_OF_MEMORY;
    if (module->image && !strstr(module->image, name))
        return CUDA_ERROR_NOT_FOUND;
    *function = &functions[function_count++];
    (*function)->context = module->context;
    strcpy((*function)->name, name);
    return 0;
}

static CUresult do_get_global(CUdeviceptr *address, size_t *bytes, CUmodule module,
                              const char *name)
{
    if (module->image && !strstr(module->image, name))
        return CUDA_ERROR_NOT_FOUND;
    *address = 0x1000;
    *bytes = 12;
    return 0;
}

static CUresult do_function_attribute(int *value, int attribute, CUfunction function)
{
    bool is_limited = strstr(function->name, "limited") != NULL;
    *value = attribute == CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK ? is_limited ? 256 : 1024
             : attribute == CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
                 ? (int) MAX(state.dynamic_shared, 48 << 10)
             : attribute == CU_FUNC_ATTRIBUTE_NUM_REGS ? 40
                                                       : 0;
    return 0;
}

static CUresult do_set_function_attribute(CUfunction function, int attribute, int value)
{
    (void) function;
    if (attribute != CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES || value > 227 << 10)
        return CUDA_ERROR_INVALID_VALUE;
    state.dynamic_shared = (size_t) value;
    return 0;
}

static CUresult do_param_info(CUfunction function, size_t index, size_t *offset, size_t *size)
{
    (void) function;
    if (!state.knows_params)
        return CUDA_ERROR_NOT_SUPPORTED;
    if (index >= ARRAY_LEN(state.param_sizes) || !state.param_sizes[index])
        return CUDA_ERROR_INVALID_VALUE;
    *offset = state.param_offsets[index];
    *size = state.param_sizes[index];
    return 0;
}

static CUresult do_occupancy(int *count, CUfunction function, int block_size, size_t shared)
{
    (void) function, (void) shared;
    *count = 2048 / block_size;
    return 0;
}

static _Thread_local const CUlaunchConfig *launched_with; /* of the launch that goes on */

static CUresult do_launch(CUfunction function, unsigned gx, unsigned gy, unsigned gz, unsigned bx,
                          unsigned by, unsigned bz, unsigned shared, CUstream stream, void **params,
                          void **extra)
{
    struct fake_launch l = {.kernel = function->name,
                            .grid = {gx, gy, gz},
                            .block = {bx, by, bz},
                            .shared = shared,
                            .stream = stream,
                            .params = params,
                            .config = launched_with};
    int limit;
    flush();
    do_function_attribute(&limit, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, function);
    if (!is_usable())
        return CUDA_ERROR_INVALID_CONTEXT;
    if (current() != function->context)
        return CUDA_ERROR_INVALID_HANDLE;
    if (gy > 65535 || gz > 65535 || bx > 1024 || by > 1024 || bz > 64 || bx * by * bz > 1024 ||
        shared > MAX(state.dynamic_shared, 48 << 10))
        return CUDA_ERROR_INVALID_VALUE;
    if (bx * by * bz > (unsigned) limit)
        return CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES;
    for (; extra && *extra != CU_LAUNCH_PARAM_END; extra += 2) {
        if (*extra == CU_LAUNCH_PARAM_BUFFER_POINTER)
            l.buffer = extra[1];
        else
            l.bytes = *(size_t *) extra[1];
    }
    state.launches++;
    if (state.on_launch)
        state.on_launch(&l);
    return 0;
}

/* Clusters are refused, and cooperative grids of more than two blocks. */
static CUresult do_launch_ex(const CUlaunchConfig *c, CUfunction function, void **params,
                             void **extra)
{
    for (unsigned i = 0; i < c->numAttrs; i++) {
        const CUlaunchAttribute *a = &c->attrs[i];
        if (a->id == CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION && a->value.clusterDim.x > 1)
            return CUDA_ERROR_NOT_SUPPORTED;
        if (a->id == CU_LAUNCH_ATTRIBUTE_COOPERATIVE && c->gridDimX > 2)
            return CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE;
    }
    launched_with = c;
    CUresult code =
        do_launch(function, c->gridDimX, c->gridDimY, c->gridDimZ, c->blockDimX, c->blockDimY,
                  c->blockDimZ, c->sharedMemBytes, c->hStream, params, extra);
    launched_with = NULL;
    return code;
}

static CUresult do_potential(int *grid, int *block, CUfunction function,
                             CUoccupancyB2DSize shared_of, size_t shared, int limit)
{
    (void) function;
    *block = limit ? limit : 1024;
    while (*block > 1 && (shared_of ? shared_of(*block) : shared) > 4096)
        *block /= 2;
    *grid = 2048 / *block;
    return 0;
}

/* --- streams, events --- */

static CUresult do_stream_create(CUstream *stream, unsigned flags)
{
    (void) flags;
    static uintptr_t last = 0x10000;
    *stream = (CUstream) (last += 16);
    state.live_streams++;
    return 0;
}

static CUresult do_stream_create_with(CUstream *stream, unsigned flags, int priority)
{
    (void) priority;
    return do_stream_create(stream, flags);
}

static CUresult do_stream_destroy(CUstream stream)
{
    (void) stream;
    state.live_streams--;
    return 0;
}

static CUresult do_stream_synchronize(CUstream stream)
{
    (void) stream;
    flush();
    return state.cancels ? CUDA_ERROR_LAUNCH_TIMEOUT : 0;
}

static CUresult do_host_call(CUstream stream, CUhostFn function, void *user)
{
    (void) stream;
    function(user);
    return 0;
}

static CUresult do_event_create(CUevent *event, unsigned flags)
{
    (void) flags;
    static uintptr_t last = 0x20000;
    *event = (CUevent) (last += 16);
    state.live_events++;
    return 0;
}

static CUresult do_event_destroy(CUevent event)
{
    (void) event;
    state.live_events--;
    return 0;
}

static CUresult do_elapsed(float *milliseconds, CUevent start, CUevent end)
{
    (void) start, (void) end;
    *milliseconds = 1.5f;
    return 0;
}

#ifdef FAKE_IS_CPU
static CUresult do_fault_text(const char **text)
{
    *text = last_answer == CUDA_ERROR_ILLEGAL_ADDRESS
                ? "thread (1, 0, 0) of block (0, 0, 0) read past an allocation"
                : "";
    return 0;
}

static CUresult do_set_print(drv_print_fn *print, void *user)
{
    if (print)
        print(user, "hello", 5);
    return 0;
}

static CUresult do_set_interrupt(drv_interrupt_fn *interrupt, void *user)
{
    return interrupt && interrupt(user) ? CUDA_ERROR_UNKNOWN : 0;
}
#endif

/* --- the table: rows that are not here succeed and do nothing --- */

static const struct drv_table table = {
    .cuInit = do_init,
    .cuDriverGetVersion = do_version,
    .cuGetErrorString = do_error_string,
    .cuGetErrorName = do_error_name,
    .cuDeviceGetCount = do_device_count,
    .cuDeviceGet = do_device_get,
    .cuDeviceGetName = do_device_name,
    .cuDeviceGetPCIBusId = do_pci_id,
    .cuDeviceGetByPCIBusId = do_by_pci_id,
    .cuDeviceTotalMem = do_total_memory,
    .cuDeviceGetAttribute = do_attribute,
    .cuDevicePrimaryCtxRetain = do_primary_retain,
    .cuDevicePrimaryCtxRelease = do_primary_release,
    .cuDevicePrimaryCtxGetState = do_primary_state,
    .cuCtxCreate = do_context_create,
    .cuCtxDestroy = do_context_destroy,
    .cuCtxPushCurrent = do_push,
    .cuCtxPopCurrent = do_pop,
    .cuCtxSetCurrent = do_set_current,
    .cuCtxGetCurrent = do_get_current,
    .cuCtxGetDevice = do_context_device,
    .cuCtxGetId = do_context_id,
    .cuCtxSynchronize = do_synchronize,
    .cuMemAlloc = do_alloc,
    .cuMemFree = do_free,
    .cuMemGetAddressRange = do_range,
    .cuMemHostAlloc = do_host_alloc,
    .cuMemFreeHost = do_host_free,
    .cuMemHostGetDevicePointer = do_host_address,
    .cuMemHostGetFlags = do_host_flags,
    .cuPointerGetAttribute = do_pointer_attribute,
    .cuMemGetInfo = do_info,
    .cuMemcpyHtoD = do_htod,
    .cuMemcpyDtoH = do_dtoh,
    .cuMemcpyDtoD = do_dtod,
    .cuMemcpyHtoDAsync = do_htod_async,
    .cuMemcpyDtoHAsync = do_dtoh_async,
    .cuMemcpyDtoDAsync = do_dtod_async,
    .cuMemsetD8 = do_fill8,
    .cuMemsetD8Async = do_fill8_async,
    .cuMemsetD32 = do_fill32,
    .cuMemsetD2D16 = do_fill2d16,
    .cuModuleLoadData = do_load,
    .cuModuleLoadDataEx = do_load_ex,
    .cuModuleUnload = do_unload,
    .cuModuleGetFunction = do_get_function,
    .cuModuleGetGlobal = do_get_global,
    .cuFuncGetAttribute = do_function_attribute,
    .cuFuncSetAttribute = do_set_function_attribute,
    .cuFuncGetParamInfo = do_param_info,
    .cuOccupancyMaxActiveBlocksPerMultiprocessor = do_occupancy,
    .cuOccupancyMaxPotentialBlockSize = do_potential,
    .cuLaunchKernel = do_launch,
    .cuLaunchKernelEx = do_launch_ex,
    .cuLaunchHostFunc = do_host_call,
    .cuStreamCreate = do_stream_create,
    .cuStreamCreateWithPriority = do_stream_create_with,
    .cuStreamDestroy = do_stream_destroy,
    .cuStreamSynchronize = do_stream_synchronize,
    .cuEventCreate = do_event_create,
    .cuEventDestroy = do_event_destroy,
    .cuEventElapsedTime = do_elapsed,
#ifdef FAKE_IS_CPU
    .runcuFaultText = do_fault_text,
    .runcuSetPrint = do_set_print,
    .runcuSetInterrupt = do_set_interrupt,
#endif
};

#define ROW(name, symbol, params, args)                                         \
    CUresult symbol params;                                                     \
    CUresult symbol params                                                      \
    {                                                                           \
        CUresult answer_ = enter(ROW_##name);                                   \
        return answer_ ? answer_ : table.name ? table.name args : CUDA_SUCCESS; \
    }
#define ROW_REQ(name, symbol, params, args) ROW(name, symbol, params, args)
#define ROW_OPT(name, symbol, params, args) ROW(name, symbol, params, args)
#ifdef FAKE_IS_CPU
#define ROW_OWN(name, symbol, params, args) ROW(name, symbol, params, args)
#else
#define ROW_OWN(name, symbol, params, args)
#endif

#define CU(need, name, symbol, params, args) ROW_##need(name, symbol, params, args)
#include "driver/cuda.def"
