/* Devices: what a driver has, which one is meant by default, what it says of itself. */
#include "core.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static _Thread_local runcu_device *thread_default;

static const struct attribute {
    int id;
    const char *name;
} attributes[] = {
#define ATTR(id, name, cpu) {id, #name},
#include "driver/attr.def"
#undef ATTR
};

static void describe(runcu_device *device)
{
    const struct drv_table *cu = &device->driver->cu;
    if (cu->cuDeviceGetName(device->name, sizeof device->name, device->handle))
        device->name[0] = 0;
    if (cu->cuDeviceGetPCIBusId(device->pci_bus_id, sizeof device->pci_bus_id, device->handle))
        device->pci_bus_id[0] = 0;
    device->name[sizeof device->name - 1] = device->pci_bus_id[sizeof device->pci_bus_id - 1] = 0;
}

int core_devices_create(struct core_driver *driver)
{
    int count = MAX(driver->device_count, 0);
    runcu_device *devices = alloc_zero((size_t) count, sizeof *devices);
    if (!devices)
        return -1;
    for (int i = 0; i < count; i++) {
        devices[i].driver = driver;
        devices[i].ordinal = i;
        if (driver->cu.cuDeviceGet(&devices[i].handle, i))
            devices[i].handle = i;
        describe(&devices[i]);
    }
    driver->devices = devices;
    return 0;
}

static int fail_ordinal(const struct core_driver *driver, uint64_t ordinal)
{
    int status = core_check(driver, "cuDeviceGet", CUDA_ERROR_INVALID_DEVICE);
    if (driver->device_count == 0)
        runcu_fail_detail("The driver \"%s\" has no device.", driver->name);
    else
        runcu_fail_detail(
            "Device %" PRId64 " of the driver \"%s\" was asked for, which has %d: the first is 0.",
            (int64_t) ordinal, driver->name, driver->device_count);
    return status;
}

int runcu_device_open(runcu_device **out, const char *name, int ordinal)
{
    CORE_OUT(out);
    struct core_driver *driver;
    int status = core_driver_open(&driver, name);
    if (status)
        return status;
    if (ordinal < 0 || ordinal >= driver->device_count)
        return fail_ordinal(driver, (uint64_t) ordinal);
    *out = &driver->devices[ordinal];
    return 0;
}

int runcu_device_open_pci(runcu_device **out, const char *name, const char *pci_bus_id)
{
    CORE_OUT(out);
    CORE_NEED(pci_bus_id);
    struct core_driver *driver;
    CUdevice handle;
    int status = core_driver_open(&driver, name);
    if (!status)
        status = CU_CALL(driver, cuDeviceGetByPCIBusId, &handle, pci_bus_id);
    if (status)
        return status;
    for (int i = 0; i < driver->device_count && !*out; i++)
        if (driver->devices[i].handle == handle)
            *out = &driver->devices[i];
    return *out ? 0 : fail_ordinal(driver, (uint64_t) handle);
}

int runcu_device_wrap(runcu_device **out, uint64_t handle)
{
    CORE_OUT(out);
    struct core_driver *driver;
    int status = core_driver_open(&driver, NULL);
    if (status)
        return status;
    for (int i = 0; i < driver->device_count && !*out; i++)
        if ((uint64_t) driver->devices[i].handle == handle)
            *out = &driver->devices[i];
    return *out ? 0 : fail_ordinal(driver, handle);
}

int runcu_device_count(int *out, const char *name)
{
    CORE_NEED(out);
    struct core_driver *driver;
    int status = core_driver_open(&driver, name);
    *out = status ? 0 : driver->device_count;
    return status;
}

/* The number in `text`, alone but for space around it. */
static bool parse_ordinal(int *out, const char *text)
{
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    bool has_digits = end != text;
    end += strspn(end, " \t\r\n");
    *out = (int) value;
    return has_digits && !*end && !errno && value >= 0 && value <= INT32_MAX;
}

/* What the user's environment says: CUDA_DEVICE, then the file ~/.cuda_device, or ~/.cuda-device as
 * PyCUDA's documentation has it; `from` names the place. NULL if none is there. */
static const char *read_wish(char *buffer, size_t size, const char **from)
{
    static const char *const files[] = {"~/.cuda_device", "~/.cuda-device"};
    const char *text = getenv("CUDA_DEVICE"), *home = getenv("HOME");
    char path[4096];
    *from = "CUDA_DEVICE";
    if (text && *text)
        return text;
    for (size_t i = 0; home && i < ARRAY_LEN(files); i++) {
        FILE *file = snprintf(path, sizeof path, "%s%s", home, files[i] + 1) < (int) sizeof path
                         ? fopen(path, "re")
                         : NULL;
        if (!file)
            continue;
        *from = files[i];
        buffer[fread(buffer, 1, size - 1, file)] = 0;
        fclose(file);
        return buffer;
    }
    return NULL;
}

int runcu_device_default(runcu_device **out)
{
    CORE_OUT(out);
    struct core_driver *driver;
    char buffer[64];
    const char *from;
    int ordinal = 0;
    *out = thread_default;
    if (*out)
        return 0;
    int status = core_driver_open(&driver, NULL);
    if (status)
        return status;
    const char *wish = read_wish(buffer, sizeof buffer, &from);
    if (wish && !parse_ordinal(&ordinal, wish))
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "%s says \"%s\": the number of a device is meant",
                          from, wish);
    if (driver->is_cpu && ordinal >= driver->device_count)
        ordinal = 0; /* the wish was about GPUs */
    if (ordinal >= driver->device_count) {
        status = fail_ordinal(driver, (uint64_t) ordinal);
        if (wish)
            runcu_fail_detail("%s chose it.", from);
        return status;
    }
    *out = &driver->devices[ordinal];
    return 0;
}

runcu_device *core_device_peek(void)
{
    return thread_default;
}

int runcu_device_set_default(runcu_device *device)
{
    core_current_forget_default();
    thread_default = device;
    return 0;
}

int runcu_device_ordinal(const runcu_device *device)
{
    CORE_NEED(device);
    return device->ordinal;
}

uint64_t runcu_device_handle(const runcu_device *device)
{
    return device ? (uint64_t) device->handle : 0;
}

int runcu_device_is_cpu(const runcu_device *device)
{
    return device && device->driver->is_cpu;
}

const char *runcu_device_name(const runcu_device *device)
{
    return device ? device->name : "";
}

const char *runcu_device_pci_bus_id(const runcu_device *device)
{
    return device ? device->pci_bus_id : "";
}

const char *runcu_device_driver(const runcu_device *device)
{
    return device ? device->driver->name : "";
}

int runcu_device_uuid(unsigned char out[16], const runcu_device *device)
{
    CORE_NEED(out);
    CORE_NEED(device);
    CUuuid id = {{0}};
    const struct core_driver *driver = device->driver;
    int status = core_check(driver, "cuDeviceGetUuid",
                            driver->cu.cuDeviceGetUuid
                                ? driver->cu.cuDeviceGetUuid(&id, device->handle)
                                : CUDA_ERROR_NOT_SUPPORTED);
    memcpy(out, id.bytes, sizeof id.bytes);
    return status;
}

int runcu_device_total_memory(size_t *out, const runcu_device *device)
{
    CORE_NEED(out);
    CORE_NEED(device);
    *out = 0;
    return CU_CALL(device->driver, cuDeviceTotalMem, out, device->handle);
}

int runcu_device_attribute(int *out, const runcu_device *device, int attribute)
{
    CORE_NEED(out);
    CORE_NEED(device);
    *out = 0;
    return CU_CALL(device->driver, cuDeviceGetAttribute, out, attribute, device->handle);
}

int runcu_device_arch(int *out, const runcu_device *device)
{
    CORE_NEED(out);
    CORE_NEED(device);
    int major = 0, minor = 0;
    int status =
        runcu_device_attribute(&major, device, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
    if (!status)
        status =
            runcu_device_attribute(&minor, device, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
    *out = status ? 0 : 10 * major + minor;
    return status;
}

int runcu_device_can_access_peer(int *out, const runcu_device *device, const runcu_device *peer)
{
    CORE_NEED(out);
    CORE_NEED(device);
    CORE_NEED(peer);
    *out = 0;
    if (device->driver != peer->driver)
        return 0;
    return CU_CALL(device->driver, cuDeviceCanAccessPeer, out, device->handle, peer->handle);
}

const char *runcu_device_attribute_name(int index, int *id)
{
    if (index < 0 || (size_t) index >= ARRAY_LEN(attributes))
        return NULL;
    if (id)
        *id = attributes[index].id;
    return attributes[index].name;
}

int runcu_driver_version(int *out, const runcu_device *device)
{
    CORE_NEED(out);
    CORE_NEED(device);
    *out = 0;
    return CU_CALL(device->driver, cuDriverGetVersion, out);
}
