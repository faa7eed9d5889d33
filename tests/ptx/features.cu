// Kernels that no table makes, one feature each. Each begins with a line
//     //@ kind name [arch=N] [option ...]
// and is a source of its own. features.py puts in KERNEL(...), which opens its kernel, INDEX, which
// gives the global index as `i`, and WMMA(...), a whole kernel. name_{a,b} makes one feature of
// each, which stands wherever the source has {}.

//@ warp warp_syncwarp
KERNEL(int *x)
{
    __shared__ int cell[32];
    int t = threadIdx.x;
    cell[t] = x[t];
    __syncwarp(0xffff);
    x[t] = cell[t ^ 5];
    __syncwarp();
}
//@ warp warp_reduce_loop
KERNEL(float *x)
{
    INDEX;
    float sum = x[i];
    for (int step = 16; step > 0; step /= 2)
        sum += __shfl_down_sync(~0u, sum, step);
    if (i % 32 == 0)
        x[blockIdx.x] = sum;
}
//@ warp warp_scan
KERNEL(int *x)
{
    INDEX;
    int v = x[i], lane = threadIdx.x % 32;
    for (int step = 1; step < 32; step *= 2) {
        int before = __shfl_up_sync(~0u, v, step);
        v += lane >= step ? before : 0;
    }
    x[i] = v;
}
//@ warp warp_divergent_mask
KERNEL(int *x)
{
    INDEX;
    unsigned odd = __ballot_sync(~0u, x[i] % 2);
    if (x[i] % 2)
        x[i] = __popc(odd) - __shfl_sync(odd, x[i], __ffs(odd) - 1);
}
//@ warp warp_lanemask
KERNEL(unsigned *x)
{
    INDEX;
    unsigned v, sum = 0;
#define READ(name)                                      \
    asm volatile("mov.u32 %0, %%" #name ";" : "=r"(v)); \
    sum = sum * 3 + v
    READ(laneid);
    READ(warpid);
    READ(smid);
    READ(nsmid);
    READ(lanemask_lt);
    READ(lanemask_ge);
    READ(lanemask_eq);
    READ(lanemask_le);
    READ(lanemask_gt);
    x[i] = sum;
}
//@ warp warp_elect arch=90
KERNEL(unsigned *x)
{
    INDEX;
    unsigned chosen;
    asm volatile("{ .reg .pred won; elect.sync _|won, 0xffffffff; selp.b32 %0, 7, 0, won; }"
                 : "=r"(chosen));
    x[i] = chosen;
}

//@ sync bar_count
KERNEL(int *x, int n)
{
    INDEX;
    x[i] = __syncthreads_count(x[i] < n);
}
//@ sync bar_and
KERNEL(int *x, int n)
{
    INDEX;
    x[i] = __syncthreads_and(x[i] < n);
}
//@ sync bar_or
KERNEL(int *x, int n)
{
    INDEX;
    x[i] = __syncthreads_or(x[i] < n);
}
//@ sync bar_named
KERNEL(int *x)
{
    __shared__ int cell[96];
    int t = threadIdx.x;
    if (t < 96) {
        cell[t] = x[t];
        asm volatile("bar.sync 3, 96;");
        x[t] = cell[95 - t];
    } else {
        asm volatile("bar.sync 4, 32;");
    }
}
//@ sync bar_arrive
KERNEL(int *x)
{
    __shared__ int cell[64];
    int t = threadIdx.x;
    if (t < 32) {
        cell[t] = x[t];
        asm volatile("bar.arrive 2, 64;" ::: "memory");
    } else {
        asm volatile("bar.sync 2, 64;" ::: "memory");
        x[t] = cell[t - 32];
    }
}
//@ sync bar_divergent
KERNEL(int *x, int n)
{
    __shared__ int cell[128];
    int t = threadIdx.x;
    while (n-- > 0) {
        cell[t] = x[t];
        __syncthreads();
        if (t % 3)
            x[t] -= cell[t ^ 1];
        __syncthreads();
        if (x[t] > 99)
            return;
    }
}
//@ sync fence_dev
KERNEL(volatile int *x)
{
    INDEX;
    x[i] = 2;
    __threadfence();
    x[i + 32] = x[i + 1];
}
//@ sync fence_block
KERNEL(volatile int *x)
{
    INDEX;
    x[i] = 2;
    __threadfence_block();
    x[i + 32] = x[i + 1];
}
//@ sync fence_system
KERNEL(volatile int *x)
{
    INDEX;
    x[i] = 2;
    __threadfence_system();
    x[i + 32] = x[i + 1];
}
//@ sync lock_spin
__device__ int gate;
KERNEL(int *x)
{
    for (bool mine = false; !mine;)
        if (!atomicExch(&gate, 1)) {
            x[1] += 2;
            __threadfence();
            atomicExch(&gate, 0);
            mine = true;
        }
}
//@ sync lock_spin_naive
__device__ int gate;
KERNEL(int *x)
{
    while (atomicCAS(&gate, 0, 1))
        ;
    x[1] += 2;
    __threadfence();
    atomicExch(&gate, 0);
}
//@ sync flag_wait_volatile
KERNEL(volatile int *flag, int *x)
{
    INDEX;
    if (blockIdx.x) {
        while (!*flag)
            ;
        x[i] = x[threadIdx.x];
    } else {
        x[i] = 4;
        __threadfence();
        if (!threadIdx.x)
            *flag = 1;
    }
}
//@ sync grid_sync_manual
__device__ unsigned arrived;
KERNEL(int *x)
{
    x[blockIdx.x] = 2;
    __threadfence();
    __syncthreads();
    if (!threadIdx.x) {
        atomicAdd(&arrived, 1);
        while (*(volatile unsigned *) &arrived != gridDim.x)
            ;
    }
    __syncthreads();
    x[blockIdx.x] *= x[(blockIdx.x + 1) % gridDim.x];
}
//@ sync last_block
__device__ unsigned done;
KERNEL(const float *x, float *part, float *out, int n)
{
    __shared__ float cell[128];
    __shared__ bool is_last;
    float sum = 0;
    for (int j = blockIdx.x * 128 + threadIdx.x; j < n; j += 128 * gridDim.x)
        sum += x[j];
    cell[threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.x == 0) {
        for (int j = 1; j < 128; j++)
            sum += cell[j];
        part[blockIdx.x] = sum;
        __threadfence();
        is_last = atomicInc(&done, gridDim.x) == gridDim.x - 1;
    }
    __syncthreads();
    if (is_last && threadIdx.x == 0) {
        for (int j = 0; j < gridDim.x; j++)
            sum += ((volatile float *) part)[j];
        *out = sum;
    }
}
//@ sync lookback
KERNEL(volatile unsigned long long *state, int *x)
{
    __shared__ int base;
    int b = blockIdx.x;
    if (threadIdx.x == 0) {
        int sum = 0;
        for (int j = b - 1; j >= 0; j--) {
            unsigned long long s;
            while (!((s = state[j]) >> 32))
                ;
            sum += (int) s;
            if (s >> 32 == 2)
                break;
        }
        base = sum;
        __threadfence();
        state[b] = 2ull << 32 | (unsigned) (sum + x[b]);
    }
    __syncthreads();
    x[b * blockDim.x + threadIdx.x] = base;
}

//@ cg cg_block
#include <cooperative_groups.h>
KERNEL(int *x)
{
    auto g = cooperative_groups::this_thread_block();
    __shared__ int cell[128];
    int r = g.thread_rank();
    cell[r] = x[r];
    g.sync();
    x[r] = cell[g.size() - 1 - r] * g.group_index().y;
}
//@ cg cg_tile{1,2,4,8,16,32}
#include <cooperative_groups.h>
KERNEL(int *x)
{
    auto g = cooperative_groups::tiled_partition<{}>(cooperative_groups::this_thread_block());
    int v = x[threadIdx.x];
    for (int step = g.size() / 2; step; step /= 2)
        v += g.shfl_xor(v, step);
    g.sync();
    if (!g.thread_rank())
        x[g.meta_group_rank()] = g.ballot(v > 1) + g.any(v > 2) * g.all(v > 3) + g.shfl_down(v, 1);
}
//@ cg cg_tile64
#include <cooperative_groups.h>
KERNEL(int *x)
{
    __shared__ cooperative_groups::block_tile_memory<128> memory;
    auto b = cooperative_groups::this_thread_block(memory);
    auto g = cooperative_groups::tiled_partition<64>(b);
    int v = g.shfl(x[threadIdx.x], 3);
    g.sync();
    x[threadIdx.x] = v - g.any(v);
}
//@ cg cg_grid
#include <cooperative_groups.h>
KERNEL(int *x)
{
    auto g = cooperative_groups::this_grid();
    x[g.thread_rank()] = 3;
    g.sync();
    x[g.thread_rank()] *= x[g.size() - 1 - g.thread_rank()];
}
//@ cg cg_grid_valid
#include <cooperative_groups.h>
KERNEL(int *x)
{
    auto g = cooperative_groups::this_grid();
    if (!g.is_valid())
        return;
    auto t = g.barrier_arrive();
    x[g.block_rank()] = 3;
    g.barrier_wait((decltype(t) &&) t);
}
//@ cg cg_coalesced
#include <cooperative_groups.h>
KERNEL(int *x)
{
    INDEX;
    if (x[i] < 7) {
        auto g = cooperative_groups::coalesced_threads();
        int at = 0;
        if (!g.thread_rank())
            at = atomicAdd(x + 500, (int) g.size());
        at = g.thread_rank() + g.shfl(at, 0);
        g.sync();
        x[at] = 3;
    }
}
//@ cg cg_labeled
#include <cooperative_groups.h>
KERNEL(int *x)
{
    INDEX;
    auto w = cooperative_groups::tiled_partition<32>(cooperative_groups::this_thread_block());
    auto g = cooperative_groups::labeled_partition(w, x[i] & 3);
    x[i] = g.thread_rank() * g.size();
}
//@ cg cg_binary
#include <cooperative_groups.h>
KERNEL(int *x)
{
    INDEX;
    auto w = cooperative_groups::tiled_partition<32>(cooperative_groups::this_thread_block());
    auto g = cooperative_groups::binary_partition(w, x[i] > 2);
    x[i] = g.thread_rank() * g.size();
}
//@ cg cg_reduce_{int,float,double,unsigned long long}
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
KERNEL({} *x)
{
    INDEX;
    auto w = cooperative_groups::tiled_partition<32>(cooperative_groups::this_thread_block());
    x[i] = cooperative_groups::reduce(w, x[i], cooperative_groups::greater<{}>()) -
           cooperative_groups::reduce(w, x[i], cooperative_groups::plus<{}>());
}
//@ cg cg_scan
#include <cooperative_groups.h>
#include <cooperative_groups/scan.h>
KERNEL(int *x)
{
    INDEX;
    auto w = cooperative_groups::tiled_partition<32>(cooperative_groups::this_thread_block());
    x[i] =
        cooperative_groups::exclusive_scan(w, x[i]) - cooperative_groups::inclusive_scan(w, x[i]);
}
//@ cg cg_invoke_one arch=90
#include <cooperative_groups.h>
KERNEL(int *x)
{
    INDEX;
    auto b = cooperative_groups::this_thread_block();
    cooperative_groups::invoke_one(b, [&] { x[1] = 2; });
    x[i] *= b.dim_threads().y;
}
//@ cg cg_memcpy_async
#include <cooperative_groups.h>
#include <cooperative_groups/memcpy_async.h>
KERNEL(int *x)
{
    extern __shared__ int cell[];
    auto b = cooperative_groups::this_thread_block();
    cooperative_groups::memcpy_async(b, cell, x, b.size() * sizeof *x);
    cooperative_groups::wait(b);
    x[b.thread_rank()] = cell[b.size() - 1 - b.thread_rank()];
}
//@ cg cg_cluster arch=90
#include <cooperative_groups.h>
extern "C" __global__ void __cluster_dims__(4, 1, 1) k(int *x)
{
    auto c = cooperative_groups::this_cluster();
    __shared__ int cell;
    if (!threadIdx.x)
        cell = blockIdx.x;
    c.sync();
    int *other = c.map_shared_rank(&cell, c.block_rank() ^ 3);
    x[blockIdx.x] = *other;
    c.sync();
}

//@ print printf_plain
KERNEL()
{
    printf("nothing to see\n");
}
//@ print printf_args
KERNEL(int *x, float f, double d, long long l, const char *s)
{
    printf("%lld|%s|%d|%f|%e|%c|%x|%p|%6.3f|%%\n", l, s, x[1], f, d, 66, 254u, x, d);
}
//@ print printf_ret
KERNEL(int *x)
{
    INDEX;
    x[i] = printf("thread %d of block %d\n", threadIdx.x, blockIdx.x);
}
//@ print printf_half
#include <cuda_fp16.h>
KERNEL(__half *x)
{
    printf("%g\n", __half2float(x[1]));
}
//@ print assert
KERNEL(int *x)
{
    INDEX;
    assert(x[i] < 5);
    x[i] = 2;
}
//@ print assert_msg
__device__ int halve(int v)
{
    assert(v % 2 == 0 && "odd");
    return v / 2;
}
KERNEL(int *x)
{
    INDEX;
    x[i] = halve(x[i]);
}
//@ print trap
KERNEL(int *x)
{
    if (x[1] > 4)
        __trap();
    x[1] = 2;
}
//@ print brkpt
KERNEL(int *x)
{
    if (x[1] > 4)
        __brkpt();
    x[1] = 2;
}
//@ print exit_early
KERNEL(int *x)
{
    if (x[1] > 4)
        asm("exit;");
    x[1] = 2;
}
//@ print malloc_free
KERNEL(int **x)
{
    INDEX;
    int *p = (int *) malloc(64);
    if (p) {
        p[5] = i;
        x[i] = p;
    }
    free(x[i + 2]);
}
//@ print new_delete
struct Pair {
    int a, b;
    __device__ Pair(int v) : a(v), b(v + 1)
    {
    }
};
KERNEL(Pair **x)
{
    INDEX;
    x[i] = new Pair(i);
    int *list = new int[8];
    list[2] = 5;
    x[0]->b = list[i & 7];
    delete[] list;
    delete x[2];
}
//@ print memcpy_memset
struct Block {
    char bytes[72];
};
KERNEL(Block *x, Block *y, int n)
{
    INDEX;
    memset(x, 3, n);
    memcpy(y + i, x + i, n);
    Block b = y[2];
    x[4] = b;
}
//@ print unreachable
KERNEL(int *x)
{
    switch (x[1]) {
    case 3:
        x[2] = 4;
        break;
    case 4:
        x[2] = 9;
        break;
    default:
        __builtin_unreachable();
    }
}
//@ print assume
KERNEL(int *x, int n)
{
    __builtin_assume(n % 8 == 0);
    int *p = (int *) __builtin_assume_aligned(x, 32);
    for (int j = 0; j < n; j++)
        p[j] = -j;
}

//@ mem shared_static
KERNEL(float *x)
{
    __shared__ float cell[128];
    int t = threadIdx.x;
    cell[t] = x[t];
    __syncthreads();
    x[t] = cell[127 - t];
}
//@ mem shared_dynamic
extern __shared__ float cell[];
KERNEL(float *x, int n)
{
    int t = threadIdx.x;
    cell[t] = x[t];
    __syncthreads();
    x[t] = cell[n - 1 - t];
}
//@ mem shared_dynamic_multi
extern __shared__ __align__(16) unsigned char raw[];
KERNEL(float *x, int n)
{
    double *d = (double *) raw;
    float *f = (float *) (raw + 8 * n);
    short *s = (short *) (raw + 12 * n);
    int t = threadIdx.x;
    d[t] = x[t];
    f[t] = 2 * d[t];
    s[t] = -t;
    __syncthreads();
    x[t] = d[n - 1 - t] - f[0] * s[1];
}
//@ mem shared_struct
struct Item {
    float a, b, c;
    int tag;
};
KERNEL(Item *x)
{
    __shared__ Item cell[32];
    int t = threadIdx.x;
    cell[t] = x[t];
    __syncthreads();
    x[t] = cell[31 - t];
}
//@ mem shared_volatile
KERNEL(float *x)
{
    __shared__ volatile float cell[64];
    int t = threadIdx.x;
    cell[t] = x[t];
    if (t < 32) {
        cell[t] += cell[t + 32];
        cell[t] += cell[t + 16];
        cell[t] += cell[t + 8];
    }
    x[t] = cell[1];
}
//@ mem shared_2d
KERNEL(const float *x, float *y, int n)
{
    __shared__ float tile[16][17];
    int r = blockIdx.y * 16 + threadIdx.y, c = blockIdx.x * 16 + threadIdx.x;
    tile[threadIdx.y][threadIdx.x] = x[r * n + c];
    __syncthreads();
    y[(blockIdx.x * 16 + threadIdx.y) * n + blockIdx.y * 16 + threadIdx.x] =
        tile[threadIdx.x][threadIdx.y];
}
//@ mem const_mem
__constant__ float weight[32];
__constant__ int bias = {9};
KERNEL(float *x)
{
    INDEX;
    x[i] = weight[i % 32] * x[i] - bias;
}
//@ mem const_struct
struct Mix {
    int n;
    double d;
    short s;
    char c[7];
};
__constant__ Mix mix = {4, 2.25, -3, {9, 8, 7}};
KERNEL(double *x)
{
    x[1] = mix.n - mix.d * mix.s + mix.c[threadIdx.x % 7];
}
//@ mem const_table
__constant__ unsigned short power[6] = {1, 3, 9, 27, 81, 243};
__device__ const char note[] = "lo and behold";
KERNEL(int *x)
{
    INDEX;
    x[i] = note[i % 13] - power[x[i] % 6];
}
//@ mem device_global
__device__ int table[8] = {9, 8, 7};
__device__ float scale = 0.75f;
__device__ int *last;
KERNEL(int *x)
{
    INDEX;
    table[i % 8] -= x[1];
    x[2] = table[4] * scale;
    last = x;
}
//@ mem device_ptr_init
__device__ int list[6] = {6, 5, 4, 3, 2, 1};
__device__ int *third = list + 2;
__device__ const char *words[] = {"zero", "one", "two"};
KERNEL(int *x)
{
    x[1] = words[x[0] % 3][1] * *third;
}
//@ mem managed_var
__managed__ int both;
KERNEL(int *x)
{
    both = x[1];
}
//@ mem local_array
KERNEL(int *x, int n)
{
    int a[24];
    for (int j = 0; j < 24; j++)
        a[j] = x[j] - j;
    INDEX;
    x[i] = a[n % 24] * a[(n + 5) % 24];
}
//@ mem local_array_char
KERNEL(char *x, int n)
{
    char a[48];
    for (int j = 0; j < 48; j++)
        a[j * 5 % 48] = x[j];
    INDEX;
    x[i] = a[n % 48];
}
//@ mem local_ptr_escape
__device__ __noinline__ void stir(int *p, int n)
{
    for (int j = 1; j < n; j++)
        p[j] = p[j - 1] * 5 - j;
}
KERNEL(int *x, int n)
{
    int a[12];
    for (int j = 0; j < 12; j++)
        a[j] = x[j];
    stir(a, n);
    x[1] = a[n % 12];
}
//@ mem generic_ptr
KERNEL(float *x, int which)
{
    __shared__ float cell[32];
    float own[3] = {5, 6, 7};
    int t = threadIdx.x;
    cell[t % 32] = x[t];
    __syncthreads();
    float *p = which == 2 ? own : which ? cell : x;
    x[t] = p[which];
    p[1] = 4;
}
//@ mem isspace
KERNEL(int *x, int *y)
{
    __shared__ int s;
    int own;
    int *p = x[1] == 1 ? &own : x[1] ? &s : y;
    x[2] = __isShared(p) | __isGlobal(p) << 1 | __isConstant(p) << 2 | __isLocal(p) << 3;
    *p = 2;
}
//@ mem cvta_asm
KERNEL(int *x)
{
    __shared__ int cell[64];
    INDEX;
    unsigned at = __cvta_generic_to_shared(cell + threadIdx.x % 64);
    int v;
    asm volatile("st.shared.u32 [%0], %1;" ::"r"(at), "r"(x[i]) : "memory");
    __syncthreads();
    asm volatile("ld.shared.u32 %0, [%1];" : "=r"(v) : "r"(at ^ 8));
    x[i] = v;
    *(int *) __cvta_global_to_generic(__cvta_generic_to_global(x + 1)) = 6;
}
//@ mem vec_{float2,float4,float3,double2,int2,int4,uint4,longlong2,ulonglong2}
KERNEL({} *x, const {} *__restrict__ y)
{
    INDEX;
    {} v = y[i];
    v.y -= 3;
    v.x *= 5;
    x[i] = v;
}
//@ mem vec_{uchar2,uchar4,char2,char4,short2,short4,ushort2}
KERNEL({} *x, const {} *__restrict__ y)
{
    INDEX;
    {} v = y[i];
    v.x ^= 3;
    v.y *= 5;
    x[i] = v;
}
//@ mem vec_{double4_32a,longlong4_32a,ulonglong4_32a}
KERNEL({} *x, const {} *__restrict__ y)
{
    INDEX;
    {} v = y[i];
    v.w -= 3;
    v.z *= 5;
    x[i] = v;
}
//@ mem ldg_{int,float4,double,unsigned char,short,long long}
KERNEL({} *x, const {} *y)
{
    INDEX;
    x[i] = __ldg(y + i);
}
//@ mem ldcg_{int,float4,double,unsigned char,short,long long}
KERNEL({} *x, const {} *y)
{
    INDEX;
    x[i] = __ldcg(y + i);
}
//@ mem ldca_{int,float4,double,unsigned char,short,long long}
KERNEL({} *x, const {} *y)
{
    INDEX;
    x[i] = __ldca(y + i);
}
//@ mem ldcs_{int,float4,double,unsigned char,short,long long}
KERNEL({} *x, const {} *y)
{
    INDEX;
    x[i] = __ldcs(y + i);
}
//@ mem ldlu_{int,float4,double,unsigned char,short,long long}
KERNEL({} *x, const {} *y)
{
    INDEX;
    x[i] = __ldlu(y + i);
}
//@ mem ldcv_{int,float4,double,unsigned char,short,long long}
KERNEL({} *x, const {} *y)
{
    INDEX;
    x[i] = __ldcv(y + i);
}
//@ mem stwb_{int,float4,double}
KERNEL({} *x, const {} *y)
{
    INDEX;
    __stwb(x + i, y[i]);
}
//@ mem stcg_{int,float4,double}
KERNEL({} *x, const {} *y)
{
    INDEX;
    __stcg(x + i, y[i]);
}
//@ mem stcs_{int,float4,double}
KERNEL({} *x, const {} *y)
{
    INDEX;
    __stcs(x + i, y[i]);
}
//@ mem stwt_{int,float4,double}
KERNEL({} *x, const {} *y)
{
    INDEX;
    __stwt(x + i, y[i]);
}
//@ mem volatile_global
KERNEL(volatile char *c, volatile int *n, volatile double *d)
{
    c[2] = c[1];
    d[2] = d[1];
    n[2] = n[1] * 3;
}
//@ mem volatile_vec
KERNEL(volatile int *x)
{
    INDEX;
    int v = x[i + 1];
    x[i + 64] = v;
    __threadfence_block();
}
//@ mem restrict_ldg
KERNEL(float *__restrict__ x, const int *__restrict__ at, const float *__restrict__ y)
{
    INDEX;
    x[i] = y[at[i]];
}
//@ mem prefetch
KERNEL(float *x)
{
    INDEX;
    asm volatile("prefetch.global.L1 [%0];" ::"l"(x + i + 256));
    asm volatile("prefetchu.L1 [%0];" ::"l"(x + 1));
    asm volatile("prefetch.global.L2 [%0];" ::"l"(x + i + 2048));
    x[i] -= 2;
}
//@ mem ld_hints arch=80
KERNEL(float *x, float *y)
{
    INDEX;
    float v;
    unsigned long long policy;
    asm("createpolicy.fractional.L2::evict_last.b64 %0, 0.5;" : "=l"(policy));
    asm volatile("ld.global.L1::no_allocate.L2::128B.f32 %0, [%1];" : "=f"(v) : "l"(y + i));
    asm volatile("st.global.L2::cache_hint.f32 [%0], %1, %2;" ::"l"(x + i), "f"(v), "l"(policy));
}
//@ mem unaligned_char
struct __attribute__((packed)) Odd {
    char c;
    double d;
    int n;
};
KERNEL(Odd *x, int *y)
{
    INDEX;
    x[i].d = 5;
    y[i] = (int) x[i].d - x[i].n;
}
//@ mem aligned_struct
struct alignas(16) Three {
    float a, b, c;
};
KERNEL(Three *x, Three *y)
{
    INDEX;
    Three v = y[i];
    v.c *= v.a;
    x[i] = v;
}

//@ param param_struct
struct Args {
    double d;
    int n;
    float f;
    float *p;
    short s[5];
};
KERNEL(Args a)
{
    INDEX;
    if (i < a.n)
        a.p[i] = a.s[3] - a.d * a.f;
}
//@ param param_struct_dyn
struct Args {
    float t[24];
};
KERNEL(Args a, float *x, int n)
{
    INDEX;
    x[i] = a.t[(i * n) % 24];
}
//@ param param_struct_addr
struct Args {
    float t[24];
};
__device__ __noinline__ float pick(const Args &a, int n)
{
    return a.t[n] - 1;
}
KERNEL(Args a, float *x, int n)
{
    INDEX;
    x[i] = pick(a, n);
}
//@ param param_grid_constant
struct Args {
    float t[24];
};
__device__ __noinline__ float pick(const Args &a, int n)
{
    return a.t[n] - 1;
}
KERNEL(const __grid_constant__ Args a, float *x, int n)
{
    INDEX;
    x[i] = pick(a, n);
}
//@ param param_mixed
KERNEL(bool b, char c, double d, short s, float f, unsigned char u, long long l, int n, int *x)
{
    x[1] = b - c * d + s * f - u + l * n;
}
//@ param param_vec
KERNEL(float3 a, float4 b, double2 d, int2 n, float *x)
{
    x[1] = a.z * b.y - d.x * n.y + b.w;
}
//@ param param_half
#include <cuda_fp16.h>
KERNEL(__half h, __half2 p, float *x)
{
    x[1] = __half2float(h) - __low2float(p);
}
//@ param param_large
struct Args {
    int t[900];
};
KERNEL(Args a, int *x)
{
    INDEX;
    x[i] = a.t[i];
}
//@ param param_large32k
struct Args {
    int t[5000];
};
KERNEL(Args a, int *x)
{
    INDEX;
    x[i] = a.t[4999 - i];
}
//@ param param_lambda
template <class F> __device__ void each(F f, int n)
{
    for (int j = 0; j < n; j++)
        f(j);
}
struct Args {
    float *x;
    float scale;
};
KERNEL(Args a, int n)
{
    each([=](int j) { a.x[j] *= a.scale; }, n);
}
//@ param param_nested_ptr
struct Node {
    Node *next;
    int value;
};
struct Args {
    Node *first;
    int *out;
};
KERNEL(Args a)
{
    int sum = 0;
    for (Node *n = a.first; n; n = n->next)
        sum += n->value;
    *a.out = sum;
}
//@ param param_tensor_like
template <int N> struct View {
    float *data;
    int size[N], stride[N];
};
KERNEL(View<3> a, View<3> b)
{
    INDEX;
    int at = 0, left = i;
    for (int d = 2; d >= 0; d--) {
        at += left % a.size[d] * a.stride[d];
        left /= a.size[d];
    }
    b.data[i] = a.data[at];
}
//@ param param_write
struct Args {
    int t[10];
};
KERNEL(Args a, int *x, int n)
{
    a.t[n % 10] = 5;
    a.t[1] -= n;
    x[1] = a.t[n / 2 % 10];
}

//@ control switch_dense
KERNEL(int *x)
{
    INDEX;
    int v;
    switch (x[i]) {
    case 0:
        v = x[i + 1] * 3;
        break;
    case 1:
        v = x[i + 4] - 7;
        break;
    case 2:
        v = x[i + 2] ^ 9;
        break;
    case 3:
        v = x[i + 9] << 2;
        break;
    case 4:
        v = x[i + 5] / 3;
        break;
    case 5:
        v = x[i + 8] % 11;
        break;
    case 6:
        v = x[i + 6] | 64;
        break;
    case 7:
        v = 17 - x[i + 7];
        break;
    case 8:
        v = x[i + 3] & 31;
        break;
    default:
        v = 0;
    }
    x[i] = v;
}
//@ control switch_dense_fn
KERNEL(float *x, int op)
{
    INDEX;
    float v = x[i];
    switch (op) {
    case 0:
        v = logf(v);
        break;
    case 1:
        v = tanhf(v);
        break;
    case 2:
        v = sinf(v);
        break;
    case 3:
        v = erff(v);
        break;
    case 4:
        v = expf(v);
        break;
    case 5:
        v = cosf(v);
        break;
    case 6:
        v = powf(v, 1.7f);
        break;
    case 7:
        v = sqrtf(v);
    }
    x[i] = v;
}
//@ control switch_sparse
KERNEL(int *x)
{
    INDEX;
    switch (x[i]) {
    case 2:
        x[i] = 40;
        break;
    case 700:
        x[i] = 50;
        break;
    case 99999:
        x[i] = 60;
        break;
    case -8:
        x[i] = 70;
    }
}
//@ control switch_interp
KERNEL(const unsigned char *code, int *out, int n)
{
    int stack[12], top = 0;
    for (int at = 0; at < n;)
        switch (code[at++]) {
        case 0:
            stack[top++] = code[at++];
            break;
        case 1:
            top--;
            stack[top - 1] *= stack[top];
            break;
        case 2:
            top--;
            stack[top - 1] -= stack[top];
            break;
        case 3:
            stack[top] = stack[top - 1];
            top++;
            break;
        case 4:
            if (!stack[--top])
                at = code[at];
            break;
        case 5:
            out[threadIdx.x] = stack[top - 1];
            return;
        }
}
//@ control recursion
__device__ int ways(int n)
{
    return n < 3 ? 1 : ways(n - 1) + ways(n - 3);
}
KERNEL(int *x)
{
    INDEX;
    x[i] = ways(x[i]);
}
//@ control recursion_mutual
__device__ int odd(int);
__device__ __noinline__ int even(int n)
{
    return n ? odd(n - 1) : 2;
}
__device__ __noinline__ int odd(int n)
{
    return n ? even(n - 1) : 3;
}
KERNEL(int *x)
{
    INDEX;
    x[i] = odd(x[i]);
}
//@ control recursion_qsort
__device__ void sort(int *a, int low, int high)
{
    if (low >= high)
        return;
    int at = low;
    for (int j = low; j < high; j++)
        if (a[j] > a[high]) {
            int t = a[at];
            a[at++] = a[j];
            a[j] = t;
        }
    int t = a[at];
    a[at] = a[high];
    a[high] = t;
    sort(a, low, at - 1);
    sort(a, at + 1, high);
}
KERNEL(int *x, int n)
{
    INDEX;
    sort(x + i * n, 0, n - 1);
}
//@ control noinline_call
__device__ __noinline__ float blend(double d, float f, int n)
{
    return d - f * n;
}
KERNEL(float *x)
{
    INDEX;
    x[i] = blend(0.5, x[i], i);
}
//@ control noinline_struct_ret
struct Five {
    float a, b, c, d, e;
};
__device__ __noinline__ Five turn(Five v, float s)
{
    v.b -= s;
    v.e *= v.a;
    return v;
}
KERNEL(Five *x)
{
    INDEX;
    x[i] = turn(x[i], 1.5f);
}
//@ control noinline_small_types
__device__ __noinline__ short join(unsigned char u, bool b, char c)
{
    return u * b - c;
}
KERNEL(short *x, char *y)
{
    x[1] = join(y[2], y[0] < 3, y[1]);
}
//@ control noinline_void
__device__ __noinline__ void bump(int *p)
{
    *p -= 2;
}
KERNEL(int *x)
{
    INDEX;
    bump(x + i);
}
//@ control funcptr
typedef float (*Step)(float);
__device__ float twice(float v)
{
    return v + v;
}
__device__ float less(float v)
{
    return v - 3;
}
__device__ float back(float v)
{
    return 1 / v;
}
__device__ Step steps[] = {twice, less, back};
KERNEL(float *x, int n)
{
    INDEX;
    x[i] = steps[n](x[i]);
}
//@ control funcptr_param
typedef int (*Step)(int, int);
KERNEL(int *x, Step step)
{
    INDEX;
    x[i] = step(4, x[i]);
}
//@ control funcptr_select
typedef int (*Step)(int);
__device__ __noinline__ int up(int v)
{
    return v + 4;
}
__device__ __noinline__ int down(int v)
{
    return v / 3;
}
KERNEL(int *x)
{
    INDEX;
    Step s = x[1] < 2 ? down : up;
    x[i] = s(x[i]);
}
//@ control virtual
struct Shape {
    __device__ virtual float area(float) = 0;
    __device__ virtual ~Shape()
    {
    }
};
struct Box : Shape {
    float w;
    __device__ Box(float v) : w(v)
    {
    }
    __device__ float area(float h) override
    {
        return w * h;
    }
};
struct Dot : Shape {
    __device__ float area(float h) override
    {
        return -h;
    }
};
KERNEL(float *x, int n)
{
    INDEX;
    Box b(3.f);
    Dot d;
    Shape *s = n < 2 ? (Shape *) &d : &b;
    x[i] = s->area(x[i]);
}
//@ control virtual_new
struct Shape {
    __device__ virtual int sides() = 0;
    __device__ virtual ~Shape()
    {
    }
};
struct Box : Shape {
    __device__ int sides() override
    {
        return 4;
    }
};
struct Tri : Shape {
    __device__ int sides() override
    {
        return 3;
    }
};
extern "C" __global__ void make(Shape **s)
{
    s[1] = new Tri;
    s[0] = new Box;
}
KERNEL(Shape **s, int *x)
{
    INDEX;
    x[i] = s[i % 2]->sides();
}
extern "C" __global__ void drop(Shape **s)
{
    delete s[1];
    delete s[0];
}
//@ control virtual_multi
struct Left {
    int l;
    __device__ virtual int left()
    {
        return l;
    }
};
struct Right {
    int r;
    __device__ virtual int right()
    {
        return r;
    }
};
struct Both : Left, Right {
    __device__ int right() override
    {
        return r - l;
    }
};
KERNEL(int *x)
{
    Both b;
    b.r = x[1];
    b.l = x[2];
    Right *p = x[3] > 1 ? &b : (Right *) x;
    x[0] = p->right();
}
//@ control loop_nested
KERNEL(const float *x, float *y, int n)
{
    float sum = 1;
    for (int a = 0; a < n; a++)
        for (int b = n; b > a; b--) {
            if (x[b] > 8)
                continue;
            if (x[b] < -3)
                break;
            sum -= x[a] / x[b];
        }
    y[threadIdx.x] = sum;
}
//@ control loop_unroll
KERNEL(const float *x, float *y)
{
    float sum = 0;
#pragma unroll
    for (int j = 0; j < 12; j++)
        sum += x[j * 64 + threadIdx.x];
    y[threadIdx.x] = sum;
}
//@ control goto_irreducible
KERNEL(int *x, int n)
{
    int j = 1;
    if (n % 3)
        goto inside;
head:
    x[j] -= 2;
    j++;
inside:
    x[j] += 5;
    j++;
    if (j < n)
        goto head;
    if (x[j] > 8)
        goto inside;
}
//@ control early_return
KERNEL(int *x, int n)
{
    INDEX;
    if (i > n)
        return;
    if (x[i] < 1) {
        x[i] = 5;
        return;
    }
    x[i] = 77 / x[i];
}
//@ control while_div
KERNEL(int *x)
{
    INDEX;
    int v = x[i], steps = 0;
    while (v > 1) {
        v = v & 1 ? v * 3 + 1 : v >> 1;
        steps++;
    }
    x[i] = steps;
}
//@ control mandel
KERNEL(int *x, float left, float top, float step, int width)
{
    INDEX;
    float cr = left + step * (i % width), ci = top + step * (i / width), r = 0, m = 0;
    int n = 0;
    while (n < 200 && r * r + m * m < 4) {
        float t = r * r - m * m + cr;
        m = 2 * r * m + ci;
        r = t;
        n++;
    }
    x[i] = n;
}
//@ control ternary_pred
KERNEL(int *x, const int *y)
{
    INDEX;
    int a = x[i], b = y[i];
    x[i] = (a < 4 && b > -2) || (b < 9 && a == 0) ? b : a;
}
//@ control launch_bounds
extern "C" __global__ void __launch_bounds__(192, 3) k(int *x)
{
    INDEX;
    x[i] = 2;
}
//@ control launch_maxnreg
extern "C" __global__ void __maxnreg__(40) k(int *x)
{
    INDEX;
    x[i] = 2;
}
//@ control nanosleep
KERNEL(int *x)
{
    __nanosleep(250);
    x[1] = 2;
}
//@ control clock
KERNEL(long long *x)
{
    unsigned long long t;
    unsigned low;
    asm volatile("mov.u32 %0, %%globaltimer_lo;" : "=r"(low));
    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(t));
    x[3] = clock64();
    x[2] = clock();
    x[1] = t - low;
}
//@ control sreg_all
KERNEL(unsigned *x)
{
    unsigned v, n = 0;
    unsigned long long id;
#define READ(name)                                      \
    asm volatile("mov.u32 %0, %%" #name ";" : "=r"(v)); \
    x[n++] = v
    READ(total_smem_size);
    READ(dynamic_smem_size);
    READ(nwarpid);
    READ(envreg0);
    READ(pm0);
    asm volatile("mov.u64 %0, %%gridid;" : "=l"(id));
    x[n++] = id;
    x[n++] = threadIdx.x ^ threadIdx.y ^ threadIdx.z;
    x[n++] = blockIdx.x ^ blockIdx.y ^ blockIdx.z;
    x[n++] = blockDim.x ^ blockDim.y ^ blockDim.z;
    x[n++] = gridDim.x ^ gridDim.y ^ gridDim.z;
    x[n++] = warpSize;
}
//@ control tid64
KERNEL(char *x, size_t n)
{
    size_t step = (size_t) blockDim.x * gridDim.x;
    for (size_t j = threadIdx.x + (size_t) blockDim.x * blockIdx.x; j < n; j += step)
        x[j] = 2;
}

//@ cpp cplx_std
#include <cuda/std/complex>
typedef cuda::std::complex<float> C;
KERNEL(C *x, const C *y)
{
    INDEX;
    x[i] = x[i] / (y[i] * C(3, -1)) - y[i + 1];
}
//@ cpp cplx_{exp,log,sqrt,sin,abs}_float
#include <cuda/std/complex>
KERNEL(cuda::std::complex<float> *x)
{
    INDEX;
    x[i] = cuda::std::{}(x[i]);
}
//@ cpp cplx_{exp,log,sqrt,sin,abs}_double
#include <cuda/std/complex>
KERNEL(cuda::std::complex<double> *x)
{
    INDEX;
    x[i] = cuda::std::{}(x[i]);
}
//@ cpp cplx_pow_{float,double}
#include <cuda/std/complex>
KERNEL(cuda::std::complex<{}> *x)
{
    INDEX;
    x[i] = cuda::std::pow(x[i], x[i + 1]);
}
//@ cpp cplx_cucomplex
#include <cuComplex.h>
KERNEL(cuFloatComplex *x, cuDoubleComplex *y)
{
    INDEX;
    x[i] = cuCdivf(x[i], x[i + 1]);
    x[i + 2] = cuCmulf(x[i], x[i + 1]);
    y[i].y = cuCabs(y[i + 1]);
    y[i + 1] = cuCmul(y[i], y[i]);
}
//@ cpp std_array
#include <cuda/std/array>
#include <cuda/std/optional>
#include <cuda/std/span>
#include <cuda/std/tuple>
KERNEL(int *x, int n)
{
    cuda::std::array<int, 3> a{7, 8, 9};
    cuda::std::span<int> all(x, n);
    for (int &v : all)
        v *= a[v % 3];
    cuda::std::optional<int> maybe;
    if (n < 5)
        maybe = 6;
    all[1] = maybe.value_or(3);
    auto two = cuda::std::make_tuple(2.5f, 4);
    all[0] = cuda::std::get<1>(two);
}
//@ cpp mdspan
#include <cuda/std/mdspan>
KERNEL(float *x, int n)
{
    cuda::std::mdspan<float, cuda::std::dextents<int, 2>> grid(x, n, 2 * n);
    grid(threadIdx.y, threadIdx.x) = 2;
}
//@ cpp cpp_templates
template <class T, int N> struct Series {
    T c[N];
    __device__ T at(T v) const
    {
        T sum = 0;
        for (int j = 0; j < N; j++)
            sum = sum * v + c[j];
        return sum;
    }
};
KERNEL(float *x, Series<float, 5> s)
{
    INDEX;
    x[i] = s.at(x[i]);
}
//@ cpp cpp_lambda
KERNEL(int *x, int n)
{
    INDEX;
    auto f = [=](int v) { return n - v * 3; };
    x[i] = f(x[i]);
}
//@ cpp cpp_ctor_global
struct Count {
    int n;
    __device__ constexpr Count(int v) : n(v + 5)
    {
    }
};
__device__ Count count(8);
KERNEL(int *x)
{
    x[1] = --count.n;
}
//@ cpp cpp_static_local
KERNEL(int *x)
{
    INDEX;
    static int calls = 4;
    __shared__ int mine;
    if (!threadIdx.x)
        mine = calls++;
    __syncthreads();
    x[i] = mine;
}
//@ cpp cpp_placement
struct Held {
    float v;
    __device__ Held(float a) : v(a + 1)
    {
    }
};
KERNEL(float *x)
{
    __shared__ alignas(16) char room[32];
    Held *h = new (room) Held(2.f);
    x[1] = h->v;
}

//@ texture tex_1d_fetch
KERNEL(cudaTextureObject_t t, float *x)
{
    INDEX;
    x[i] = tex1Dfetch<float>(t, i + 1);
}
//@ texture tex_1d
KERNEL(cudaTextureObject_t t, float *x)
{
    INDEX;
    x[i] = tex1D<float>(t, x[i]);
}
//@ texture tex_2d
KERNEL(cudaTextureObject_t t, float *x)
{
    INDEX;
    x[i] = tex2D<float>(t, x[i], x[i + 1]);
}
//@ texture tex_3d
KERNEL(cudaTextureObject_t t, float *x)
{
    INDEX;
    x[i] = tex3D<float>(t, x[i], x[i + 1], x[i + 2]);
}
//@ texture tex_1dlayered
KERNEL(cudaTextureObject_t t, float *x)
{
    INDEX;
    x[i] = tex1DLayered<float>(t, x[i], i);
}
//@ texture tex_2dlayered
KERNEL(cudaTextureObject_t t, float *x)
{
    INDEX;
    x[i] = tex2DLayered<float>(t, x[i], x[i + 1], i);
}
//@ texture tex_cube
KERNEL(cudaTextureObject_t t, float *x)
{
    INDEX;
    x[i] = texCubemap<float>(t, x[i], x[i + 1], x[i + 2]);
}
//@ texture tex_2dlod
KERNEL(cudaTextureObject_t t, float *x)
{
    INDEX;
    x[i] = tex2DLod<float>(t, x[i], x[i + 1], 0.5f);
}
//@ texture tex_2dgrad
KERNEL(cudaTextureObject_t t, float *x)
{
    INDEX;
    x[i] = tex2DGrad<float>(t, x[i], x[i + 1], make_float2(0, 2), make_float2(2, 0));
}
//@ texture tex_2d_{float2,float4,int,int4,uchar4,short4,short,unsigned,signed char}
KERNEL(cudaTextureObject_t t, {} *x)
{
    INDEX;
    x[i] = tex2D<{}>(t, i * 0.25f, i);
}
//@ texture tex_gather
KERNEL(cudaTextureObject_t t, float4 *x)
{
    INDEX;
    x[i] = tex2Dgather<float4>(t, i + 0.5f, i, 2);
}
//@ texture surf_read_1d
KERNEL(cudaSurfaceObject_t s, float *x)
{
    INDEX;
    x[i] = surf1Dread<float>(s, 4 * i);
}
//@ texture surf_read_2d
KERNEL(cudaSurfaceObject_t s, float *x)
{
    INDEX;
    x[i] = surf2Dread<float>(s, 4 * i, i + 1);
}
//@ texture surf_read_3d
KERNEL(cudaSurfaceObject_t s, float *x)
{
    INDEX;
    x[i] = surf3Dread<float>(s, 4 * i, i + 1, 2);
}
//@ texture surf_read_2d_clamp
KERNEL(cudaSurfaceObject_t s, float *x)
{
    INDEX;
    x[i] = surf2Dread<float>(s, 4 * i, i + 1, cudaBoundaryModeClamp);
}
//@ texture surf_read_2d_zero
KERNEL(cudaSurfaceObject_t s, float *x)
{
    INDEX;
    x[i] = surf2Dread<float>(s, 4 * i, i + 1, cudaBoundaryModeZero);
}
//@ texture surf_read_2dlayered
KERNEL(cudaSurfaceObject_t s, float *x)
{
    INDEX;
    x[i] = surf2DLayeredread<float>(s, 4 * i, i + 1, 3);
}
//@ texture surf_write_1d
KERNEL(cudaSurfaceObject_t s, float *x)
{
    INDEX;
    surf1Dwrite(x[i], s, 4 * i);
}
//@ texture surf_write_2d
KERNEL(cudaSurfaceObject_t s, float *x)
{
    INDEX;
    surf2Dwrite(x[i], s, 4 * i, i + 1);
}
//@ texture surf_write_3d
KERNEL(cudaSurfaceObject_t s, float *x)
{
    INDEX;
    surf3Dwrite(x[i], s, 4 * i, i + 1, 2);
}
//@ texture surf_write_2d_zero
KERNEL(cudaSurfaceObject_t s, float *x)
{
    INDEX;
    surf2Dwrite(x[i], s, 4 * i, i + 1, cudaBoundaryModeZero);
}
//@ texture surf_write_uchar4
KERNEL(cudaSurfaceObject_t s, uchar4 *x)
{
    INDEX;
    uchar4 v;
    surf2Dread(&v, s, 4 * i, i + 2);
    surf2Dwrite(x[i], s, 4 * i, i + 1);
    x[i] = v;
}

//@ asm asm_mad
KERNEL(int *x)
{
    INDEX;
    int v;
    asm("mad.lo.s32 %0, %1, %2, %3;" : "=r"(v) : "r"(x[i + 2]), "r"(x[i]), "r"(x[i + 1]));
    x[i] = v;
}
//@ asm asm_bfe
KERNEL(unsigned *x)
{
    INDEX;
    unsigned a, b, c;
    int s;
    asm("bfe.s32 %0, %1, %2, %3;" : "=r"(s) : "r"(x[i]), "r"(x[i + 1]), "r"(3));
    asm("bfe.u32 %0, %1, %2, 7;" : "=r"(a) : "r"(x[i]), "r"(x[i + 1]));
    asm("bfi.b32 %0, %1, %2, 5, 9;" : "=r"(b) : "r"(a), "r"(s));
    asm("bfind.u32 %0, %1;" : "=r"(c) : "r"(b));
    x[i] = b;
    x[i + 1] = c;
}
//@ asm asm_lop3
KERNEL(unsigned *x)
{
    INDEX;
    unsigned v;
    asm("lop3.b32 %0, %1, %2, %3, 0xE8;" : "=r"(v) : "r"(x[i]), "r"(x[i + 1]), "r"(x[i + 2]));
    x[i] = v;
}
//@ asm asm_pred
KERNEL(int *x)
{
    INDEX;
    int v;
    asm("{ .reg .pred yes, no; setp.gt.and.s32 yes|no, %1, %2, 1; @yes mov.s32 %0, 8; @!yes "
        "mov.s32 %0, 3; @no add.s32 %0, %0, 2; }"
        : "=r"(v)
        : "r"(x[i]), "r"(x[i + 1]));
    x[i] = v;
}
//@ asm asm_vol_ld
KERNEL(int *x)
{
    INDEX;
    int v;
    asm volatile("ld.relaxed.sys.global.s32 %0, [%1];" : "=r"(v) : "l"(x + i));
    asm volatile("fence.sc.sys;" ::: "memory");
    asm volatile("st.release.gpu.global.s32 [%0], %1;" ::"l"(x + i + 1), "r"(v) : "memory");
    asm volatile("fence.acq_rel.gpu;" ::: "memory");
    asm volatile("red.release.gpu.global.add.s32 [%0], %1;" ::"l"(x), "r"(v) : "memory");
    asm volatile("ld.acquire.gpu.global.s32 %0, [%1];" : "=r"(v) : "l"(x + i) : "memory");
    x[i] = v;
}
//@ asm asm_branch
KERNEL(int *x)
{
    INDEX;
    int v = x[i];
    asm volatile("{ .reg .pred more; again_%=: sub.s32 %0, %0, 5; setp.ge.s32 more, %0, 5; @more "
                 "bra again_%=; }"
                 : "+r"(v));
    x[i] = v;
}
//@ asm asm_call_like
KERNEL(float *x)
{
    INDEX;
    float v;
    asm("{ .reg .f32 t; add.f32 t, %1, %1; fma.rn.f32 %0, t, %1, 0f40400000; }"
        : "=f"(v)
        : "f"(x[i]));
    x[i] = v;
#define ONE(name, n)                                \
    asm(name " %0, %1;" : "=f"(v) : "f"(x[i + n])); \
    x[i + n] = v
    ONE("lg2.approx.f32", 1);
    ONE("tanh.approx.f32", 2);
    ONE("ex2.approx.ftz.f32", 3);
    ONE("rsqrt.approx.ftz.f32", 4);
    ONE("rcp.approx.ftz.f32", 5);
}
//@ asm asm_order
KERNEL(float *x)
{
    INDEX;
    float v;
    unsigned b;
    asm("lg2.approx.f32.ftz %0, %1;" : "=f"(v) : "f"(x[i]));
    x[i] = v;
    asm volatile(
        "{ .reg .pred p; setp.lt.f32 p, %1, 0f00000000; vote.ballot.sync.b32 %0, p, 0xffffffff; }"
        : "=r"(b)
        : "f"(v));
    x[i + 1] = b;
}
//@ asm asm_cvt_pack arch=80
KERNEL(unsigned *x, float *f)
{
    INDEX;
    unsigned v;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(v) : "f"(f[i]));
    x[i] = v;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(v) : "f"(f[i]), "f"(f[i + 1]));
    x[i + 1] = v;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(v) : "f"(f[i]), "f"(f[i + 1]));
    x[i + 2] = v;
    asm("cvt.pack.sat.u8.s32.b32 %0, %1, %2, %3;"
        : "=r"(v)
        : "r"(x[i]), "r"(x[i + 1]), "r"(x[i + 2]));
    x[i + 3] = v;
}
//@ asm asm_video
KERNEL(unsigned *x)
{
    INDEX;
    unsigned v;
    asm("vabsdiff4.u32.u32.u32.add %0, %1, %2, %3;"
        : "=r"(v)
        : "r"(x[i]), "r"(x[i + 1]), "r"(x[i + 2]));
    x[i] = v;
    asm("vadd.u32.u32.u32.sat %0, %1.b3, %2.h1;" : "=r"(v) : "r"(x[i]), "r"(x[i + 1]));
    x[i + 1] = v;
}
//@ asm asm_szext
KERNEL(unsigned *x)
{
    INDEX;
    unsigned v;
    asm("bmsk.clamp.b32 %0, %1, %2;" : "=r"(v) : "r"(x[i]), "r"(x[i + 1]));
    x[i] = v;
    asm("szext.wrap.u32 %0, %1, %2;" : "=r"(v) : "r"(x[i]), "r"(x[i + 1]));
    x[i + 1] = v;
}
//@ asm asm_madc
KERNEL(unsigned *x)
{
    unsigned a, b, c, d;
    asm("mul.lo.u32 %0, %4, %6; mul.hi.u32 %1, %4, %6; mad.lo.cc.u32 %1, %5, %6, %1; "
        "madc.hi.cc.u32 %2, %5, %6, 0;"
        " addc.u32 %3, 0, 0; mad.lo.cc.u32 %2, %5, %7, %2; madc.hi.u32 %3, %5, %7, %3; sub.cc.u32 "
        "%0, %0, 3; subc.cc.u32 %1, %1, 0; subc.u32 %2, %2, 0;"
        : "=&r"(a), "=&r"(b), "=&r"(c), "=&r"(d)
        : "r"(x[0]), "r"(x[1]), "r"(x[2]), "r"(x[3]));
    x[0] = a;
    x[1] = b;
    x[2] = c;
    x[3] = d;
}
//@ asm asm_prmt_modes
KERNEL(unsigned *x)
{
    unsigned v, n = 4;
#define ONE(mode)                                                                        \
    asm("prmt.b32" mode " %0, %1, %2, %3;" : "=r"(v) : "r"(x[1]), "r"(x[2]), "r"(x[3])); \
    x[n++] = v
    ONE("");
    ONE(".rc16");
    ONE(".ecr");
    ONE(".ecl");
    ONE(".rc8");
    ONE(".b4e");
    ONE(".f4e");
}
//@ asm asm_slct_testp
KERNEL(float *f, int *n)
{
    float v;
    int q;
    asm("copysign.f32 %0, %1, %2;" : "=f"(v) : "f"(f[1]), "f"(f[2]));
    f[0] = v;
    asm("{ .reg .pred tiny; testp.subnormal.f32 tiny, %1; selp.b32 %0, 4, 5, tiny; }"
        : "=r"(q)
        : "f"(f[1]));
    n[0] = q;
    asm("set.ge.u32.f32 %0, %1, %2;" : "=r"(q) : "f"(f[1]), "f"(f[2]));
    n[1] = q;
    asm("slct.f32.s32 %0, %1, %2, %3;" : "=f"(v) : "f"(f[1]), "f"(f[2]), "r"(n[2]));
    f[3] = v;
}

//@ tensor wmma_f16_f32
WMMA(16, 16, 16, __half, __half, float)
//@ tensor wmma_f16_f16
WMMA(16, 16, 16, __half, __half, __half)
//@ tensor wmma_f16_32_8_16
WMMA(32, 8, 16, __half, __half, float)
//@ tensor wmma_s8
WMMA(16, 16, 16, signed char, signed char, int)
//@ tensor wmma_u8
WMMA(8, 32, 16, unsigned char, unsigned char, int)
//@ tensor wmma_bf16 arch=80
WMMA(16, 16, 16, __nv_bfloat16, __nv_bfloat16, float)
//@ tensor wmma_tf32 arch=80
WMMA(16, 16, 8, nvcuda::wmma::precision::tf32, float, float)
//@ tensor wmma_f64 arch=80
WMMA(8, 8, 4, double, double, double)
//@ tensor mma_m16n8k16_f16 arch=80
KERNEL(const unsigned *a, const unsigned *b, float *c)
{
    int t = threadIdx.x;
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, "
                 "%7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(c[t]), "+f"(c[t + 32]), "+f"(c[t + 64]), "+f"(c[t + 96])
                 : "r"(a[t]), "r"(a[t + 32]), "r"(a[t + 64]), "r"(a[t + 96]), "r"(b[t]),
                   "r"(b[t + 32]));
}
//@ tensor mma_m16n8k8_tf32 arch=80
KERNEL(const unsigned *a, const unsigned *b, float *c)
{
    int t = threadIdx.x;
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, "
                 "%6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(c[t]), "+f"(c[t + 32]), "+f"(c[t + 64]), "+f"(c[t + 96])
                 : "r"(a[t]), "r"(a[t + 32]), "r"(a[t + 64]), "r"(a[t + 96]), "r"(b[t]),
                   "r"(b[t + 32]));
}
//@ tensor ldmatrix
KERNEL(unsigned *x)
{
    __shared__ alignas(16) unsigned cell[128];
    int t = threadIdx.x;
    cell[t] = x[t];
    __syncthreads();
    unsigned at = __cvta_generic_to_shared(cell + 4 * t), a, b, c, d, e;
    asm volatile("ldmatrix.sync.aligned.m8n8.x1.trans.shared.b16 {%0}, [%1];" : "=r"(e) : "r"(at));
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(a), "=r"(b), "=r"(c), "=r"(d)
                 : "r"(at));
    x[t] = a ^ b ^ c ^ d ^ e;
}
//@ async cp_async arch=80
KERNEL(const float4 *x, float4 *y)
{
    __shared__ float4 cell[32];
    int t = threadIdx.x;
    unsigned at = __cvta_generic_to_shared(cell + t);
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(at), "l"(x + t));
    asm volatile("cp.async.commit_group;");
    asm volatile("cp.async.wait_group 0;" ::: "memory");
    __syncthreads();
    y[t] = cell[31 - t];
}
//@ async pipeline_prim
#include <cuda_pipeline.h>
KERNEL(const float4 *x, float4 *y)
{
    __shared__ float4 cell[2][32];
    int t = threadIdx.x;
    for (int s = 0; s < 2; s++) {
        __pipeline_memcpy_async(&cell[s][t], x + 32 * s + t, 16, 4 * s);
        __pipeline_commit();
    }
    __pipeline_wait_prior(1);
    __syncthreads();
    y[t] = cell[0][31 - t];
    __pipeline_wait_prior(0);
    __syncthreads();
    y[t + 32] = cell[1][31 - t];
}
//@ async pipeline_cuda
#include <cooperative_groups.h>
#include <cuda/pipeline>
KERNEL(const float *x, float *y)
{
    __shared__ float cell[32];
    __shared__ cuda::pipeline_shared_state<cuda::thread_scope_block, 1> state;
    auto b = cooperative_groups::this_thread_block();
    auto p = cuda::make_pipeline(b, &state);
    p.producer_acquire();
    cuda::memcpy_async(b, cell, x, cuda::aligned_size_t<4>(128), p);
    p.producer_commit();
    p.consumer_wait();
    y[threadIdx.x] = cell[31 - threadIdx.x];
    p.consumer_release();
}
//@ async barrier_cuda
#include <cuda/barrier>
KERNEL(int *x)
{
    __shared__ cuda::barrier<cuda::thread_scope_block> b;
    if (!threadIdx.x)
        init(&b, blockDim.x);
    __syncthreads();
    auto t = b.arrive();
    x[threadIdx.x] = 2;
    b.wait((decltype(t) &&) t);
    b.arrive_and_wait();
    b.arrive_and_drop();
}
//@ async barrier_memcpy
#include <cooperative_groups.h>
#include <cuda/barrier>
KERNEL(int *x)
{
    __shared__ int cell[32];
    __shared__ cuda::barrier<cuda::thread_scope_block> b;
    auto g = cooperative_groups::this_thread_block();
    if (!g.thread_rank())
        init(&b, g.size());
    g.sync();
    cuda::memcpy_async(g, cell, x, sizeof cell, b);
    b.arrive_and_wait();
    x[threadIdx.x] = cell[31 - threadIdx.x];
}
//@ async awbarrier
#include <cuda_awbarrier.h>
KERNEL(int *x)
{
    __shared__ __mbarrier_t b;
    if (!threadIdx.x)
        __mbarrier_init(&b, blockDim.x);
    __syncthreads();
    auto t = __mbarrier_arrive(&b);
    x[threadIdx.x] = 2;
    while (!__mbarrier_test_wait(&b, t))
        ;
}
//@ async mbarrier_try arch=90
KERNEL(int *x)
{
    __shared__ unsigned long long b;
    unsigned at = __cvta_generic_to_shared(&b), done;
    unsigned long long state;
    if (!threadIdx.x)
        asm volatile("mbarrier.init.shared.b64 [%0], %1;" ::"r"(at), "r"(blockDim.x));
    __syncthreads();
    asm volatile("mbarrier.arrive.shared.b64 %0, [%1];" : "=l"(state) : "r"(at));
    do
        asm volatile(
            "{ .reg .pred ok; mbarrier.try_wait.shared.b64 ok, [%1], %2; selp.u32 %0, 1, 0, ok; }"
            : "=r"(done)
            : "r"(at), "l"(state));
    while (!done);
    x[threadIdx.x] = 2;
}
//@ async bulk_copy arch=90
#include <cuda/barrier>
#include <cuda/ptx>
KERNEL(const int *x, int *y)
{
    using B = cuda::barrier<cuda::thread_scope_block>;
    __shared__ alignas(16) int cell[128];
    __shared__ B b;
    bool one = !threadIdx.x;
    if (one) {
        init(&b, blockDim.x);
        cuda::ptx::fence_proxy_async(cuda::ptx::space_shared);
    }
    __syncthreads();
    B::arrival_token t;
    if (one) {
        cuda::ptx::cp_async_bulk(cuda::ptx::space_cluster, cuda::ptx::space_global, cell, x,
                                 sizeof cell, cuda::device::barrier_native_handle(b));
        t = cuda::device::barrier_arrive_tx(b, 1, sizeof cell);
    } else
        t = b.arrive();
    b.wait((B::arrival_token &&) t);
    y[threadIdx.x] = cell[threadIdx.x];
}
//@ async griddep arch=90
KERNEL(int *x)
{
    asm volatile("griddepcontrol.wait;");
    x[1] = 2;
    asm volatile("griddepcontrol.launch_dependents;");
}

//@ library cub_blockreduce
#include <cub/block/block_reduce.cuh>
KERNEL(const int *x, int *y)
{
    INDEX;
    using R = cub::BlockReduce<int, 64>;
    __shared__ R::TempStorage room;
    int sum = R(room).Sum(x[i]);
    if (!threadIdx.x)
        y[blockIdx.x] = sum;
}
//@ library cub_blockreduce_f
#include <cub/block/block_reduce.cuh>
KERNEL(const float *x, float *y)
{
    INDEX;
    using R = cub::BlockReduce<float, 128, cub::BLOCK_REDUCE_RAKING>;
    __shared__ R::TempStorage room;
    float sum = R(room).Sum(x[i]);
    if (!threadIdx.x)
        y[blockIdx.x] = sum;
}
//@ library cub_blockscan
#include <cub/block/block_scan.cuh>
KERNEL(int *x)
{
    INDEX;
    using S = cub::BlockScan<int, 64>;
    __shared__ S::TempStorage room;
    int before, all;
    S(room).ExclusiveSum(x[i], before, all);
    x[i] = all - before;
}
//@ library cub_blockload
#include <cub/block/block_load.cuh>
#include <cub/block/block_store.cuh>
KERNEL(int *x, int *y)
{
    using L = cub::BlockLoad<int, 64, 2, cub::BLOCK_LOAD_TRANSPOSE>;
    using S = cub::BlockStore<int, 64, 2, cub::BLOCK_STORE_VECTORIZE>;
    __shared__ L::TempStorage in;
    __shared__ S::TempStorage out;
    int v[2];
    L(in).Load(x, v);
    v[1] -= v[0];
    S(out).Store(y, v);
}
//@ library cub_radixsort
#include <cub/block/block_radix_sort.cuh>
KERNEL(unsigned *x)
{
    using S = cub::BlockRadixSort<unsigned, 64, 2>;
    __shared__ S::TempStorage room;
    unsigned v[2] = {x[threadIdx.x], x[threadIdx.x + 64]};
    S(room).Sort(v);
    x[2 * threadIdx.x] = v[0];
    x[2 * threadIdx.x + 1] = v[1];
}
//@ library cub_mergesort
#include <cub/block/block_merge_sort.cuh>
struct Down {
    __device__ bool operator()(int a, int b) const
    {
        return a > b;
    }
};
KERNEL(int *x)
{
    using S = cub::BlockMergeSort<int, 64, 2>;
    __shared__ S::TempStorage room;
    int v[2] = {x[threadIdx.x], x[threadIdx.x + 64]};
    S(room).Sort(v, Down());
    x[2 * threadIdx.x] = v[0];
    x[2 * threadIdx.x + 1] = v[1];
}
//@ library cub_warpreduce
#include <cub/warp/warp_reduce.cuh>
KERNEL(const double *x, double *y)
{
    INDEX;
    using R = cub::WarpReduce<double>;
    __shared__ R::TempStorage room[2];
    double sum = R(room[threadIdx.x / 32 % 2]).Sum(x[i]);
    if (i % 32 == 0)
        y[i / 32] = sum;
}
//@ library cub_warpscan
#include <cub/warp/warp_scan.cuh>
KERNEL(float *x)
{
    INDEX;
    using S = cub::WarpScan<float>;
    __shared__ S::TempStorage room[2];
    float v;
    S(room[threadIdx.x / 32 % 2]).InclusiveSum(x[i], v);
    x[i] = v;
}
//@ library cub_histogram
#include <cub/block/block_histogram.cuh>
KERNEL(const unsigned char *x, unsigned *y)
{
    using H = cub::BlockHistogram<unsigned char, 64, 2, 256>;
    __shared__ H::TempStorage room;
    __shared__ unsigned bins[256];
    unsigned char v[2] = {x[threadIdx.x], x[threadIdx.x + 64]};
    H(room).Histogram(v, bins);
    __syncthreads();
    y[threadIdx.x] = bins[threadIdx.x];
}
//@ library cub_discont
#include <cub/block/block_discontinuity.cuh>
struct Differ {
    __device__ bool operator()(int a, int b) const
    {
        return a != b;
    }
};
KERNEL(const int *x, int *y)
{
    using D = cub::BlockDiscontinuity<int, 64>;
    __shared__ D::TempStorage room;
    int v[2] = {x[2 * threadIdx.x], x[2 * threadIdx.x + 1]}, flag[2];
    D(room).FlagHeads(flag, v, Differ());
    y[2 * threadIdx.x] = flag[0];
    y[2 * threadIdx.x + 1] = flag[1];
}
//@ library cub_exchange
#include <cub/block/block_exchange.cuh>
KERNEL(int *x)
{
    using E = cub::BlockExchange<int, 64, 2>;
    __shared__ E::TempStorage room;
    int v[2] = {x[threadIdx.x], x[threadIdx.x + 64]};
    E(room).StripedToBlocked(v, v);
    x[2 * threadIdx.x] = v[0];
    x[2 * threadIdx.x + 1] = v[1];
}
//@ library curand_{XORWOW,Philox4_32_10,MRG32k3a}
#include <curand_kernel.h>
KERNEL(float *x, double *y, unsigned long long seed)
{
    INDEX;
    curandState{}_t s;
    curand_init(seed, i, 1, &s);
    x[i] = curand_normal(&s) - curand_uniform(&s);
    x[i + 1] = curand_log_normal(&s, 1.f, 2.f);
    y[i] = curand_normal_double(&s) - curand_uniform_double(&s);
}
//@ library curand_poisson_{XORWOW,Philox4_32_10,MRG32k3a}
#include <curand_kernel.h>
KERNEL(unsigned *x, unsigned long long seed)
{
    INDEX;
    curandState{}_t s;
    curand_init(seed, i, 1, &s);
    x[i] = curand(&s) - curand_poisson(&s, 3.5);
}

//@ whole gemm_tiled
KERNEL(const float *a, const float *b, float *c, int n)
{
    __shared__ float left[16][16], right[16][16];
    int ty = threadIdx.y, tx = threadIdx.x, row = blockIdx.y * 16 + ty,
        column = blockIdx.x * 16 + tx;
    float sum = 0;
    for (int k0 = 0; k0 < n; k0 += 16) {
        left[ty][tx] = a[row * n + k0 + tx];
        right[ty][tx] = b[(k0 + ty) * n + column];
        __syncthreads();
        for (int j = 0; j < 16; j++)
            sum += left[ty][j] * right[j][tx];
        __syncthreads();
    }
    c[row * n + column] = sum;
}
//@ whole gemm_reg
KERNEL(const float *a, const float *b, float *c, int n)
{
    __shared__ float left[8][64], right[8][64];
    float sum[4][4] = {};
    int t = threadIdx.x, ty = t / 16 * 4, tx = t % 16 * 4;
    for (int k0 = 0; k0 < n; k0 += 8) {
        float2 v = *(const float2 *) &a[(blockIdx.y * 64 + t / 4) * n + k0 + t % 4 * 2];
        left[t % 4 * 2][t / 4] = v.x;
        left[t % 4 * 2 + 1][t / 4] = v.y;
        *(float2 *) &right[t / 32][t % 32 * 2] =
            *(const float2 *) &b[(k0 + t / 32) * n + blockIdx.x * 64 + t % 32 * 2];
        __syncthreads();
        for (int j = 0; j < 8; j++)
            for (int y = 0; y < 4; y++)
                for (int x = 0; x < 4; x++)
                    sum[y][x] += left[j][ty + y] * right[j][tx + x];
        __syncthreads();
    }
    for (int y = 0; y < 4; y++)
        for (int x = 0; x < 4; x++)
            c[(blockIdx.y * 64 + ty + y) * n + blockIdx.x * 64 + tx + x] = sum[y][x];
}
//@ whole dgemm_tiled
KERNEL(const double *a, const double *b, double *c, int n)
{
    __shared__ double left[8][9], right[8][9];
    int ty = threadIdx.y, tx = threadIdx.x, row = blockIdx.y * 8 + ty, column = blockIdx.x * 8 + tx;
    double sum = 0;
    for (int k0 = 0; k0 < n; k0 += 8) {
        left[ty][tx] = a[row * n + k0 + tx];
        right[ty][tx] = b[(k0 + ty) * n + column];
        __syncthreads();
        for (int j = 0; j < 8; j++)
            sum += left[ty][j] * right[j][tx];
        __syncthreads();
    }
    c[row * n + column] = sum;
}
//@ whole reduce_classic
KERNEL(const float *x, float *y, unsigned n)
{
    extern __shared__ float cell[];
    unsigned t = threadIdx.x, at = blockIdx.x * blockDim.x * 2 + t;
    float sum = at < n ? x[at] : 0;
    at += blockDim.x;
    cell[t] = sum += at < n ? x[at] : 0;
    __syncthreads();
    for (unsigned half = blockDim.x / 2; half > 32; half /= 2) {
        if (t < half)
            cell[t] = sum += cell[t + half];
        __syncthreads();
    }
    if (t < 32) {
        volatile float *v = cell;
        v[t] += v[t + 32];
        v[t] += v[t + 16];
        v[t] += v[t + 8];
        v[t] += v[t + 4];
        v[t] += v[t + 2];
        v[t] += v[t + 1];
    }
    if (!t)
        y[blockIdx.x] = cell[0];
}
//@ whole histogram
KERNEL(const unsigned char *x, unsigned *bins, int n)
{
    __shared__ unsigned own[256];
    own[threadIdx.x] = 0;
    __syncthreads();
    INDEX;
    for (int j = i; j < n; j += blockDim.x * gridDim.x)
        atomicAdd(own + x[j], 1u);
    __syncthreads();
    atomicAdd(bins + threadIdx.x, own[threadIdx.x]);
}
//@ whole stencil7
KERNEL(const float *__restrict__ x, float *y, int nx, int ny, int nz)
{
    int c = blockIdx.x * blockDim.x + threadIdx.x, r = blockIdx.y * blockDim.y + threadIdx.y;
    if (c < 1 || r < 1 || c > nx - 2 || r > ny - 2)
        return;
    for (int z = 1; z < nz - 1; z++) {
        size_t at = ((size_t) z * ny + r) * nx + c, plane = (size_t) nx * ny;
        y[at] = 0.5f * x[at] + 0.08f * (x[at - 1] + x[at + 1] + x[at - nx] + x[at + nx] +
                                        x[at - plane] + x[at + plane]);
    }
}
//@ whole nbody
KERNEL(const float4 *body, float4 *force, int n)
{
    __shared__ float4 cell[128];
    INDEX;
    float4 me = body[i];
    float fx = 0, fy = 0, fz = 0;
    for (int start = 0; start < n; start += 128) {
        cell[threadIdx.x] = body[start + threadIdx.x];
        __syncthreads();
        for (int j = 0; j < 128; j++) {
            float dx = cell[j].x - me.x, dy = cell[j].y - me.y, dz = cell[j].z - me.z,
                  r = rsqrtf(dx * dx + dy * dy + dz * dz + 1e-3f), w = cell[j].w * r * r * r;
            fx += dx * w;
            fy += dy * w;
            fz += dz * w;
        }
        __syncthreads();
    }
    force[i] = make_float4(fx, fy, fz, 0);
}
//@ whole spmv_csr
KERNEL(const int *start, const int *column, const double *value, const double *x, double *y, int n)
{
    INDEX;
    int row = i / 32, lane = i % 32;
    if (row >= n)
        return;
    double sum = 0;
    for (int j = start[row] + lane; j < start[row + 1]; j += 32)
        sum += value[j] * x[column[j]];
    for (int step = 16; step; step >>= 1)
        sum += __shfl_down_sync(~0u, sum, step);
    if (!lane)
        y[row] = sum;
}
//@ whole softmax
KERNEL(const float *x, float *y, int n)
{
    __shared__ float cell[32];
    x += (size_t) blockIdx.x * n;
    y += (size_t) blockIdx.x * n;
    float top = __int_as_float(0xff800000), sum = 0;
    int t = threadIdx.x, w = blockDim.x;
    for (int j = t; j < n; j += w)
        top = fmaxf(top, x[j]);
    for (int s = 16; s; s /= 2)
        top = fmaxf(top, __shfl_xor_sync(~0u, top, s));
    if (t % 32 == 0)
        cell[t / 32] = top;
    __syncthreads();
    for (int j = 0; j < w / 32; j++)
        top = fmaxf(top, cell[j]);
    for (int j = t; j < n; j += w)
        sum += expf(x[j] - top);
    for (int s = 16; s; s /= 2)
        sum += __shfl_xor_sync(~0u, sum, s);
    __syncthreads();
    if (t % 32 == 0)
        cell[t / 32] = sum;
    __syncthreads();
    sum = 0;
    for (int j = 0; j < w / 32; j++)
        sum += cell[j];
    for (int j = t; j < n; j += w)
        y[j] = expf(x[j] - top) / sum;
}
//@ whole bitonic
KERNEL(int *x, int step, int size)
{
    INDEX;
    int other = i ^ step;
    if (other <= i)
        return;
    int a = x[i], b = x[other];
    if ((a > b) == !(i & size)) {
        x[i] = b;
        x[other] = a;
    }
}
//@ whole fft_radix2
KERNEL(float2 *x, int half)
{
    INDEX;
    int k = i % half, at = i / half * 2 * half + k;
    float s, c;
    sincospif(-(float) k / half, &s, &c);
    float2 a = x[at], b = x[at + half];
    float re = b.x * c - b.y * s, im = b.x * s + b.y * c;
    x[at] = make_float2(a.x + re, a.y + im);
    x[at + half] = make_float2(a.x - re, a.y - im);
}
//@ whole blackscholes
__device__ float normal(float d)
{
    return 0.5f * erfcf(-d * 0.70710678f);
}
KERNEL(float *call, float *put, const float *spot, const float *strike, const float *years,
       float rate, float sigma)
{
    INDEX;
    float s = spot[i], q = strike[i], t = years[i], root = sqrtf(t);
    float d = (logf(s / q) + (rate + 0.5f * sigma * sigma) * t) / (sigma * root),
          e = d - sigma * root, discount = expf(-rate * t);
    call[i] = s * normal(d) - q * discount * normal(e);
    put[i] = q * discount * normal(-e) - s * normal(-d);
}
//@ whole sha256_like
KERNEL(unsigned *x, int n)
{
    INDEX;
    unsigned a = x[i], b = ~a;
    while (n-- > 0) {
        unsigned s = __funnelshift_r(a, a, 2) ^ __funnelshift_r(a, a, 13) ^
                     __funnelshift_r(a, a, 22),
                 m = (a & b) ^ (a & ~n) ^ (b & n);
        b = a + (b << 10 | b >> 22);
        a = s + m;
    }
    x[i] = a ^ b;
}
//@ whole crc_table
__constant__ unsigned table[256];
KERNEL(const unsigned char *x, unsigned *y, int n)
{
    INDEX;
    unsigned crc = 0xffffffff;
    for (int j = 0; j < n; j++)
        crc = crc >> 8 ^ table[(crc ^ x[i * n + j]) % 256];
    y[i] = ~crc;
}
//@ whole queue_bfs
KERNEL(const int *start, const int *to, int *depth, const int *queue, int queued, int *next,
       int *count, int level)
{
    INDEX;
    if (i >= queued)
        return;
    int from = queue[i];
    for (int e = start[from]; e < start[from + 1]; e++)
        if (atomicCAS(depth + to[e], -1, level) == -1)
            next[atomicAdd(count, 1)] = to[e];
}
//@ whole hash_insert
KERNEL(const unsigned long long *keys, unsigned long long *slots, unsigned *values, unsigned size,
       int n)
{
    INDEX;
    if (i >= n)
        return;
    unsigned long long key = keys[i];
    unsigned at = (unsigned) (key * 0x9E3779B97F4A7C15ull >> 40) % size;
    for (;;) {
        unsigned long long seen = atomicCAS(slots + at, 0ull, key);
        if (!seen || seen == key) {
            values[at] = i;
            return;
        }
        at = at + 1 == size ? 0 : at + 1;
    }
}
//@ whole raytrace
struct Ray {
    float3 from, way;
};
__device__ float dot(float3 a, float3 b)
{
    return a.x * b.x + a.y * b.y + a.z * b.z;
}
__device__ float meet(const Ray &r, float3 at, float radius)
{
    float3 v = make_float3(r.from.x - at.x, r.from.y - at.y, r.from.z - at.z);
    float b = dot(v, r.way), d = b * b - dot(v, v) + radius * radius;
    return d > 0 ? -b - sqrtf(d) : -1;
}
KERNEL(uchar4 *image, const float4 *ball, int balls, int width)
{
    INDEX;
    float x = i % width / (float) width - 0.5f, y = i / width / (float) width - 0.5f,
          s = rsqrtf(x * x + y * y + 1), near = 1e30f;
    Ray r = {make_float3(0, 0, -4), make_float3(x * s, y * s, s)};
    int hit = -1;
    for (int j = 0; j < balls; j++) {
        float t = meet(r, make_float3(ball[j].x, ball[j].y, ball[j].z), ball[j].w);
        if (t > 0 && t < near) {
            near = t;
            hit = j;
        }
    }
    image[i] = hit < 0 ? make_uchar4(0, 0, 0, 255) : make_uchar4(hit, 255 / (1 + near), 99, 255);
}

//@ build cdp_launch -rdc=true
__global__ void child(int *x)
{
    x[threadIdx.x] = 3;
}
KERNEL(int *x)
{
    child<<<2, 16>>>(x);
}
//@ build rdc_extern -rdc=true
extern __device__ int elsewhere(int);
KERNEL(int *x)
{
    x[1] = elsewhere(x[0]);
}
//@ build debug_G -G
KERNEL(float *x, int n)
{
    INDEX;
    if (i < n)
        x[i] = cosf(x[i]) - n;
}
//@ build lineinfo -lineinfo
KERNEL(float *x, int n)
{
    INDEX;
    if (i < n)
        x[i] = x[i] / 3 - n;
}
//@ build O0 -G
__device__ float third(float v)
{
    return v / 3;
}
KERNEL(float *x, int n)
{
    INDEX;
    if (i < n)
        x[i] = third(x[i]) - n;
}
//@ build debug_cpp -G
struct Vec {
    float x, y;
    __device__ Vec operator-(Vec o) const
    {
        return {x - o.x, y - o.y};
    }
};
KERNEL(Vec *x)
{
    INDEX;
    Vec own[3];
    for (int j = 0; j < 3; j++)
        own[j] = x[j + 1] - x[j];
    x[i] = own[i % 3];
}
