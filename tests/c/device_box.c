/* Conformance: copies of rows, of boxes, of arrays, between contexts; arrays, textures, surfaces.
 */
#include "device.h"

enum { W = 24, H = 10, D = 6, BYTES = W * H * D, FAR = 64 << 20 };

static unsigned char *pattern(size_t bytes, unsigned seed)
{
    unsigned char *p = malloc(bytes);
    REQUIRE(p);
    for (size_t i = 0; i < bytes; i++)
        p[i] = (unsigned char) (i * 13 + i / 251 + seed);
    return p;
}

static CUdeviceptr bytes_of(size_t bytes, unsigned char value)
{
    CUdeviceptr p;
    OK(cu.cuMemAlloc(&p, bytes));
    OK(cu.cuMemsetD8(p, value, bytes));
    return p;
}

/* ---- rows ---- */

static CUDA_MEMCPY2D rows_to_device(const void *from, CUdeviceptr to)
{
    return (CUDA_MEMCPY2D){.srcMemoryType = CU_MEMORYTYPE_HOST,
                           .srcHost = from,
                           .srcPitch = W,
                           .srcXInBytes = 3,
                           .srcY = 2,
                           .dstMemoryType = CU_MEMORYTYPE_DEVICE,
                           .dstDevice = to,
                           .dstPitch = 2 * W,
                           .dstXInBytes = 5,
                           .dstY = 1,
                           .WidthInBytes = 11,
                           .Height = 7};
}

/* Is `got`, rows of 2 W, what rows_to_device makes of zeros? */
static void require_rows(const unsigned char *got, const unsigned char *from)
{
    for (size_t y = 0; y < H; y++)
        for (size_t x = 0; x < 2 * (size_t) W; x++) {
            bool inside = y >= 1 && y < 8 && x >= 5 && x < 16;
            REQUIRE_INT(got[y * 2 * W + x], ==, inside ? from[(y + 1) * W + x - 2] : 0);
        }
}

void rows_are_copied(void)
{
    unsigned char *in = pattern(W * H, 1), out[2 * W * H];
    CUstream stream;
    begin();
    OK(cu.cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
    for (int way = 0; way < 3; way++) {
        CUdeviceptr a = bytes_of(sizeof out, 0), b = bytes_of(sizeof out, 9);
        CUDA_MEMCPY2D copy = rows_to_device(in, a);
        OK(way == 0   ? cu.cuMemcpy2D(&copy)
           : way == 1 ? cu.cuMemcpy2DUnaligned(&copy)
                      : cu.cuMemcpy2DAsync(&copy, stream));
        copy = (CUDA_MEMCPY2D){.srcMemoryType = CU_MEMORYTYPE_DEVICE,
                               .srcDevice = a,
                               .srcPitch = 2 * W,
                               .dstMemoryType = CU_MEMORYTYPE_UNIFIED,
                               .dstDevice = b,
                               .dstPitch = 2 * W,
                               .WidthInBytes = 2 * W,
                               .Height = H};
        OK(way == 2 ? cu.cuMemcpy2DAsync(&copy, stream) : cu.cuMemcpy2DUnaligned(&copy));
        OK(cu.cuStreamSynchronize(stream));
        memset(out, 7, sizeof out);
        copy.srcDevice = b;
        copy.dstMemoryType = CU_MEMORYTYPE_HOST;
        copy.dstHost = out;
        OK(cu.cuMemcpy2DUnaligned(&copy));
        require_rows(out, in);
    }
    free(in);
}

/* A copy that leaves an allocation, far enough for any driver to see, writes nothing. */
void rows_are_checked(void)
{
    unsigned char *in = pattern(FAR, 1);
    CUdeviceptr p;
    begin();
    p = bytes_of(W * H, 0x11);
    CUDA_MEMCPY2D copy = rows_to_device(in, p);
    copy.Height = FAR / (2 * W) - 8;
    FAILS(cu.cuMemcpy2DUnaligned(&copy), CUDA_ERROR_INVALID_VALUE);
    copy = rows_to_device(in, p);
    copy.dstPitch = 4; /* rows of 11 bytes from byte 5 on */
    FAILS(cu.cuMemcpy2DUnaligned(&copy), CUDA_ERROR_INVALID_VALUE);
    copy = rows_to_device(in, p);
    copy.srcMemoryType = 77;
    FAILS(cu.cuMemcpy2D(&copy), CUDA_ERROR_INVALID_VALUE);
    copy = rows_to_device(NULL, p);
    FAILS(cu.cuMemcpy2DUnaligned(&copy), CUDA_ERROR_INVALID_VALUE);
    REQUIRE_INT(word(p), ==, 0x11111111);
    REQUIRE_INT(word(p + W * H - 4), ==, 0x11111111);
    if (cu.runcuFaultText) {
        copy = rows_to_device(in, p);
        copy.Height = 5; /* the last row begins where the memory ends */
        FAILS(cu.cuMemcpy2D(&copy), CUDA_ERROR_INVALID_VALUE);
        copy.dstPitch = SIZE_MAX / 2;
        FAILS(cu.cuMemcpy2D(&copy), CUDA_ERROR_INVALID_VALUE);
        FAILS(cu.cuMemcpy2D(NULL), CUDA_ERROR_INVALID_VALUE);
    }
    free(in);
}

/* ---- boxes ---- */

static CUDA_MEMCPY3D box_to_device(const void *from, CUdeviceptr to)
{
    return (CUDA_MEMCPY3D){.srcMemoryType = CU_MEMORYTYPE_HOST,
                           .srcHost = from,
                           .srcPitch = W,
                           .srcHeight = H,
                           .srcXInBytes = 3,
                           .srcY = 2,
                           .srcZ = 1,
                           .dstMemoryType = CU_MEMORYTYPE_DEVICE,
                           .dstDevice = to,
                           .dstPitch = W,
                           .dstHeight = H,
                           .dstXInBytes = 4,
                           .dstY = 1,
                           .dstZ = 2,
                           .WidthInBytes = 9,
                           .Height = 5,
                           .Depth = 3};
}

void boxes_are_copied(void)
{
    unsigned char *in = pattern(BYTES, 5), out[BYTES];
    begin();
    for (int way = 0; way < 3; way++) {
        CUdeviceptr a = bytes_of(BYTES, 0);
        CUDA_MEMCPY3D copy = box_to_device(in, a);
        CUDA_MEMCPY3D_PEER peer;
        OK(cu.cuCtxGetCurrent((CUcontext *) &copy.reserved0));
        copy.reserved1 = copy.reserved0;
        memcpy(&peer, &copy, sizeof peer); /* alike but for the contexts */
        copy.reserved0 = copy.reserved1 = NULL;
        OK(way == 0   ? cu.cuMemcpy3D(&copy)
           : way == 1 ? cu.cuMemcpy3DAsync(&copy, NULL)
                      : cu.cuMemcpy3DPeer(&peer));
        OK(cu.cuMemcpyDtoH(out, a, BYTES));
        for (size_t z = 0; z < D; z++)
            for (size_t y = 0; y < H; y++)
                for (size_t x = 0; x < W; x++) {
                    bool inside = z >= 2 && z < 5 && y >= 1 && y < 6 && x >= 4 && x < 13;
                    size_t from = ((z - 1) * H + y + 1) * W + x - 1;
                    REQUIRE_INT(out[(z * H + y) * W + x], ==, inside ? in[from] : 0);
                }
    }
    CUdeviceptr p = bytes_of(BYTES, 0);
    CUDA_MEMCPY3D copy = box_to_device(in, p);
    copy.dstHeight = 2; /* planes of 2 rows have no room for 5 */
    FAILS(cu.cuMemcpy3D(&copy), CUDA_ERROR_INVALID_VALUE);
    copy = box_to_device(in, p);
    copy.dstZ = FAR;
    FAILS(cu.cuMemcpy3D(&copy), CUDA_ERROR_INVALID_VALUE);
    free(in);
}

void copies_between_contexts(void)
{
    unsigned char *in = pattern(256, 3), out[256];
    CUcontext first = begin(), second, popped;
    CUdeviceptr a = bytes_of(256, 0), b;
    OK(cu.cuCtxCreate(&second, 0, 0));
    b = bytes_of(256, 0);
    OK(cu.cuMemcpyHtoD(b, in, 256));
    OK(cu.cuMemcpyPeer(a, first, b, second, 100));
    OK(cu.cuMemcpyPeerAsync(a + 100, first, b + 100, second, 156, NULL));
    OK(cu.cuCtxSynchronize());
    OK(cu.cuCtxPopCurrent(&popped));
    OK(cu.cuMemcpyDtoH(out, a, 256));
    REQUIRE_BYTES(in, out, 256);
    OK(cu.cuMemsetD8(a, 0, 256));
    CUDA_MEMCPY3D_PEER copy = {.srcMemoryType = CU_MEMORYTYPE_DEVICE,
                               .srcDevice = b,
                               .srcContext = second,
                               .srcPitch = 16,
                               .srcHeight = 4,
                               .dstMemoryType = CU_MEMORYTYPE_DEVICE,
                               .dstDevice = a,
                               .dstContext = first,
                               .dstPitch = 16,
                               .dstHeight = 4,
                               .WidthInBytes = 16,
                               .Height = 4,
                               .Depth = 4};
    OK(cu.cuMemcpy3DPeerAsync(&copy, NULL));
    OK(cu.cuCtxSynchronize());
    OK(cu.cuMemcpyDtoH(out, a, 256));
    REQUIRE_BYTES(in, out, 256);
    free(in);
}

/* ---- arrays ---- */

static CUDA_ARRAY3D_DESCRIPTOR shape(size_t width, size_t height, size_t depth, unsigned flags)
{
    return (CUDA_ARRAY3D_DESCRIPTOR){width, height, depth, CU_AD_FORMAT_FLOAT, 2, flags};
}

void arrays_have_shapes(void)
{
    static const CUDA_ARRAY3D_DESCRIPTOR shapes[] = {
        {5, 0, 0, CU_AD_FORMAT_UNSIGNED_INT8, 1, 0},
        {5, 7, 0, CU_AD_FORMAT_SIGNED_INT16, 4, CUDA_ARRAY3D_SURFACE_LDST},
        {5, 7, 3, CU_AD_FORMAT_HALF, 2, 0},
        {5, 0, 3, CU_AD_FORMAT_FLOAT, 1, CUDA_ARRAY3D_LAYERED},
        {5, 7, 3, CU_AD_FORMAT_UNSIGNED_INT32, 4, CUDA_ARRAY3D_LAYERED},
        {8, 8, 6, CU_AD_FORMAT_SIGNED_INT8, 4, CUDA_ARRAY3D_CUBEMAP},
        {8, 8, 12, CU_AD_FORMAT_FLOAT, 4, CUDA_ARRAY3D_CUBEMAP | CUDA_ARRAY3D_LAYERED},
        {8, 9, 0, CU_AD_FORMAT_FLOAT, 1, CUDA_ARRAY3D_TEXTURE_GATHER},
    };
    CUarray array;
    begin();
    for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
        CUDA_ARRAY3D_DESCRIPTOR got = {0};
        OK(cu.cuArray3DCreate(&array, &shapes[i]));
        OK(cu.cuArray3DGetDescriptor(&got, array));
        REQUIRE_INT(got.Width, ==, shapes[i].Width);
        REQUIRE_INT(got.Height, ==, shapes[i].Height);
        REQUIRE_INT(got.Depth, ==, shapes[i].Depth);
        REQUIRE_INT(got.Format, ==, shapes[i].Format);
        REQUIRE_INT(got.NumChannels, ==, shapes[i].NumChannels);
        REQUIRE_INT(got.Flags, ==, shapes[i].Flags);
        OK(cu.cuArrayDestroy(array));
    }
    CUDA_ARRAY_DESCRIPTOR flat = {12, 5, CU_AD_FORMAT_FLOAT, 4}, got;
    OK(cu.cuArrayCreate(&array, &flat));
    OK(cu.cuArrayGetDescriptor(&got, array));
    REQUIRE_INT(got.Width, ==, 12);
    REQUIRE_INT(got.Height, ==, 5);
    REQUIRE_INT(got.NumChannels, ==, 4);
    OK(cu.cuArrayDestroy(array));
}

void arrays_are_checked(void)
{
    CUDA_ARRAY3D_DESCRIPTOR d;
    CUarray array;
    begin();
    d = shape(0, 4, 0, 0);
    FAILS(cu.cuArray3DCreate(&array, &d), CUDA_ERROR_INVALID_VALUE);
    d = shape(4, 4, 0, 0);
    d.NumChannels = 3;
    FAILS(cu.cuArray3DCreate(&array, &d), CUDA_ERROR_INVALID_VALUE);
    d = shape(4, 5, 6, CUDA_ARRAY3D_CUBEMAP);
    FAILS(cu.cuArray3DCreate(&array, &d), CUDA_ERROR_INVALID_VALUE);
    d = shape((size_t) 1 << 30, 4, 0, 0);
    FAILS(cu.cuArray3DCreate(&array, &d), CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuArray3DCreate(&array, NULL), CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuArray3DCreate(NULL, &d), CUDA_ERROR_INVALID_VALUE);
}

void array_parts_are_copied(void)
{
    unsigned char *in = pattern(256, 3), out[256] = {0};
    CUDA_ARRAY_DESCRIPTOR d = {64, 0, CU_AD_FORMAT_UNSIGNED_INT32, 1};
    CUarray a, b;
    CUdeviceptr p;
    begin();
    p = bytes_of(256, 0);
    OK(cu.cuArrayCreate(&a, &d));
    OK(cu.cuArrayCreate(&b, &d));
    OK(cu.cuMemcpyHtoA(a, 0, in, 256));
    OK(cu.cuMemcpyAtoA(b, 64, a, 64, 192));
    OK(cu.cuMemcpyAtoD(p, b, 64, 64));
    OK(cu.cuMemcpyDtoA(b, 0, p, 64)); /* in[64..127] */
    OK(cu.cuMemcpyAtoH(out, b, 0, 256));
    REQUIRE_BYTES(out, in + 64, 64);
    REQUIRE_BYTES(out + 64, in + 64, 192);
    memset(out, 0, sizeof out);
    OK(cu.cuMemcpyHtoAAsync(b, 0, in + 128, 64, NULL));
    OK(cu.cuMemcpyAtoHAsync(out, b, 0, 128, NULL));
    OK(cu.cuCtxSynchronize());
    REQUIRE_BYTES(out, in + 128, 64);
    REQUIRE_BYTES(out + 64, in + 64, 64);
    FAILS(cu.cuMemcpyHtoA(a, 200, in, 64), CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuMemcpyAtoH(out, a, 0, 260), CUDA_ERROR_INVALID_VALUE);
    OK(cu.cuArrayDestroy(a));
    OK(cu.cuArrayDestroy(b));
    free(in);
}

/* Elements of 8 bytes. A box in the middle travels host, array, array, device, host. */
static void require_box_through(const CUDA_ARRAY3D_DESCRIPTOR *d)
{
    size_t pitch = d->Width * 8, rows = MAX(d->Height, 1), planes = MAX(d->Depth, 1);
    size_t bytes = pitch * rows * planes;
    unsigned char *in = pattern(bytes, 8), *out = calloc(1, bytes);
    CUdeviceptr p = bytes_of(bytes, 0);
    CUarray a, b;
    REQUIRE(out);
    OK(cu.cuArray3DCreate(&a, d));
    OK(cu.cuArray3DCreate(&b, d));
    CUDA_MEMCPY3D copy = {.srcMemoryType = CU_MEMORYTYPE_HOST,
                          .srcHost = in,
                          .srcPitch = pitch,
                          .srcHeight = rows,
                          .dstMemoryType = CU_MEMORYTYPE_ARRAY,
                          .dstArray = a,
                          .WidthInBytes = pitch,
                          .Height = rows,
                          .Depth = planes};
    OK(cu.cuMemcpy3D(&copy));
    copy.srcMemoryType = CU_MEMORYTYPE_ARRAY;
    copy.srcArray = a;
    copy.dstArray = b;
    OK(cu.cuMemcpy3DAsync(&copy, NULL));
    copy.srcArray = b;
    copy.dstMemoryType = CU_MEMORYTYPE_DEVICE;
    copy.dstDevice = p;
    copy.dstPitch = pitch;
    copy.dstHeight = rows;
    copy.srcXInBytes = copy.dstXInBytes = 8; /* all but the first element of each row */
    copy.WidthInBytes = pitch - 8;
    OK(cu.cuMemcpy3D(&copy));
    OK(cu.cuMemcpyDtoH(out, p, bytes));
    for (size_t i = 0; i < bytes; i++)
        REQUIRE_INT(out[i], ==, i % pitch < 8 ? 0 : in[i]);
    copy.srcZ = planes; /* beyond the last */
    FAILS(cu.cuMemcpy3D(&copy), CUDA_ERROR_INVALID_VALUE);
    copy.srcZ = 0;
    copy.WidthInBytes = pitch;
    FAILS(cu.cuMemcpy3D(&copy), CUDA_ERROR_INVALID_VALUE);
    OK(cu.cuArrayDestroy(a));
    OK(cu.cuArrayDestroy(b));
    OK(cu.cuMemFree(p));
    free(in);
    free(out);
}

void arrays_of_all_shapes_are_copied(void)
{
    CUDA_ARRAY3D_DESCRIPTOR d;
    begin();
    d = shape(33, 17, 0, 0);
    require_box_through(&d);
    d = shape(33, 17, 5, CUDA_ARRAY3D_SURFACE_LDST);
    require_box_through(&d);
    d = shape(33, 17, 5, CUDA_ARRAY3D_LAYERED);
    require_box_through(&d);
    d = shape(16, 16, 6, CUDA_ARRAY3D_CUBEMAP);
    require_box_through(&d);
}

void mipmaps_have_levels(void)
{
    CUDA_ARRAY3D_DESCRIPTOR d = shape(40, 12, 0, 0), got;
    CUmipmappedArray mipmap;
    CUarray level;
    unsigned char *in = pattern(20 * 6 * 8, 2), out[20 * 6 * 8];
    begin();
    OK(cu.cuMipmappedArrayCreate(&mipmap, &d, 3));
    static const size_t sizes[3][2] = {{40, 12}, {20, 6}, {10, 3}};
    for (unsigned i = 0; i < 3; i++) {
        OK(cu.cuMipmappedArrayGetLevel(&level, mipmap, i));
        OK(cu.cuArray3DGetDescriptor(&got, level));
        REQUIRE_INT(got.Width, ==, sizes[i][0]);
        REQUIRE_INT(got.Height, ==, sizes[i][1]);
    }
    FAILS(cu.cuMipmappedArrayGetLevel(&level, mipmap, 3), CUDA_ERROR_INVALID_VALUE);
    OK(cu.cuMipmappedArrayGetLevel(&level, mipmap, 1));
    CUDA_MEMCPY2D copy = {.srcMemoryType = CU_MEMORYTYPE_HOST,
                          .srcHost = in,
                          .srcPitch = 160,
                          .dstMemoryType = CU_MEMORYTYPE_ARRAY,
                          .dstArray = level,
                          .WidthInBytes = 160,
                          .Height = 6};
    OK(cu.cuMemcpy2D(&copy));
    copy.srcMemoryType = CU_MEMORYTYPE_ARRAY;
    copy.srcArray = level;
    copy.dstMemoryType = CU_MEMORYTYPE_HOST;
    copy.dstHost = out;
    copy.dstPitch = 160;
    OK(cu.cuMemcpy2D(&copy));
    REQUIRE_BYTES(in, out, sizeof out);
    OK(cu.cuMipmappedArrayDestroy(mipmap));
    free(in);
}

/* ---- textures ---- */

static CUDA_RESOURCE_DESC of_array(CUarray array)
{
    return (CUDA_RESOURCE_DESC){.resType = CU_RESOURCE_TYPE_ARRAY, .res.array.hArray = array};
}

void textures_are_made_of_everything(void)
{
    CUDA_ARRAY3D_DESCRIPTOR d = shape(32, 16, 0, 0);
    CUDA_TEXTURE_DESC sampler = {.addressMode = {CU_TR_ADDRESS_MODE_CLAMP,
                                                 CU_TR_ADDRESS_MODE_BORDER,
                                                 CU_TR_ADDRESS_MODE_CLAMP},
                                 .filterMode = CU_TR_FILTER_MODE_LINEAR,
                                 .borderColor = {1, 2, 3, 4}},
                      plain = {.flags = CU_TRSF_READ_AS_INTEGER}, got;
    CUmipmappedArray mipmap;
    CUarray array;
    CUdeviceptr p;
    CUtexObject texture;
    begin();
    p = bytes_of(512 * 16, 0);
    OK(cu.cuArray3DCreate(&array, &d));
    OK(cu.cuMipmappedArrayCreate(&mipmap, &d, 4));
    CUDA_RESOURCE_DESC resource = of_array(array), again;
    OK(cu.cuTexObjectCreate(&texture, &resource, &sampler, NULL));
    REQUIRE(texture != 0);
    OK(cu.cuTexObjectGetResourceDesc(&again, texture));
    REQUIRE(again.resType == CU_RESOURCE_TYPE_ARRAY && again.res.array.hArray == array);
    OK(cu.cuTexObjectGetTextureDesc(&got, texture));
    REQUIRE_INT(got.addressMode[1], ==, CU_TR_ADDRESS_MODE_BORDER);
    REQUIRE_INT(got.filterMode, ==, CU_TR_FILTER_MODE_LINEAR);
    OK(cu.cuTexObjectDestroy(texture));
    resource = (CUDA_RESOURCE_DESC){.resType = CU_RESOURCE_TYPE_MIPMAPPED_ARRAY,
                                    .res.mipmap.hMipmappedArray = mipmap};
    sampler.flags = CU_TRSF_NORMALIZED_COORDINATES;
    sampler.maxMipmapLevelClamp = 3;
    OK(cu.cuTexObjectCreate(&texture, &resource, &sampler, NULL));
    OK(cu.cuTexObjectDestroy(texture));
    resource = (CUDA_RESOURCE_DESC){.resType = CU_RESOURCE_TYPE_LINEAR,
                                    .res.linear = {p, CU_AD_FORMAT_UNSIGNED_INT8, 4, 1024}};
    OK(cu.cuTexObjectCreate(&texture, &resource, &plain, NULL));
    OK(cu.cuTexObjectDestroy(texture));
    resource = (CUDA_RESOURCE_DESC){.resType = CU_RESOURCE_TYPE_PITCH2D,
                                    .res.pitch2D = {p, CU_AD_FORMAT_FLOAT, 1, 100, 16, 512}};
    OK(cu.cuTexObjectCreate(&texture, &resource, &plain, NULL));
    OK(cu.cuTexObjectDestroy(texture));
    OK(cu.cuMipmappedArrayDestroy(mipmap));
    OK(cu.cuArrayDestroy(array));
}

void textures_have_views(void)
{
    CUDA_ARRAY3D_DESCRIPTOR d = {16, 16, 4, CU_AD_FORMAT_UNSIGNED_INT32, 1, CUDA_ARRAY3D_LAYERED};
    CUDA_TEXTURE_DESC plain = {.flags = CU_TRSF_READ_AS_INTEGER};
    CUDA_RESOURCE_VIEW_DESC got, view = {.format = 13, /* one 32-bit unsigned channel */
                                         .width = 16,
                                         .height = 16,
                                         .depth = 4,
                                         .firstLayer = 1,
                                         .lastLayer = 2};
    CUtexObject texture;
    CUarray array;
    begin();
    OK(cu.cuArray3DCreate(&array, &d));
    CUDA_RESOURCE_DESC resource = of_array(array);
    OK(cu.cuTexObjectCreate(&texture, &resource, &plain, &view));
    OK(cu.cuTexObjectGetResourceViewDesc(&got, texture));
    REQUIRE_INT(got.format, ==, 13);
    REQUIRE_INT(got.firstLayer, ==, 1);
    REQUIRE_INT(got.lastLayer, ==, 2);
    OK(cu.cuTexObjectDestroy(texture));
    view.depth = 2; /* the array's own extents are asked for */
    FAILS(cu.cuTexObjectCreate(&texture, &resource, &plain, &view), CUDA_ERROR_INVALID_VALUE);
    OK(cu.cuArrayDestroy(array));
}

void textures_are_checked(void)
{
    CUDA_TEXTURE_DESC plain = {.flags = CU_TRSF_READ_AS_INTEGER};
    CUDA_RESOURCE_DESC resource = {
        .resType = CU_RESOURCE_TYPE_LINEAR,
        .res.linear = {.format = CU_AD_FORMAT_FLOAT, .numChannels = 1, .sizeInBytes = 1024}};
    CUtexObject texture;
    CUdeviceptr p;
    begin();
    p = bytes_of(4096, 0);
    resource.res.linear.devPtr = p + 4;
    FAILS(cu.cuTexObjectCreate(&texture, &resource, &plain, NULL), CUDA_ERROR_INVALID_VALUE);
    resource.res.linear.devPtr = p;
    resource.res.linear.numChannels = 3;
    FAILS(cu.cuTexObjectCreate(&texture, &resource, &plain, NULL), CUDA_ERROR_INVALID_VALUE);
    resource.res.linear.numChannels = 1;
    FAILS(cu.cuTexObjectCreate(NULL, &resource, &plain, NULL), CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuTexObjectCreate(&texture, NULL, &plain, NULL), CUDA_ERROR_INVALID_VALUE);
    OK(cu.cuTexObjectCreate(&texture, &resource, &plain, NULL));
    OK(cu.cuTexObjectDestroy(texture));
}

void surfaces_are_made_of_arrays(void)
{
    CUDA_ARRAY3D_DESCRIPTOR d = shape(32, 16, 0, CUDA_ARRAY3D_SURFACE_LDST);
    CUDA_RESOURCE_DESC resource, again;
    CUsurfObject surface;
    CUarray array;
    begin();
    OK(cu.cuArray3DCreate(&array, &d));
    resource = of_array(array);
    OK(cu.cuSurfObjectCreate(&surface, &resource));
    OK(cu.cuSurfObjectGetResourceDesc(&again, surface));
    REQUIRE(again.res.array.hArray == array);
    OK(cu.cuSurfObjectDestroy(surface));
    FAILS(cu.cuSurfObjectCreate(&surface, NULL), CUDA_ERROR_INVALID_VALUE);
    OK(cu.cuArrayDestroy(array));
}

/* ---- the CPU device alone ---- */

void stale_arrays_are_refused(void)
{
    CUDA_ARRAY3D_DESCRIPTOR d = shape(32, 16, 0, CUDA_ARRAY3D_SURFACE_LDST), got;
    CUDA_TEXTURE_DESC plain = {0};
    CUmipmappedArray mipmap;
    CUarray array, level;
    CUtexObject texture;
    unsigned char host[256];
    begin();
    OK(cu.cuArray3DCreate(&array, &d));
    OK(cu.cuMipmappedArrayCreate(&mipmap, &d, 2));
    OK(cu.cuMipmappedArrayGetLevel(&level, mipmap, 1));
    FAILS(cu.cuArrayDestroy(level), CUDA_ERROR_INVALID_HANDLE);
    OK(cu.cuMipmappedArrayDestroy(mipmap));
    FAILS(cu.cuArray3DGetDescriptor(&got, level), CUDA_ERROR_INVALID_HANDLE);
    FAILS(cu.cuMipmappedArrayDestroy(mipmap), CUDA_ERROR_INVALID_HANDLE);
    OK(cu.cuArrayDestroy(array));
    FAILS(cu.cuArrayDestroy(array), CUDA_ERROR_INVALID_HANDLE);
    FAILS(cu.cuMemcpyHtoA(array, 0, host, 256), CUDA_ERROR_INVALID_HANDLE);
    CUDA_RESOURCE_DESC resource = of_array(array);
    FAILS(cu.cuTexObjectCreate(&texture, &resource, &plain, NULL), CUDA_ERROR_INVALID_HANDLE);
    FAILS(cu.cuSurfObjectCreate(&texture, &resource), CUDA_ERROR_INVALID_HANDLE);
    FAILS(cu.cuTexObjectDestroy(12345), CUDA_ERROR_INVALID_HANDLE);
    FAILS(cu.cuSurfObjectDestroy(12345), CUDA_ERROR_INVALID_HANDLE);
}

void arrays_give_their_memory_back(void)
{
    CUDA_ARRAY3D_DESCRIPTOR d = shape(1000, 1000, 0, 0);
    size_t before, now, total;
    CUmipmappedArray mipmap;
    CUcontext c;
    CUarray array;
    begin();
    OK(cu.cuMemGetInfo(&before, &total));
    OK(cu.cuArray3DCreate(&array, &d));
    OK(cu.cuMemGetInfo(&now, &total));
    REQUIRE_INT(now, <=, before - 8000000);
    OK(cu.cuArrayDestroy(array));
    OK(cu.cuMipmappedArrayCreate(&mipmap, &d, 100)); /* as many as there can be */
    FAILS(cu.cuMipmappedArrayGetLevel(&array, mipmap, 10), CUDA_ERROR_INVALID_VALUE);
    OK(cu.cuMipmappedArrayDestroy(mipmap));
    OK(cu.cuMemGetInfo(&now, &total));
    REQUIRE_INT(now, ==, before);
    OK(cu.cuCtxCreate(&c, 0, 0)); /* which takes its own along */
    OK(cu.cuArray3DCreate(&array, &d));
    OK(cu.cuMipmappedArrayCreate(&mipmap, &d, 100));
    OK(cu.cuCtxDestroy(c));
    OK(cu.cuMemGetInfo(&now, &total));
    REQUIRE_INT(now, ==, before);
}

/* What was queued happens before it goes. */
void arrays_wait_for_copies_in_flight(void)
{
    enum { ROW = 1 << 14, ROWS = 64 };
    CUDA_ARRAY_DESCRIPTOR d = {ROW, ROWS, CU_AD_FORMAT_UNSIGNED_INT8, 1};
    unsigned char *in = pattern(ROW * ROWS, 4), *out = calloc(ROWS, ROW);
    CUarray array;
    REQUIRE(out);
    begin();
    OK(cu.cuArrayCreate(&array, &d));
    CUDA_MEMCPY2D copy = {.srcMemoryType = CU_MEMORYTYPE_HOST,
                          .srcHost = in,
                          .srcPitch = ROW,
                          .dstMemoryType = CU_MEMORYTYPE_ARRAY,
                          .dstArray = array,
                          .WidthInBytes = ROW,
                          .Height = ROWS};
    OK(cu.cuMemcpy2DAsync(&copy, NULL));
    copy.srcMemoryType = CU_MEMORYTYPE_ARRAY;
    copy.srcArray = array;
    copy.dstMemoryType = CU_MEMORYTYPE_HOST;
    copy.dstHost = out;
    copy.dstPitch = ROW;
    OK(cu.cuMemcpy2DAsync(&copy, NULL));
    OK(cu.cuArrayDestroy(array));
    OK(cu.cuCtxSynchronize());
    REQUIRE_BYTES(in, out, ROW * ROWS);
    free(in);
    free(out);
}
