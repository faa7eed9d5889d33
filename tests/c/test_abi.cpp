// Compares driver/abi.h and the tables of driver/ with the real cuda.h and nvrtc.h: every constant,
// every size, every parameter of every function. In C++, since C cannot take a function's type
// apart.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <type_traits>

namespace ours
{
#include "driver/abi.h"

#define CU_REQ(name, params) typedef CUresult type_##name params;
#define CU_OPT(name, params) CU_REQ(name, params)
#define CU_OWN(name, params)
#define CU(need, name, symbol, params, args) CU_##need(name, params)
#include "driver/cuda.def"
#undef CU

#define NVRTC(need, result, name, params) typedef result type_##name params;
#include "driver/nvrtc.def"
#undef NVRTC

#define NVJITLINK(need, name, params) typedef nvJitLinkResult type_##name params;
#include "driver/nvjitlink.def"
#undef NVJITLINK
} // namespace ours

struct value {
    const char *name;
    long long is;
};

#define ATTR(id, name, cpu) {"CU_DEVICE_ATTRIBUTE_" #name, id},
#define CURESULT(code, name, text, python) {#name, code},

// Before cuda.h, which has some of the names as macros.
static const value our_values[] = {
#define VALUE(name) {#name, static_cast<long long>(ours::name)},
#include "abi_names.def"
#undef VALUE
#include "driver/attr.def"
#include "driver/curesult.def"
};
#undef ATTR
#undef CURESULT

static const std::uintptr_t our_pointers[] = {
    reinterpret_cast<std::uintptr_t>(CU_LAUNCH_PARAM_END),
    reinterpret_cast<std::uintptr_t>(CU_LAUNCH_PARAM_BUFFER_POINTER),
    reinterpret_cast<std::uintptr_t>(CU_LAUNCH_PARAM_BUFFER_SIZE),
};
#undef CU_LAUNCH_PARAM_END
#undef CU_LAUNCH_PARAM_BUFFER_POINTER
#undef CU_LAUNCH_PARAM_BUFFER_SIZE
#undef CU_STREAM_LEGACY
#undef CU_STREAM_PER_THREAD

#define __CUDA_API_VERSION_INTERNAL // declares the older versions of functions as well
#include <cuda.h>
#include <cudaProfilerTypedefs.h>
#include <nvrtc.h>
#if __has_include(<nvJitLink.h>) // in a wheel of its own
#include <nvJitLink.h>
#define NVJITLINK(need, name, params)                              \
    static_assert(alike<ours::type_##name, decltype(name)>::value, \
                  "nvjitlink.def's row differs from nvJitLink.h: " #name);
#define SAME_VALUE(name) \
    static_assert(static_cast<int>(ours::name) == static_cast<int>(::name), #name);
#endif

// Their own header, cudaProfiler.h, is in the toolkit alone; the types are here.
extern "C" std::remove_pointer<PFN_cuProfilerStart_v4000>::type cuProfilerStart;
extern "C" std::remove_pointer<PFN_cuProfilerStop_v4000>::type cuProfilerStop;

static const value real_values[] = {
#define VALUE(name) {#name, static_cast<long long>(name)},
#include "abi_names.def"
#undef VALUE
#define ATTR(id, name, cpu) {"", static_cast<long long>(CU_DEVICE_ATTRIBUTE_##name)},
#include "driver/attr.def"
#define CURESULT(code, name, text, python) {"", static_cast<long long>(name)},
#include "driver/curesult.def"
};

static const std::uintptr_t real_pointers[] = {
    reinterpret_cast<std::uintptr_t>(CU_LAUNCH_PARAM_END),
    reinterpret_cast<std::uintptr_t>(CU_LAUNCH_PARAM_BUFFER_POINTER),
    reinterpret_cast<std::uintptr_t>(CU_LAUNCH_PARAM_BUFFER_SIZE),
};

// Is the size the same? Asked of complete types only.
template <class A, class B, bool complete> struct same_size : std::false_type {
};
template <class A, class B>
struct same_size<A, B, true> : std::integral_constant<bool, sizeof(A) == sizeof(B)> {
};

// Passed and laid out alike: integers and enumerations of one size, floats, pointers to alike
// things.
template <class A, class B> struct alike {
    static constexpr bool integers = (std::is_integral<A>::value || std::is_enum<A>::value) &&
                                     (std::is_integral<B>::value || std::is_enum<B>::value);
    static constexpr bool others =
        std::is_same<A, B>::value || (std::is_class<A>::value && std::is_class<B>::value);
    static constexpr bool value = others || same_size<A, B, integers>::value;
};
template <> struct alike<void, void> {
    static constexpr bool value = true;
};
template <class A, class B> struct alike<const A, const B> : alike<A, B> {
};
template <class A, class B> struct alike<A *, B *> : alike<A, B> {
};
template <class A, class B> struct alike<A *const, B *const> : alike<A, B> {
};
template <class R, class... A, class S, class... B> struct alike<R(A...), S(B...)> {
    template <bool...> struct all {
    };
    template <class, class> struct each : std::false_type {
    };
    template <class... T> struct list {
    };
    template <class... T, class... U>
    static constexpr bool same(list<T...>, list<U...>, std::true_type)
    {
        return std::is_same<all<true, alike<T, U>::value...>,
                            all<alike<T, U>::value..., true>>::value;
    }
    template <class... T, class... U>
    static constexpr bool same(list<T...>, list<U...>, std::false_type)
    {
        return false;
    }
    static constexpr bool value =
        alike<R, S>::value && same(list<A...>{}, list<B...>{},
                                   std::integral_constant<bool, sizeof...(A) == sizeof...(B)>{});
};

#undef CU_REQ
#undef CU_OPT
#define CU_REQ(name, symbol)                                         \
    static_assert(alike<ours::type_##name, decltype(symbol)>::value, \
                  "cuda.def's row differs from cuda.h: " #name);
#define CU_OPT(name, symbol) CU_REQ(name, symbol)
#undef CU_OWN
#define CU_OWN(name, symbol)
#define CU(need, name, symbol, params, args) CU_##need(name, symbol)
#include "driver/cuda.def"

#define NVRTC(need, result, name, params)                          \
    static_assert(alike<ours::type_##name, decltype(name)>::value, \
                  "nvrtc.def's row differs from nvrtc.h: " #name);
#include "driver/nvrtc.def"

#ifdef NVJITLINK
#include "driver/nvjitlink.def"
static_assert(sizeof(ours::nvJitLinkResult) == sizeof(nvJitLinkResult), "nvJitLinkResult");
static_assert(sizeof(ours::nvJitLinkInputType) == sizeof(nvJitLinkInputType), "");
SAME_VALUE(NVJITLINK_SUCCESS)
SAME_VALUE(NVJITLINK_INPUT_CUBIN)
SAME_VALUE(NVJITLINK_INPUT_PTX)
SAME_VALUE(NVJITLINK_INPUT_LTOIR)
SAME_VALUE(NVJITLINK_INPUT_FATBIN)
SAME_VALUE(NVJITLINK_INPUT_OBJECT)
SAME_VALUE(NVJITLINK_INPUT_LIBRARY)
#endif

static_assert(sizeof(ours::CUuuid) == sizeof(CUuuid), "CUuuid");
static_assert(sizeof(ours::CUlaunchAttribute) == sizeof(CUlaunchAttribute) &&
                  offsetof(ours::CUlaunchAttribute, value) == offsetof(CUlaunchAttribute, value),
              "CUlaunchAttribute");
static_assert(sizeof(ours::CUlaunchConfig) == sizeof(CUlaunchConfig) &&
                  offsetof(ours::CUlaunchConfig, hStream) == offsetof(CUlaunchConfig, hStream) &&
                  offsetof(ours::CUlaunchConfig, attrs) == offsetof(CUlaunchConfig, attrs) &&
                  offsetof(ours::CUlaunchConfig, numAttrs) == offsetof(CUlaunchConfig, numAttrs),
              "CUlaunchConfig");
static_assert(sizeof(ours::CUipcMemHandle) == sizeof(CUipcMemHandle), "CUipcMemHandle");
static_assert(sizeof(ours::CUipcEventHandle) == sizeof(CUipcEventHandle), "CUipcEventHandle");
static_assert(sizeof(ours::CUDA_KERNEL_NODE_PARAMS) == sizeof(CUDA_KERNEL_NODE_PARAMS) &&
                  offsetof(ours::CUDA_KERNEL_NODE_PARAMS, kernelParams) ==
                      offsetof(CUDA_KERNEL_NODE_PARAMS, kernelParams) &&
                  offsetof(ours::CUDA_KERNEL_NODE_PARAMS, ctx) ==
                      offsetof(CUDA_KERNEL_NODE_PARAMS, ctx),
              "CUDA_KERNEL_NODE_PARAMS");
static_assert(sizeof(ours::CUDA_MEMSET_NODE_PARAMS) == sizeof(CUDA_MEMSET_NODE_PARAMS) &&
                  offsetof(ours::CUDA_MEMSET_NODE_PARAMS, width) ==
                      offsetof(CUDA_MEMSET_NODE_PARAMS, width),
              "CUDA_MEMSET_NODE_PARAMS");
static_assert(sizeof(ours::CUDA_HOST_NODE_PARAMS) == sizeof(CUDA_HOST_NODE_PARAMS),
              "CUDA_HOST_NODE_PARAMS");
static_assert(sizeof(ours::CUgraphExecUpdateResultInfo) == sizeof(CUgraphExecUpdateResultInfo) &&
                  offsetof(ours::CUgraphExecUpdateResultInfo, errorFromNode) ==
                      offsetof(CUgraphExecUpdateResultInfo, errorFromNode),
              "CUgraphExecUpdateResultInfo");
static_assert(sizeof(ours::CUmemPoolProps) == sizeof(CUmemPoolProps), "CUmemPoolProps");
static_assert(offsetof(ours::CUmemPoolProps, maxSize) == offsetof(CUmemPoolProps, maxSize), "");
static_assert(sizeof(ours::CUmemAllocationProp) == sizeof(CUmemAllocationProp), "");
static_assert(sizeof(ours::CUmemAccessDesc) == sizeof(CUmemAccessDesc), "CUmemAccessDesc");
static_assert(sizeof(ours::CUmemLocation) == sizeof(CUmemLocation), "CUmemLocation");
static_assert(sizeof(ours::CUdeviceptr) == sizeof(CUdeviceptr), "CUdeviceptr");
static_assert(sizeof(ours::CUdevice) == sizeof(CUdevice), "CUdevice");
static_assert(sizeof(ours::CUresult) == sizeof(CUresult), "CUresult");
static_assert(sizeof(ours::nvrtcResult) == sizeof(nvrtcResult), "nvrtcResult");

// Structs of many members: size and every offset, in order of their declaration.
#define SAME(type, member)                                                  \
    static_assert(offsetof(ours::type, member) == offsetof(type, member) && \
                      sizeof static_cast<ours::type *>(nullptr)->member ==  \
                          sizeof static_cast<type *>(nullptr)->member,      \
                  #type "::" #member);
#define SAME_SIDES(type, member) SAME(type, src##member) SAME(type, dst##member)
#define SAME_BOX(type)                                        \
    static_assert(sizeof(ours::type) == sizeof(type), #type); \
    SAME_SIDES(type, XInBytes)                                \
    SAME_SIDES(type, Y)                                       \
    SAME_SIDES(type, MemoryType)                              \
    SAME_SIDES(type, Host)                                    \
    SAME_SIDES(type, Device)                                  \
    SAME_SIDES(type, Array)                                   \
    SAME_SIDES(type, Pitch)                                   \
    SAME(type, WidthInBytes)                                  \
    SAME(type, Height)
SAME_BOX(CUDA_MEMCPY2D)
SAME_BOX(CUDA_MEMCPY3D)
SAME_SIDES(CUDA_MEMCPY3D, Z)
SAME_SIDES(CUDA_MEMCPY3D, LOD)
SAME_SIDES(CUDA_MEMCPY3D, Height)
SAME(CUDA_MEMCPY3D, Depth)
SAME_BOX(CUDA_MEMCPY3D_PEER)
SAME_SIDES(CUDA_MEMCPY3D_PEER, Z)
SAME_SIDES(CUDA_MEMCPY3D_PEER, LOD)
SAME_SIDES(CUDA_MEMCPY3D_PEER, Context)
SAME_SIDES(CUDA_MEMCPY3D_PEER, Height)
SAME(CUDA_MEMCPY3D_PEER, Depth)
static_assert(sizeof(ours::CUDA_ARRAY_DESCRIPTOR) == sizeof(CUDA_ARRAY_DESCRIPTOR), "array");
SAME(CUDA_ARRAY_DESCRIPTOR, Height)
SAME(CUDA_ARRAY_DESCRIPTOR, Format)
SAME(CUDA_ARRAY_DESCRIPTOR, NumChannels)
static_assert(sizeof(ours::CUDA_ARRAY3D_DESCRIPTOR) == sizeof(CUDA_ARRAY3D_DESCRIPTOR), "array");
SAME(CUDA_ARRAY3D_DESCRIPTOR, Depth)
SAME(CUDA_ARRAY3D_DESCRIPTOR, Format)
SAME(CUDA_ARRAY3D_DESCRIPTOR, NumChannels)
SAME(CUDA_ARRAY3D_DESCRIPTOR, Flags)
static_assert(sizeof(ours::CUDA_RESOURCE_DESC) == sizeof(CUDA_RESOURCE_DESC), "resource");
SAME(CUDA_RESOURCE_DESC, res)
SAME(CUDA_RESOURCE_DESC, res.array.hArray)
SAME(CUDA_RESOURCE_DESC, res.mipmap.hMipmappedArray)
SAME(CUDA_RESOURCE_DESC, res.linear.devPtr)
SAME(CUDA_RESOURCE_DESC, res.linear.format)
SAME(CUDA_RESOURCE_DESC, res.linear.numChannels)
SAME(CUDA_RESOURCE_DESC, res.linear.sizeInBytes)
SAME(CUDA_RESOURCE_DESC, res.pitch2D.devPtr)
SAME(CUDA_RESOURCE_DESC, res.pitch2D.format)
SAME(CUDA_RESOURCE_DESC, res.pitch2D.numChannels)
SAME(CUDA_RESOURCE_DESC, res.pitch2D.width)
SAME(CUDA_RESOURCE_DESC, res.pitch2D.height)
SAME(CUDA_RESOURCE_DESC, res.pitch2D.pitchInBytes)
SAME(CUDA_RESOURCE_DESC, flags)
static_assert(sizeof(ours::CUDA_TEXTURE_DESC) == sizeof(CUDA_TEXTURE_DESC), "texture");
SAME(CUDA_TEXTURE_DESC, addressMode)
SAME(CUDA_TEXTURE_DESC, filterMode)
SAME(CUDA_TEXTURE_DESC, flags)
SAME(CUDA_TEXTURE_DESC, maxAnisotropy)
SAME(CUDA_TEXTURE_DESC, mipmapFilterMode)
SAME(CUDA_TEXTURE_DESC, mipmapLevelBias)
SAME(CUDA_TEXTURE_DESC, minMipmapLevelClamp)
SAME(CUDA_TEXTURE_DESC, maxMipmapLevelClamp)
SAME(CUDA_TEXTURE_DESC, borderColor)
static_assert(sizeof(ours::CUDA_RESOURCE_VIEW_DESC) == sizeof(CUDA_RESOURCE_VIEW_DESC), "view");
SAME(CUDA_RESOURCE_VIEW_DESC, format)
SAME(CUDA_RESOURCE_VIEW_DESC, width)
SAME(CUDA_RESOURCE_VIEW_DESC, height)
SAME(CUDA_RESOURCE_VIEW_DESC, depth)
SAME(CUDA_RESOURCE_VIEW_DESC, firstMipmapLevel)
SAME(CUDA_RESOURCE_VIEW_DESC, lastMipmapLevel)
SAME(CUDA_RESOURCE_VIEW_DESC, firstLayer)
SAME(CUDA_RESOURCE_VIEW_DESC, lastLayer)

int main()
{
    int wrong = 0;
    const std::size_t count = sizeof our_values / sizeof *our_values;
    static_assert(sizeof our_values == sizeof real_values, "the same names");
    for (std::size_t i = 0; i < count; i++)
        if (our_values[i].is != real_values[i].is) {
            std::printf("%s is %lld, and %lld in CUDA's headers\n", our_values[i].name,
                        our_values[i].is, real_values[i].is);
            wrong++;
        }
    for (std::size_t i = 0; i < 3; i++)
        wrong += our_pointers[i] != real_pointers[i];
    std::printf("%zu constants compared, %d wrong\n", count, wrong);
    return wrong != 0;
}
