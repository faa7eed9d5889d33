/* The one device: what it says it is, from the environment (RUNCU_CPU_ARCH, RUNCU_CPU_MEMORY,
 * RUNCU_THREADS) and the machine. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/host.h"
#include "cpu/cpu.h"

/* Limits that differ between architectures: bytes of shared memory a block may ask for and a
 * multiprocessor has, threads and blocks on a multiprocessor (CUDA C++ Programming Guide, technical
 * specifications per compute capability). */
static const struct arch {
    int arch, shared_optin, shared_sm, threads_sm, blocks_sm;
} archs[] = {
    {70, 98304, 98304, 2048, 32},    {75, 65536, 65536, 1024, 16},
    {80, 166912, 167936, 2048, 32},  {86, 101376, 102400, 1536, 16},
    {87, 166912, 167936, 1536, 16},  {89, 101376, 102400, 1536, 24},
    {90, 232448, 233472, 2048, 32},  {100, 232448, 233472, 2048, 32},
    {120, 101376, 102400, 1536, 24},
};

enum { DEFAULT_ARCH = 75, PCI_DOMAIN = 0xffff };
static const size_t default_memory = (size_t) 4 << 30, least_memory = (size_t) 64 << 20;
static const char pci_bus_id[] = "ffff:00:00.0";
static const char uuid[] = "runcu CPU device"; /* 16 bytes */

/* "80", "8.0", "sm_80" */
static int wanted_arch(void)
{
    const char *text = getenv("RUNCU_CPU_ARCH");
    int arch = 0;
    if (!text)
        return DEFAULT_ARCH;
    for (; *text; text++)
        if (*text >= '0' && *text <= '9' && arch < 1000)
            arch = arch * 10 + (*text - '0');
    return arch >= archs[0].arch && arch < 1000 ? arch : DEFAULT_ARCH;
}

static void set_arch(struct cpu_device *d)
{
    int arch = wanted_arch();
    const struct arch *a = &archs[0];
    for (size_t i = 0; i < ARRAY_LEN(archs); i++)
        if (archs[i].arch <= arch)
            a = &archs[i];
    d->major = arch / 10;
    d->minor = arch % 10;
    d->shared_optin = a->shared_optin;
    d->shared_sm = a->shared_sm;
    d->threads_sm = a->threads_sm;
    d->blocks_sm = a->blocks_sm;
}

/* "512M", "4G", "1000000"; 0: not given, or not understood. */
static size_t wanted_memory(void)
{
    const char *text = getenv("RUNCU_CPU_MEMORY");
    char *end;
    if (!text || *text < '0' || *text > '9')
        return 0;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    static const char suffixes[] = "KMGT";
    const char *s = *end ? strchr(suffixes, *end >= 'a' ? *end - 'a' + 'A' : *end) : NULL;
    unsigned shift = s ? 10 * (unsigned) (s - suffixes + 1) : 0;
    if (errno || (*end && !s) || n > SIZE_MAX >> shift)
        return 0;
    return (size_t) n << shift;
}

static size_t memory(void)
{
    size_t n = wanted_memory();
    if (n)
        return n;
    n = (size_t) MIN(host_free_memory() / 2, (uint64_t) default_memory);
    return MAX(n, least_memory) & ~(size_t) 0xfffff;
}

static int clock_khz(void)
{
    int khz = 0;
    FILE *f = fopen("/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq", "re");
    if (f && fscanf(f, "%d", &khz) != 1)
        khz = 0;
    if (f)
        fclose(f);
    double mhz = 0;
    char line[256];
    f = khz ? NULL : fopen("/proc/cpuinfo", "re");
    while (f && mhz <= 0 && fgets(line, sizeof line, f))
        if (sscanf(line, "cpu MHz : %lf", &mhz) != 1)
            mhz = 0;
    if (f)
        fclose(f);
    return khz > 0 ? khz : mhz > 0 ? (int) (mhz * 1000) : 1000000;
}

void cpu_device_init(struct cpu_device *out)
{
    long l2 = sysconf(_SC_LEVEL2_CACHE_SIZE);
    memset(out, 0, sizeof *out);
    set_arch(out);
    out->threads = workers_default_count();
    out->memory = memory();
    out->clock_khz = clock_khz();
    out->l2_bytes = l2 > 0 ? (int) MIN(l2, 1 << 30) : 1 << 20;
    snprintf(out->name, sizeof out->name, "runcu CPU device (%s, %u thread%s)", simt_isa(),
             out->threads, out->threads == 1 ? "" : "s");
}

CUresult cpu_check_device(CUdevice device)
{
    return device == 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}

/* Enters for a question about the device whose answer goes to `out`. */
static CUresult enter_device(const void *out, CUdevice device)
{
    CUresult code = cpu_enter();
    if (code)
        return code;
    if (!out)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    code = cpu_check_device(device);
    return code ? cpu_leave(code) : CUDA_SUCCESS;
}

CUresult cpu_cuDeviceGet(CUdevice *device, int ordinal)
{
    CUresult code = enter_device(device, ordinal);
    if (code)
        return code;
    *device = 0;
    return cpu_leave(CUDA_SUCCESS);
}

CUresult cpu_cuDeviceGetCount(int *count)
{
    CUresult code = enter_device(count, 0);
    if (code)
        return code;
    *count = 1;
    return cpu_leave(CUDA_SUCCESS);
}

CUresult cpu_cuDeviceGetName(char *name, int len, CUdevice device)
{
    CUresult code = enter_device(name, device);
    if (code)
        return code;
    if (len <= 0)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    snprintf(name, (size_t) len, "%s", cpu.device.name);
    return cpu_leave(CUDA_SUCCESS);
}

CUresult cpu_cuDeviceGetUuid(CUuuid *out, CUdevice device)
{
    CUresult code = enter_device(out, device);
    if (code)
        return code;
    memcpy(out->bytes, uuid, sizeof out->bytes);
    return cpu_leave(CUDA_SUCCESS);
}

CUresult cpu_cuDeviceTotalMem(size_t *bytes, CUdevice device)
{
    CUresult code = enter_device(bytes, device);
    if (code)
        return code;
    *bytes = cpu.device.memory;
    return cpu_leave(CUDA_SUCCESS);
}

/* False if there is no such attribute. */
static bool answer(int *out, int attribute, const struct cpu_device *d)
{
#define ATTR(id, name, cpu)  \
    if (attribute == (id)) { \
        *out = (cpu);        \
        return true;         \
    }
#include "driver/attr.def"
#undef ATTR
    return false;
}

int cpu_device_value(int attribute)
{
    int value = 0;
    answer(&value, attribute, &cpu.device);
    return value;
}

CUresult cpu_cuDeviceGetAttribute(int *value, int attribute, CUdevice device)
{
    CUresult code = enter_device(value, device);
    if (code)
        return code;
    return cpu_leave(answer(value, attribute, &cpu.device) ? CUDA_SUCCESS
                                                           : CUDA_ERROR_INVALID_VALUE);
}

/* [domain:]bus:device[.function], all in hexadecimal. */
static bool is_own_bus_id(const char *id)
{
    unsigned part[4] = {0};
    int used = 0;
    if (sscanf(id, "%x:%x:%x%n", &part[0], &part[1], &part[2], &used) != 3)
        return false;
    if (id[used] == '.' && sscanf(id + used, ".%x%n", &part[3], &used) != 1)
        return false;
    return part[0] == PCI_DOMAIN && !part[1] && !part[2] && !part[3];
}

CUresult cpu_cuDeviceGetByPCIBusId(CUdevice *device, const char *id)
{
    CUresult code = enter_device(device, 0);
    if (code)
        return code;
    if (!id)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    if (!is_own_bus_id(id))
        return cpu_leave(CUDA_ERROR_INVALID_DEVICE);
    *device = 0;
    return cpu_leave(CUDA_SUCCESS);
}

CUresult cpu_cuDeviceGetPCIBusId(char *id, int len, CUdevice device)
{
    CUresult code = enter_device(id, device);
    if (code)
        return code;
    if (len < (int) sizeof pci_bus_id)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    memcpy(id, pci_bus_id, sizeof pci_bus_id);
    return cpu_leave(CUDA_SUCCESS);
}

CUresult cpu_cuDeviceCanAccessPeer(int *can, CUdevice device, CUdevice peer)
{
    CUresult code = enter_device(can, device);
    if (code)
        return code;
    *can = 0;
    return cpu_leave(cpu_check_device(peer));
}
