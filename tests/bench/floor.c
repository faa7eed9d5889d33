/* The floor of launch.py: what a launch costs from C on the bare driver, with nothing in between. A
 * shared library that launch.py loads into its own process, so that both sides share context, clock
 * and weather. The driver is opened by name at run time; it links nothing of ours and nothing of
 * CUDA's. */
#include <dlfcn.h>
#include <stddef.h>
#include <time.h>

typedef int result;
typedef void *handle;

enum { MOST_KERNELS = 8 };

static struct {
    result (*init)(unsigned);
    result (*retain)(handle *, int);
    result (*set_current)(handle);
    result (*load)(handle *, const void *);
    result (*get_function)(handle *, handle, const char *);
    result (*launch)(handle, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,
                     handle, void **, void **);
    result (*synchronize)(void);
    handle module;
    handle kernels[MOST_KERNELS];
} driver;

int floor_open(const char *library, const char *image);
int floor_kernel(int index, const char *name);
double floor_launch(int index, void **params, int count, int waits);

/* Opens the driver, makes device 0's primary context current and loads the image. 0, or what
 * failed: -1 the library, -2 a symbol, else the driver's code. */
int floor_open(const char *library, const char *image)
{
    handle lib = dlopen(library, RTLD_NOW | RTLD_LOCAL), context;
    if (!lib)
        return -1;
    *(void **) &driver.init = dlsym(lib, "cuInit");
    *(void **) &driver.retain = dlsym(lib, "cuDevicePrimaryCtxRetain");
    *(void **) &driver.set_current = dlsym(lib, "cuCtxSetCurrent");
    *(void **) &driver.load = dlsym(lib, "cuModuleLoadData");
    *(void **) &driver.get_function = dlsym(lib, "cuModuleGetFunction");
    *(void **) &driver.launch = dlsym(lib, "cuLaunchKernel");
    *(void **) &driver.synchronize = dlsym(lib, "cuCtxSynchronize");
    if (!driver.init || !driver.retain || !driver.set_current || !driver.load
        || !driver.get_function || !driver.launch || !driver.synchronize)
        return -2;
    result code = driver.init(0);
    if (!code)
        code = driver.retain(&context, 0);
    if (!code)
        code = driver.set_current(context);
    return code ? code : driver.load(&driver.module, image);
}

/* Looks a kernel of the image up, for floor_launch to use under that index. */
int floor_kernel(int index, const char *name)
{
    if (index < 0 || index >= MOST_KERNELS)
        return -1;
    return driver.get_function(&driver.kernels[index], driver.module, name);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

/* Waits until the device is idle, then launches one block of 32 threads `count` times, and with
 * `waits` waits for the context after each. Seconds a launch, or minus the driver's code. */
double floor_launch(int index, void **params, int count, int waits)
{
    handle kernel = driver.kernels[index];
    result code = driver.synchronize();
    double start = now();
    for (int i = 0; i < count && !code; i++) {
        code = driver.launch(kernel, 1, 1, 1, 32, 1, 1, 0, NULL, params, NULL);
        if (waits && !code)
            code = driver.synchronize();
    }
    double taken = now() - start;
    return code ? -(double) code : taken / count;
}
