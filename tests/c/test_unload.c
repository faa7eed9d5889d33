/* libruncu-cpu.so under its exported names, found as programs find them, and closed again with a
 * kernel running: its threads end, its code goes, and threads that used it end in peace. */
#include <dlfcn.h>
#include <pthread.h>

#include "driver/abi.h"
#include "test.h"

static const char ptx[] = ".version 6.4\n.target sm_75\n.address_size 64\n"
                          ".global .align 4 .u32 word;\n"
                          ".visible .entry endless() { .reg .b32 %r<2>;\n"
                          "AGAIN: ld.volatile.global.u32 %r0, [word]; bra AGAIN; }\n";

static void *library;

/* The function through cuGetProcAddress. */
static void *find(const char *name)
{
    CUresult (*get)(const char *, void **, int, uint64_t, int *);
    void *p = dlsym(library, "cuGetProcAddress_v2");
    int status = -1;
    REQUIRE(p);
    memcpy(&get, &p, sizeof get);
    REQUIRE_INT(get(name, &p, 12000, 0, &status), ==, CUDA_SUCCESS);
    REQUIRE_INT(status, ==, p ? 0 : 1);
    return p;
}

#define FIND(name, params)             \
    CUresult(*name) params;            \
    do {                               \
        void *p_ = find(#name);        \
        REQUIRE(p_);                   \
        memcpy(&name, &p_, sizeof p_); \
    } while (0)

static void *uses_the_library(void *arg)
{
    FIND(cuInit, (unsigned flags));
    FIND(cuCtxCreate, (CUcontext * c, unsigned flags, CUdevice device));
    FIND(cuModuleLoadData, (CUmodule * m, const void *image));
    FIND(cuModuleGetFunction, (CUfunction * f, CUmodule m, const char *name));
    FIND(cuLaunchKernel, (CUfunction f, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,
                          unsigned, CUstream, void **, void **) );
    CUcontext c;
    CUmodule m;
    CUfunction f;
    REQUIRE_INT(cuInit(0), ==, CUDA_SUCCESS);
    REQUIRE_INT(cuCtxCreate(&c, 0, 0), ==, CUDA_SUCCESS);
    REQUIRE_INT(cuModuleLoadData(&m, ptx), ==, CUDA_SUCCESS);
    REQUIRE_INT(cuModuleGetFunction(&f, m, "endless"), ==, CUDA_SUCCESS);
    REQUIRE_INT(cuLaunchKernel(f, 4, 1, 1, 32, 1, 1, 0, CU_STREAM_PER_THREAD, NULL, NULL), ==,
                CUDA_SUCCESS);
    if (arg)
        REQUIRE_INT(dlclose(library), ==, 0);
    return NULL;
}

/* Is the library still mapped? */
static int is_mapped(const char *path)
{
    char line[1024];
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    int found = 0;
    FILE *f = fopen("/proc/self/maps", "r");
    REQUIRE(f);
    while (fgets(line, sizeof line, f))
        found |= strstr(line, name) != NULL;
    fclose(f);
    return found;
}

int main(int argc, char **argv)
{
    REQUIRE_INT(argc, ==, 2);
    for (int closes = 0; closes < 2; closes++) {
        pthread_t t;
        library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
        REQUIRE(library);
        REQUIRE(!find("cuNoSuchFunction"));
        REQUIRE(pthread_create(&t, NULL, uses_the_library, closes ? argv : NULL) == 0);
        REQUIRE(pthread_join(t, NULL) == 0);
        if (!closes)
            REQUIRE_INT(dlclose(library), ==, 0);
        REQUIRE(!is_mapped(argv[1]));
    }
    return 0;
}
