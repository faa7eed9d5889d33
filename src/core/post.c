/* Small copies of plain memory to a GPU. The driver takes them over at once and need not be waited
 * for: what blocking streams do later comes after them. Other streams know nothing of them, so what
 * is about to go into one of those waits first. */
#include "core.h"

#include <pthread.h>

/* The driver copies as much into its own memory before it returns. */
enum { MOST_BYTES = 64 << 10 };

/* What was last found to be memory that the host cannot see: an allocation of this driver's, until
 * something is freed. */
static struct {
    pthread_mutex_t lock;
    const struct core_driver *driver;
    CUdeviceptr base;
    size_t bytes;
    unsigned long long frees; /* how many there had been */
} known = {.lock = PTHREAD_MUTEX_INITIALIZER};
static atomic_ullong frees;

void core_forget_addresses(void)
{
    atomic_fetch_add(&frees, 1);
}

static bool is_known(const struct core_copy *copy)
{
    pthread_mutex_lock(&known.lock);
    bool answer = known.driver == copy->driver && known.frees == atomic_load(&frees) &&
                  copy->device - known.base < known.bytes;
    pthread_mutex_unlock(&known.lock);
    return answer;
}

static void learn(const struct core_copy *copy, unsigned long long when)
{
    CUdeviceptr base;
    size_t bytes;
    if (copy->driver->cu.cuMemGetAddressRange(&base, &bytes, copy->device) != CUDA_SUCCESS)
        return;
    pthread_mutex_lock(&known.lock);
    known.driver = copy->driver;
    known.base = base;
    known.bytes = bytes;
    known.frees = when;
    pthread_mutex_unlock(&known.lock);
}

static bool is_device_only(const struct core_copy *copy)
{
    const struct drv_table *cu = &copy->driver->cu;
    unsigned long long when = atomic_load(&frees);
    unsigned type = 0;
    int is_managed = 1; /* of which the driver writes one byte */
    if (is_known(copy))
        return true;
    if (cu->cuPointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, copy->device) !=
            CUDA_SUCCESS ||
        type != CU_MEMORYTYPE_DEVICE ||
        cu->cuPointerGetAttribute(&is_managed, CU_POINTER_ATTRIBUTE_IS_MANAGED, copy->device) !=
            CUDA_SUCCESS ||
        (is_managed & 0xff))
        return false;
    learn(copy, when);
    return true;
}

/* Host memory that the driver knows nothing of, to memory that the host cannot see. */
static bool is_postable(const struct core_copy *copy)
{
    unsigned type;
    return copy->driver->cu.cuPointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE,
                                                  (uintptr_t) copy->host) != CUDA_SUCCESS &&
           is_device_only(copy);
}

bool core_post_copy(const struct core_copy *copy, CUcontext handle)
{
    struct core_driver *driver = copy->driver;
    if (driver->is_cpu || !copy->bytes || copy->bytes > MOST_BYTES || !is_postable(copy))
        return false;
    /* With work in blocking streams it would be on its way for as long as that takes; after others
     * of its kind alone it is not. */
    bool is_after_others = atomic_load(&driver->posted_in) == handle &&
                           atomic_load(&driver->posted) != atomic_load(&driver->settled) &&
                           core_is_watched(driver) && !atomic_load(&driver->is_busy);
    if ((!is_after_others && driver->cu.cuStreamQuery(NULL) != CUDA_SUCCESS) ||
        driver->cu.cuMemcpyHtoDAsync(copy->device, copy->host, copy->bytes, NULL) != CUDA_SUCCESS)
        return false;
    core_mark_posted(driver, handle);
    return true;
}

void core_mark_posted(struct core_driver *driver, CUcontext handle)
{
    atomic_store(&driver->posted_in, handle);
    atomic_fetch_add(&driver->posted, 1);
}

void core_settle_posted(struct core_driver *driver, CUstream stream)
{
    const struct drv_table *cu = &driver->cu;
    unsigned long long posted = atomic_load(&driver->posted), settled;
    int capturing = 0;
    CUcontext now;
    /* That context may be gone by now: nothing is done there. */
    if (cu->cuCtxGetCurrent(&now) != CUDA_SUCCESS || now != atomic_load(&driver->posted_in))
        return;
    /* Nothing happens yet in a stream that is being captured, and waiting would end the capture. */
    if (stream && cu->cuStreamIsCapturing(stream, &capturing) == CUDA_SUCCESS && capturing)
        return;
    cu->cuStreamSynchronize(NULL);
    settled = atomic_load(&driver->settled);
    while (settled < posted && !atomic_compare_exchange_weak(&driver->settled, &settled, posted))
        ;
}
