/* What the CPU device costs beside plain C: four kernels, each against a loop that the compiler
 * optimises for this machine, measured in turn. One line a case: name, the device's milliseconds on
 * all its threads, their unit, ratio to the loop on one thread; a comment gives the loop's time.
 * Results are compared, so that nobody measures a wrong one. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cpu_native.h"
#include "runcu/runcu.h"

enum { ROUNDS = 7 };

static const char source[] =
    "__global__ void saxpy(float a, const float *x, float *y, int n)\n"
    "{\n"
    "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
    "    if (i < n) y[i] = a * x[i] + y[i];\n"
    "}\n"
    "__global__ void product(const float *a, const float *b, float *c, int n)\n"
    "{\n"
    "    __shared__ float s[16][16], t[16][16];\n"
    "    int x = threadIdx.x, y = threadIdx.y, row = blockIdx.y * 16 + y, column = blockIdx.x * 16 "
    "+ x;\n"
    "    float sum = 0;\n"
    "    for (int k = 0; k < n; k += 16) {\n"
    "        s[y][x] = a[row * n + k + x];\n"
    "        t[y][x] = b[(k + y) * n + column];\n"
    "        __syncthreads();\n"
    "        for (int i = 0; i < 16; i++) sum += s[y][i] * t[i][x];\n"
    "        __syncthreads();\n"
    "    }\n"
    "    c[row * n + column] = sum;\n"
    "}\n"
    "__global__ void mandelbrot(int *out, int width, int height, int most)\n"
    "{\n"
    "    int column = blockIdx.x * blockDim.x + threadIdx.x, row = blockIdx.y * blockDim.y + "
    "threadIdx.y;\n"
    "    if (column >= width || row >= height) return;\n"
    "    float cx = -2.0f + 3.0f * column / width, cy = -1.0f + 2.0f * row / height, x = 0, y = "
    "0;\n"
    "    int i = 0;\n"
    "    for (; i < most && x * x + y * y <= 4.0f; i++) {\n"
    "        float t = x * x - y * y + cx;\n"
    "        y = 2 * x * y + cy;\n"
    "        x = t;\n"
    "    }\n"
    "    out[row * width + column] = i;\n"
    "}\n"
    "__global__ void forces(const float4 *bodies, float4 *out, int n)\n"
    "{\n"
    "    __shared__ float4 s[256];\n"
    "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
    "    float4 me = bodies[i];\n"
    "    float fx = 0, fy = 0, fz = 0;\n"
    "    for (int k = 0; k < n; k += 256) {\n"
    "        s[threadIdx.x] = bodies[k + threadIdx.x];\n"
    "        __syncthreads();\n"
    "        for (int j = 0; j < 256; j++) {\n"
    "            float dx = s[j].x - me.x, dy = s[j].y - me.y, dz = s[j].z - me.z;\n"
    "            float r = rsqrtf(dx * dx + dy * dy + dz * dz + 1e-3f);\n"
    "            float f = s[j].w * r * r * r;\n"
    "            fx += dx * f; fy += dy * f; fz += dz * f;\n"
    "        }\n"
    "        __syncthreads();\n"
    "    }\n"
    "    out[i] = make_float4(fx, fy, fz, 0);\n"
    "}\n";

static void require(int ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "%s: %s\n", what, runcu_error_text());
    exit(1);
}

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double) t.tv_sec * 1e3 + (double) t.tv_nsec * 1e-6;
}

/* An array on both sides, filled alike with numbers from 0 to 1. */
struct array {
    float *host;
    runcu_mem *mem;
    size_t bytes;
};

static struct array new_array(size_t count)
{
    struct array a = {.bytes = count * sizeof(float)};
    a.host = malloc(a.bytes);
    require(a.host && runcu_mem_alloc(&a.mem, a.bytes) == 0, "memory");
    for (size_t i = 0; i < count; i++)
        a.host[i] = (float) (i * 2654435761u >> 8 & 1023) / 1024.0f;
    require(runcu_copy_htod(runcu_mem_address(a.mem), a.host, a.bytes) == 0, "copy");
    return a;
}

static void free_array(struct array *a)
{
    runcu_mem_free(&a->mem);
    free(a->host);
}

/* The largest difference from the host's copy, relative where that is large. */
static double difference(const struct array *a)
{
    float *device = malloc(a->bytes);
    double worst = 0;
    require(device && runcu_copy_dtoh(device, runcu_mem_address(a->mem), a->bytes) == 0,
            "copy back");
    for (size_t i = 0; i < a->bytes / sizeof(float); i++)
        worst = fmax(worst, fabs((double) device[i] - (double) a->host[i]) /
                                (1 + fabs((double) a->host[i])));
    free(device);
    return worst;
}

static runcu_function *get(runcu_module *module, const char *name)
{
    runcu_function *f = NULL;
    require(runcu_module_get_function(&f, module, name) == 0, name);
    return f;
}

/* Best times of both sides, measured in turn. */
struct times {
    double native, device;
};

#define MEASURE(times, native_call, launch)                                       \
    for (int round = 0; round < ROUNDS; round++) {                                \
        double from = now_ms();                                                   \
        native_call;                                                              \
        double between = now_ms();                                                \
        require((launch) == 0 && runcu_context_synchronize(NULL) == 0, "launch"); \
        double to = now_ms();                                                     \
        (times).native = fmin((times).native, between - from);                    \
        (times).device = fmin((times).device, to - between);                      \
    }

static void report(const char *name, struct times t, double wrong, double allowed)
{
    if (!(wrong <= allowed)) {
        fprintf(stderr, "%s: results differ by %g\n", name, wrong);
        exit(1);
    }
    printf("%-40s %12.3f %-5s %8.3f  # native %.3f ms\n", name, t.device, "ms", t.device / t.native,
           t.native);
    fflush(stdout);
}

static void saxpy(runcu_module *module)
{
    const int n = 16 << 20;
    struct array x = new_array((size_t) n), y = new_array((size_t) n);
    runcu_function *f = get(module, "saxpy");
    struct times t = {INFINITY, INFINITY};
    MEASURE(t, native_saxpy(2.0f, x.host, y.host, n),
            runcu_launch(f, RUNCU_GRID(n / 256, 1, 1, 256, 1, 1), 2.0f, x.mem, y.mem, n))
    report("cpu_saxpy_16Mi", t, difference(&y), 1e-6);
    runcu_function_release(&f);
    free_array(&x);
    free_array(&y);
}

static void product(runcu_module *module)
{
    const int n = 512;
    struct array a = new_array(512 * 512), b = new_array(512 * 512), c = new_array(512 * 512);
    runcu_function *f = get(module, "product");
    struct times t = {INFINITY, INFINITY};
    MEASURE(t, native_product(a.host, b.host, c.host, n),
            runcu_launch(f, RUNCU_GRID(n / 16, n / 16, 1, 16, 16, 1), a.mem, b.mem, c.mem, n))
    report("cpu_product_512", t, difference(&c), 1e-5);
    runcu_function_release(&f);
    free_array(&a);
    free_array(&b);
    free_array(&c);
}

static void mandelbrot(runcu_module *module)
{
    const int width = 1024, height = 768, most = 256;
    struct array out = new_array(1024 * 768);
    int *host = (int *) (void *) out.host, *device = malloc(out.bytes);
    runcu_function *f = get(module, "mandelbrot");
    struct times t = {INFINITY, INFINITY};
    MEASURE(t, native_mandelbrot(host, width, height, most),
            runcu_launch(f, RUNCU_GRID(width / 16, height / 16, 1, 16, 16, 1), out.mem, width,
                         height, most))
    require(device && runcu_copy_dtoh(device, runcu_mem_address(out.mem), out.bytes) == 0,
            "copy back");
    int wrong = 0;
    for (int i = 0; i < width * height; i++)
        wrong += host[i] != device[i];
    /* At the rim of the set one rounding decides: contraction differs between compilers. */
    report("cpu_mandelbrot_1024x768", t, (double) wrong / (width * height), 1e-2);
    runcu_function_release(&f);
    free(device);
    free_array(&out);
}

static void forces(runcu_module *module)
{
    const int n = 4096;
    struct array bodies = new_array(4 * 4096), out = new_array(4 * 4096);
    runcu_function *f = get(module, "forces");
    struct times t = {INFINITY, INFINITY};
    MEASURE(t, native_forces(bodies.host, out.host, n),
            runcu_launch(f, RUNCU_GRID(n / 256, 1, 1, 256, 1, 1), bodies.mem, out.mem, n))
    report("cpu_nbody_4096", t, difference(&out), 1e-2);
    runcu_function_release(&f);
    free_array(&bodies);
    free_array(&out);
}

int main(void)
{
    const char *packages = getenv("RUNCU_TEST_PACKAGES");
    runcu_module *module = NULL;
    if (packages && *packages)
        runcu_nvrtc_search(&packages, 1);
    setenv("RUNCU_DEVICE", "cpu", 1);
    require(runcu_module_compile(&module, source, NULL) == 0, "compile");
    saxpy(module);
    product(module);
    mandelbrot(module);
    forces(module);
    runcu_module_release(&module);
    return 0;
}
