/* Conformance: initialisation, the device, contexts. */
#include <pthread.h>

#include "device.h"

void calls_before_init_fail(void)
{
    int n;
    CUcontext c;
    CUdeviceptr p;
    FAILS(cu.cuDeviceGetCount(&n), CUDA_ERROR_NOT_INITIALIZED);
    FAILS(cu.cuCtxGetCurrent(&c), CUDA_ERROR_NOT_INITIALIZED);
    FAILS(cu.cuMemAlloc(&p, 4), CUDA_ERROR_NOT_INITIALIZED);
    FAILS(cu.cuCtxSynchronize(), CUDA_ERROR_NOT_INITIALIZED);
    FAILS(cu.cuInit(1), CUDA_ERROR_INVALID_VALUE);
    OK(cu.cuInit(0));
    OK(cu.cuInit(0));
    OK(cu.cuDeviceGetCount(&n));
}

void errors_have_names_and_texts(void)
{
    const char *text = "";
    OK(cu.cuGetErrorName(CUDA_ERROR_ILLEGAL_ADDRESS, &text));
    REQUIRE_STR(text, "CUDA_ERROR_ILLEGAL_ADDRESS");
    OK(cu.cuGetErrorString(CUDA_ERROR_OUT_OF_MEMORY, &text));
    REQUIRE_STR(text, "out of memory");
    OK(cu.cuGetErrorString(CUDA_ERROR_ILLEGAL_ADDRESS, &text));
    REQUIRE_STR(text, "an illegal memory access was encountered");
    FAILS(cu.cuGetErrorName(123456, &text), CUDA_ERROR_INVALID_VALUE);
    REQUIRE(text == NULL);
    FAILS(cu.cuGetErrorString(-5, &text), CUDA_ERROR_INVALID_VALUE);
    REQUIRE(text == NULL);
}

void device_answers(void)
{
    CUdevice d = -1;
    int count = 0, version = 0;
    char name[256] = "", shorter[4] = "";
    size_t bytes = 0;
    CUuuid id = {{0}}, zero = {{0}};
    OK(cu.cuInit(0));
    OK(cu.cuDriverGetVersion(&version));
    REQUIRE_INT(version, >=, 12000);
    OK(cu.cuDeviceGetCount(&count));
    REQUIRE_INT(count, >, 0);
    OK(cu.cuDeviceGet(&d, 0));
    FAILS(cu.cuDeviceGet(&d, -1), CUDA_ERROR_INVALID_DEVICE);
    FAILS(cu.cuDeviceGet(&d, count), CUDA_ERROR_INVALID_DEVICE);
    FAILS(cu.cuDeviceGet(NULL, 0), CUDA_ERROR_INVALID_VALUE);
    OK(cu.cuDeviceGetName(name, sizeof name, d));
    REQUIRE_INT(strlen(name), >, 3);
    OK(cu.cuDeviceGetName(shorter, sizeof shorter, d));
    REQUIRE(strncmp(name, shorter, 3) == 0 && shorter[3] == '\0');
    OK(cu.cuDeviceTotalMem(&bytes, d));
    REQUIRE_INT(bytes, >, 1 << 20);
    if (cu.cuDeviceGetUuid) {
        OK(cu.cuDeviceGetUuid(&id, d));
        REQUIRE(memcmp(&id, &zero, sizeof id) != 0);
    }
}

void every_attribute_is_answered(void)
{
    static const struct {
        int id, least, most;
    } known[] = {
        {CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK, 1024, 1024},
        {CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z, 64, 64},
        {CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X, INT32_MAX, INT32_MAX},
        {CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y, 65535, 65535},
        {CU_DEVICE_ATTRIBUTE_WARP_SIZE, 32, 32},
        {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK, 48 << 10, 48 << 10},
        {CU_DEVICE_ATTRIBUTE_TOTAL_CONSTANT_MEMORY, 64 << 10, 64 << 10},
        {CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, 1, 100000},
        {CU_DEVICE_ATTRIBUTE_CLOCK_RATE, 1000, 10000000},
        {CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, 7, 99},
        {CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING, 1, 1},
        {CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY, 1, 1},
    };
    int value;
    OK(cu.cuInit(0));
    for (int id = 1; id <= CU_DEVICE_ATTRIBUTE_HOST_NUMA_ID; id++)
        OK(cu.cuDeviceGetAttribute(&value, id, 0));
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        OK(cu.cuDeviceGetAttribute(&value, known[i].id, 0));
        REQUIRE_INT(value, >=, known[i].least);
        REQUIRE_INT(value, <=, known[i].most);
    }
    FAILS(cu.cuDeviceGetAttribute(&value, 0, 0), CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuDeviceGetAttribute(&value, -1, 0), CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuDeviceGetAttribute(&value, 1000000, 0), CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuDeviceGetAttribute(&value, 1, 4711), CUDA_ERROR_INVALID_DEVICE);
    FAILS(cu.cuDeviceGetAttribute(NULL, 1, 0), CUDA_ERROR_INVALID_VALUE);
}

void bus_id_finds_the_device(void)
{
    char id[64] = "";
    int domain, bus;
    CUdevice d = -1;
    OK(cu.cuInit(0));
    OK(cu.cuDeviceGetPCIBusId(id, sizeof id, 0));
    OK(cu.cuDeviceGetByPCIBusId(&d, id));
    REQUIRE_INT(d, ==, 0);
    OK(cu.cuDeviceGetAttribute(&domain, CU_DEVICE_ATTRIBUTE_PCI_DOMAIN_ID, 0));
    OK(cu.cuDeviceGetAttribute(&bus, CU_DEVICE_ATTRIBUTE_PCI_BUS_ID, 0));
    REQUIRE_INT(strtol(id, NULL, 16), ==, domain);
    REQUIRE_INT(strtol(strchr(id, ':') + 1, NULL, 16), ==, bus);
    REQUIRE(cu.cuDeviceGetByPCIBusId(&d, "1234:56:07.0") != CUDA_SUCCESS);
    REQUIRE(cu.cuDeviceGetByPCIBusId(&d, "nonsense") != CUDA_SUCCESS);
    FAILS(cu.cuDeviceGetPCIBusId(NULL, 64, 0), CUDA_ERROR_INVALID_VALUE);
}

void calls_without_context_fail(void)
{
    CUdeviceptr p;
    CUstream s;
    CUevent e;
    CUmodule m;
    CUcontext c = (CUcontext) 1;
    CUdevice d;
    OK(cu.cuInit(0));
    OK(cu.cuCtxGetCurrent(&c));
    REQUIRE(c == NULL);
    FAILS(cu.cuMemAlloc(&p, 4), CUDA_ERROR_INVALID_CONTEXT);
    FAILS(cu.cuStreamCreate(&s, 0), CUDA_ERROR_INVALID_CONTEXT);
    FAILS(cu.cuEventCreate(&e, 0), CUDA_ERROR_INVALID_CONTEXT);
    FAILS(cu.cuModuleLoadData(&m, ptx_text), CUDA_ERROR_INVALID_CONTEXT);
    FAILS(cu.cuCtxSynchronize(), CUDA_ERROR_INVALID_CONTEXT);
    FAILS(cu.cuCtxPopCurrent(&c), CUDA_ERROR_INVALID_CONTEXT);
    FAILS(cu.cuCtxGetDevice(&d), CUDA_ERROR_INVALID_CONTEXT);
}

static CUcontext current(void)
{
    CUcontext c;
    OK(cu.cuCtxGetCurrent(&c));
    return c;
}

void contexts_stack(void)
{
    CUcontext a = begin(), b, popped;
    OK(cu.cuCtxCreate(&b, CU_CTX_SCHED_BLOCKING_SYNC, 0));
    REQUIRE(a != b && current() == b);
    OK(cu.cuCtxPushCurrent(a));
    REQUIRE(current() == a);
    OK(cu.cuCtxPopCurrent(&popped));
    REQUIRE(popped == a && current() == b);
    unsigned flags = 0;
    OK(cu.cuCtxGetFlags(&flags));
    REQUIRE_INT(flags & CU_CTX_SCHED_MASK, ==, CU_CTX_SCHED_BLOCKING_SYNC);
    OK(cu.cuCtxDestroy(b));
    REQUIRE(current() == a);
    OK(cu.cuCtxPopCurrent(NULL));
    REQUIRE(current() == NULL);
    FAILS(cu.cuCtxPopCurrent(NULL), CUDA_ERROR_INVALID_CONTEXT);
    OK(cu.cuCtxDestroy(a));
    CUcontext c;
    FAILS(cu.cuCtxCreate(NULL, 0, 0), CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuCtxCreate(&c, 0x80000000u, 0), CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuCtxCreate(&c, 0, 4711), CUDA_ERROR_INVALID_DEVICE);
    REQUIRE(cu.cuCtxPushCurrent(NULL) != CUDA_SUCCESS);
}

void set_current_replaces_the_top(void)
{
    CUcontext a = begin(), b, popped;
    OK(cu.cuCtxCreate(&b, 0, 0));
    OK(cu.cuCtxSetCurrent(a));
    REQUIRE(current() == a);
    OK(cu.cuCtxPopCurrent(&popped));
    REQUIRE(popped == a && current() == a);
    OK(cu.cuCtxSetCurrent(NULL));
    REQUIRE(current() == NULL);
    OK(cu.cuCtxSetCurrent(b));
    REQUIRE(current() == b);
    OK(cu.cuCtxDestroy(b));
    REQUIRE(current() == NULL);
    OK(cu.cuCtxDestroy(a));
}

void primary_context_is_counted(void)
{
    CUcontext a, b;
    unsigned flags;
    int active = -1;
    CUdeviceptr p;
    OK(cu.cuInit(0));
    OK(cu.cuDevicePrimaryCtxGetState(0, &flags, &active));
    REQUIRE_INT(active, ==, 0);
    OK(cu.cuDevicePrimaryCtxRetain(&a, 0));
    REQUIRE(current() == NULL);
    OK(cu.cuDevicePrimaryCtxRetain(&b, 0));
    REQUIRE(a == b);
    OK(cu.cuCtxSetCurrent(a));
    OK(cu.cuMemAlloc(&p, 4));
    OK(cu.cuDevicePrimaryCtxRelease(0));
    OK(cu.cuMemsetD32(p, 1, 1));
    OK(cu.cuDevicePrimaryCtxGetState(0, &flags, &active));
    REQUIRE_INT(active, ==, 1);
    OK(cu.cuDevicePrimaryCtxRelease(0));
    OK(cu.cuDevicePrimaryCtxGetState(0, &flags, &active));
    REQUIRE_INT(active, ==, 0);
    REQUIRE(cu.cuMemsetD32(p, 1, 1) != CUDA_SUCCESS);
    FAILS(cu.cuDevicePrimaryCtxRelease(0), CUDA_ERROR_INVALID_CONTEXT);
    OK(cu.cuDevicePrimaryCtxRetain(&a, 0));
    OK(cu.cuCtxSetCurrent(a));
    OK(cu.cuMemAlloc(&p, 4));
    OK(cu.cuDevicePrimaryCtxRelease(0));
    FAILS(cu.cuDevicePrimaryCtxRetain(&a, 4711), CUDA_ERROR_INVALID_DEVICE);
}

static void *other_thread(void *arg)
{
    CUdeviceptr p;
    REQUIRE(current() == NULL);
    FAILS(cu.cuMemAlloc(&p, 4), CUDA_ERROR_INVALID_CONTEXT);
    OK(cu.cuCtxSetCurrent(arg));
    OK(cu.cuMemAlloc(&p, 4));
    OK(cu.cuMemFree(p));
    return NULL;
}

void contexts_are_per_thread(void)
{
    pthread_t t;
    CUcontext c = begin();
    REQUIRE(pthread_create(&t, NULL, other_thread, c) == 0);
    pthread_join(t, NULL);
    REQUIRE(current() == c);
    OK(cu.cuCtxSynchronize());
}

static void *destroys(void *arg)
{
    OK(cu.cuCtxDestroy(arg));
    return NULL;
}

void context_destroyed_elsewhere_is_noticed(void)
{
    pthread_t t;
    CUdeviceptr p;
    CUcontext c = begin();
    REQUIRE(pthread_create(&t, NULL, destroys, c) == 0);
    pthread_join(t, NULL);
    CUresult code = cu.cuMemAlloc(&p, 4);
    REQUIRE(code == CUDA_ERROR_CONTEXT_IS_DESTROYED || code == CUDA_ERROR_INVALID_CONTEXT);
}

void limits_are_kept(void)
{
    size_t value = 0;
    int least = -1, greatest = 1, config = -1;
    unsigned version = 0;
    CUcontext c = begin();
    OK(cu.cuCtxGetLimit(&value, CU_LIMIT_STACK_SIZE));
    REQUIRE_INT(value, >, 0);
    OK(cu.cuCtxSetLimit(CU_LIMIT_STACK_SIZE, 8192));
    OK(cu.cuCtxGetLimit(&value, CU_LIMIT_STACK_SIZE));
    REQUIRE_INT(value, >=, 8192);
    OK(cu.cuCtxGetLimit(&value, CU_LIMIT_MALLOC_HEAP_SIZE));
    REQUIRE_INT(value, >=, 8 << 20);
    OK(cu.cuCtxGetLimit(&value, CU_LIMIT_PRINTF_FIFO_SIZE));
    REQUIRE_INT(value, >=, 1 << 20);
    REQUIRE(cu.cuCtxGetLimit(&value, 4711) != CUDA_SUCCESS);
    OK(cu.cuCtxGetStreamPriorityRange(&least, &greatest));
    REQUIRE_INT(least, ==, 0);
    REQUIRE_INT(greatest, <=, 0);
    OK(cu.cuCtxSetCacheConfig(2));
    OK(cu.cuCtxGetCacheConfig(&config));
    OK(cu.cuCtxGetApiVersion(c, &version));
    REQUIRE_INT(version, >=, 3010);
    OK(cu.cuProfilerStop());
}

/* Of one device; those of two need two. */
void peers_are_other_contexts(void)
{
    CUcontext a = begin(), b;
    OK(cu.cuCtxCreate(&b, 0, 0));
    FAILS(cu.cuCtxEnablePeerAccess(b, 0), CUDA_ERROR_PEER_ACCESS_UNSUPPORTED);
    REQUIRE(cu.cuCtxEnablePeerAccess(NULL, 0) != CUDA_SUCCESS);
    REQUIRE(cu.cuCtxEnablePeerAccess(a, 1) != CUDA_SUCCESS);
    REQUIRE(cu.cuCtxDisablePeerAccess(NULL) != CUDA_SUCCESS);
    FAILS(cu.cuCtxDisablePeerAccess(a), CUDA_ERROR_PEER_ACCESS_NOT_ENABLED);
    int can = -1;
    OK(cu.cuDeviceCanAccessPeer(&can, 0, 0));
    REQUIRE_INT(can, ==, 0);
    FAILS(cu.cuCtxEnablePeerAccess(a, 0), CUDA_ERROR_PEER_ACCESS_UNSUPPORTED);
    OK(cu.cuCtxPopCurrent(NULL));
    OK(cu.cuCtxPopCurrent(NULL));
    FAILS(cu.cuCtxEnablePeerAccess(a, 0), CUDA_ERROR_INVALID_CONTEXT);
}

void contexts_have_ids(void)
{
    CUcontext one, two;
    unsigned long long id = 0, other = 0, again = 0;
    if (!cu.cuCtxGetId)
        exit(TEST_SKIPPED);
    one = begin();
    OK(cu.cuCtxGetId(one, &id));
    two = begin();
    OK(cu.cuCtxGetId(two, &other));
    REQUIRE(id != other);
    OK(cu.cuCtxDestroy(two));
    OK(cu.cuCtxGetId(one, &again));
    REQUIRE(again == id);
    two = begin(); /* the same handle, perhaps */
    OK(cu.cuCtxGetId(two, &again));
    REQUIRE(again != id && again != other);
    FAILS(cu.cuCtxGetId(one, NULL), CUDA_ERROR_INVALID_VALUE);
}

void profilers_are_started_and_stopped(void)
{
    OK(cu.cuInit(0));
    FAILS(cu.cuProfilerStart(), CUDA_ERROR_INVALID_CONTEXT);
    begin();
    OK(cu.cuProfilerStart());
    OK(cu.cuProfilerStop());
}

void shared_banks_are_four_bytes(void)
{
    int config = -1;
    if (!cu.cuCtxGetSharedMemConfig || !cu.cuCtxSetSharedMemConfig)
        exit(TEST_SKIPPED);
    OK(cu.cuInit(0));
    FAILS(cu.cuCtxGetSharedMemConfig(&config), CUDA_ERROR_INVALID_CONTEXT);
    begin();
    OK(cu.cuCtxGetSharedMemConfig(&config));
    REQUIRE_INT(config, ==, CU_SHARED_MEM_CONFIG_FOUR_BYTE_BANK_SIZE);
    OK(cu.cuCtxSetSharedMemConfig(CU_SHARED_MEM_CONFIG_EIGHT_BYTE_BANK_SIZE));
    OK(cu.cuCtxGetSharedMemConfig(&config));
    REQUIRE_INT(config, ==, CU_SHARED_MEM_CONFIG_FOUR_BYTE_BANK_SIZE);
    REQUIRE(cu.cuCtxSetSharedMemConfig(17) != CUDA_SUCCESS);
}
