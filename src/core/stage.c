/* Large synchronous copies between plain host memory and a GPU, staged through page-locked buffers
 * by several threads: the driver's own copy of such memory uses one thread and reaches a fifth of
 * the bus. The threads live as long as the copy; buffers, streams and events as long as the
 * context. Whatever stands in the way leaves the copy to the driver. */
#include "core.h"

#include <pthread.h>
#include <string.h>

#include "base/alloc.h"
#include "base/workers.h"

/* Measured on H200s (PCIe 5, 16 cores): 8 threads that give one stream chunks of 2 MiB reach some
 * 46 GB/s in both directions, page-locked memory 55. With 6 threads it is 49 where the processor is
 * fast and 41 where it is not. Chunks of 1 MiB, which a shorter copy needs to occupy all threads,
 * are a little slower, and so are streams of each thread's own: the device loses some 9 us each
 * time it turns to another one. Below the least size starting threads costs more than it saves. */
enum {
    MOST_LANES = 8,
    LEAST_BYTES = 16 << 20,
    LONG_BYTES = 64 << 20,
    SHORT_CHUNK = 1 << 20,
    LONG_CHUNK = 2 << 20,
};

/* What one thread works with: two buffers, one being copied by the device while the thread copies
 * the other. */
struct lane {
    CUevent done[2];
    char *buffers; /* two of `chunk` bytes, page-locked */
    size_t chunk;
};

struct core_stage {
    pthread_mutex_t lock; /* one copy at a time: two would only share the bus */
    CUevent before;       /* recorded in the legacy default stream */
    CUstream stream;      /* of all lanes */
    unsigned most;        /* lanes worth trying: fewer once page-locked memory was refused */
    struct lane lanes[MOST_LANES];
};

/* One copy, shared by its threads. */
struct job {
    const struct core_copy *copy;
    struct core_stage *stage;
    size_t chunk;
    atomic_size_t next; /* offset of the next chunk nobody has taken */
    atomic_int code;    /* the first failure */
    pthread_mutex_t lock;
    pthread_cond_t all_done;
    unsigned finished; /* threads, guarded by the lock */
};

struct piece {
    size_t offset, bytes; /* bytes 0: none */
};

/* --- one thread's part --- */

static bool fail(struct job *job, CUresult code)
{
    int none = CUDA_SUCCESS;
    if (code != CUDA_SUCCESS)
        atomic_compare_exchange_strong(&job->code, &none, code);
    return code != CUDA_SUCCESS;
}

static bool take(struct job *job, struct piece *out)
{
    if (atomic_load(&job->code) != CUDA_SUCCESS)
        return false;
    out->offset = atomic_fetch_add(&job->next, job->chunk);
    if (out->offset >= job->copy->bytes)
        return false;
    out->bytes = MIN(job->chunk, job->copy->bytes - out->offset);
    return true;
}

/* Waits until the device is done with buffer `k`, and empties it. */
static bool settle(struct job *job, struct lane *lane, unsigned k, struct piece *pending)
{
    const struct core_copy *copy = job->copy;
    if (!pending->bytes)
        return true;
    if (fail(job, copy->driver->cu.cuEventSynchronize(lane->done[k])))
        return false;
    if (!copy->to_device)
        memcpy((char *) copy->host + pending->offset, lane->buffers + k * lane->chunk,
               pending->bytes);
    pending->bytes = 0;
    return true;
}

/* Starts the device's copy of one chunk through buffer `k`. */
static bool issue(struct job *job, struct lane *lane, unsigned k, const struct piece *piece)
{
    const struct core_copy *copy = job->copy;
    const struct drv_table *cu = &copy->driver->cu;
    char *buffer = lane->buffers + k * lane->chunk;
    CUdeviceptr device = copy->device + piece->offset;
    CUresult code;
    if (copy->to_device) {
        memcpy(buffer, (const char *) copy->host + piece->offset, piece->bytes);
        code = cu->cuMemcpyHtoDAsync(device, buffer, piece->bytes, job->stage->stream);
    } else {
        code = cu->cuMemcpyDtoHAsync(buffer, device, piece->bytes, job->stage->stream);
    }
    return !fail(job, code) && !fail(job, cu->cuEventRecord(lane->done[k], job->stage->stream));
}

/* Copies chunks until none is left or one has failed; the buffers are at rest afterwards. */
static void run_lane(struct job *job, struct lane *lane)
{
    struct piece pending[2] = {{0, 0}, {0, 0}}, piece;
    unsigned k = 0;
    bool is_well = true;
    for (; is_well && take(job, &piece); k ^= 1) {
        is_well = settle(job, lane, k, &pending[k]) && issue(job, lane, k, &piece);
        if (is_well)
            pending[k] = piece;
    }
    is_well = is_well && settle(job, lane, k, &pending[k]);
    is_well = is_well && settle(job, lane, k ^ 1, &pending[k ^ 1]);
    if (!is_well)
        job->copy->driver->cu.cuStreamSynchronize(job->stage->stream);
}

static void help(void *user, unsigned index)
{
    struct job *job = user;
    const struct drv_table *cu = &job->copy->driver->cu;
    CUcontext popped;
    CUresult code = cu->cuCtxPushCurrent(job->copy->context->handle);
    if (!fail(job, code)) {
        run_lane(job, &job->stage->lanes[index + 1]);
        cu->cuCtxPopCurrent(&popped);
    }
    pthread_mutex_lock(&job->lock);
    job->finished++;
    pthread_cond_signal(&job->all_done);
    pthread_mutex_unlock(&job->lock);
}

/* The copy, by this thread and others. */
static CUresult run(struct job *job, unsigned lanes)
{
    struct workers *helpers = NULL;
    unsigned count = workers_start(&helpers, lanes - 1, help, job);
    run_lane(job, &job->stage->lanes[0]);
    pthread_mutex_lock(&job->lock);
    while (job->finished < count)
        pthread_cond_wait(&job->all_done, &job->lock);
    pthread_mutex_unlock(&job->lock);
    workers_join(&helpers);
    return atomic_load(&job->code);
}

/* --- what a context keeps --- */

static void fini_lane(const struct drv_table *cu, struct lane *lane)
{
    for (int k = 0; k < 2; k++)
        if (lane->done[k])
            cu->cuEventDestroy(lane->done[k]);
    if (lane->buffers)
        cu->cuMemFreeHost(lane->buffers);
    memset(lane, 0, sizeof *lane);
}

/* Has the stage its event and its stream? Buffers that are no longer page-locked went with a
 * context that somebody reset: the rest is forgotten, too. */
static bool init_stage(const struct drv_table *cu, struct core_stage *stage)
{
    unsigned flags;
    char *buffers = stage->lanes[0].buffers;
    if (buffers && cu->cuMemHostGetFlags(&flags, buffers) != CUDA_SUCCESS) {
        memset(stage->lanes, 0, sizeof stage->lanes);
        stage->before = NULL;
        stage->stream = NULL;
    }
    return (stage->before ||
            cu->cuEventCreate(&stage->before, CU_EVENT_DISABLE_TIMING) == CUDA_SUCCESS) &&
           (stage->stream ||
            cu->cuStreamCreate(&stage->stream, CU_STREAM_NON_BLOCKING) == CUDA_SUCCESS);
}

/* Has the lane what chunks of this size take? */
static bool init_lane(const struct drv_table *cu, struct lane *lane, size_t chunk)
{
    void *buffers = NULL;
    if (lane->chunk >= chunk)
        return true;
    fini_lane(cu, lane);
    if (cu->cuMemHostAlloc(&buffers, 2 * chunk, 0) != CUDA_SUCCESS)
        return false;
    lane->buffers = buffers;
    lane->chunk = chunk;
    if (cu->cuEventCreate(&lane->done[0], CU_EVENT_DISABLE_TIMING) == CUDA_SUCCESS &&
        cu->cuEventCreate(&lane->done[1], CU_EVENT_DISABLE_TIMING) == CUDA_SUCCESS)
        return true;
    fini_lane(cu, lane);
    return false;
}

static struct core_stage *stage_of(runcu_context *context)
{
    core_lock();
    if (!context->stage && (context->stage = alloc_zero(1, sizeof *context->stage))) {
        pthread_mutex_init(&context->stage->lock, NULL);
        context->stage->most = MOST_LANES;
    }
    core_unlock();
    return context->stage;
}

void core_stage_end(runcu_context *context)
{
    struct core_stage *stage = context->stage;
    const struct drv_table *cu = &context->driver->cu;
    CUcontext popped;
    /* In a forked child the lock may belong to a thread that is not there. */
    if (!stage || cu->cuCtxPushCurrent(context->handle) != CUDA_SUCCESS)
        return;
    pthread_mutex_lock(&stage->lock);
    for (int i = 0; i < MOST_LANES; i++)
        fini_lane(cu, &stage->lanes[i]);
    if (stage->before)
        cu->cuEventDestroy(stage->before);
    if (stage->stream)
        cu->cuStreamDestroy(stage->stream);
    stage->before = NULL;
    stage->stream = NULL;
    stage->most = 0;
    pthread_mutex_unlock(&stage->lock);
    cu->cuCtxPopCurrent(&popped);
}

void core_stage_free(runcu_context *context)
{
    alloc_free(context->stage);
    context->stage = NULL;
}

/* --- whether, and how --- */

/* Plain memory is what the driver knows nothing of. */
static bool is_plain(const struct core_copy *copy)
{
    unsigned type;
    return copy->driver->cu.cuPointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE,
                                                  (uintptr_t) copy->host) != CUDA_SUCCESS;
}

/* A copy that leaves its allocation must write nothing: the driver sees to that. */
static bool is_inside(const struct core_copy *copy)
{
    CUdeviceptr base = 0;
    size_t size = 0;
    return copy->driver->cu.cuMemGetAddressRange(&base, &size, copy->device) == CUDA_SUCCESS &&
           copy->bytes <= size - (size_t) (copy->device - base);
}

/* Waits for all earlier work of blocking streams, as the driver's copy would. A failure is left to
 * the driver's copy, which meets it too and names it. */
static bool wait_for_earlier(const struct drv_table *cu, struct core_stage *stage)
{
    return cu->cuEventRecord(stage->before, CU_STREAM_LEGACY) == CUDA_SUCCESS &&
           cu->cuEventSynchronize(stage->before) == CUDA_SUCCESS;
}

/* With the stage's lock held: how many lanes are ready for the copy. */
static unsigned ready_lanes(const struct core_copy *copy, struct core_stage *stage, size_t chunk)
{
    size_t chunks = (copy->bytes + chunk - 1) / chunk;
    unsigned wanted = MIN(workers_default_count(), stage->most), n = 0;
    if (wanted > chunks / 2)
        wanted = (unsigned) (chunks / 2);
    if (wanted < 2 || !init_stage(&copy->driver->cu, stage))
        return 0;
    while (n < wanted && init_lane(&copy->driver->cu, &stage->lanes[n], chunk))
        n++;
    if (n < wanted)
        stage->most = n;
    return n;
}

static bool copy_locked(int *status, const struct core_copy *copy, struct core_stage *stage)
{
    struct job job = {.copy = copy, .stage = stage};
    job.chunk = copy->bytes >= LONG_BYTES ? LONG_CHUNK : SHORT_CHUNK;
    unsigned lanes = ready_lanes(copy, stage, job.chunk);
    if (lanes < 2 || !wait_for_earlier(&copy->driver->cu, stage))
        return false;
    pthread_mutex_init(&job.lock, NULL);
    pthread_cond_init(&job.all_done, NULL);
    CUresult code = run(&job, lanes);
    pthread_cond_destroy(&job.all_done);
    pthread_mutex_destroy(&job.lock);
    *status = core_check(copy->driver, copy->to_device ? "cuMemcpyHtoD" : "cuMemcpyDtoH", code);
    return true;
}

bool core_stage_is_large(const struct core_copy *copy)
{
    return !copy->driver->is_cpu && copy->bytes >= LEAST_BYTES;
}

bool core_stage_copy(int *status, struct core_copy *copy, CUcontext handle)
{
    if (!core_stage_is_large(copy) || !is_plain(copy) || !is_inside(copy) ||
        core_context_find(&copy->context, copy->driver, handle) != 0)
        return false;
    bool is_done = false;
    struct core_stage *stage = stage_of(copy->context);
    if (stage) {
        pthread_mutex_lock(&stage->lock);
        is_done = copy_locked(status, copy, stage);
        pthread_mutex_unlock(&stage->lock);
    }
    runcu_context_release(&copy->context);
    return is_done;
}
