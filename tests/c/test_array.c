/* Copies of rows, boxes and arrays; arrays, mipmapped arrays, textures and surfaces as objects.
 * With the argument "cuda" on NVIDIA's driver (77 where there is none), else on the CPU device. */
#include <pthread.h>
#include <stdbool.h>

#include "runcu/runcu.h"
#include "test.h"

#include "core/core.h"

enum { FLOAT = 32, W = 20, H = 6, D = 3, BYTES = W * H * D };

static void start(void)
{
    REQUIRE_OK(runcu_init(NULL));
    REQUIRE_INT(core_live_objects, ==, 0);
}

static void fill_pattern(unsigned char *out, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        out[i] = (unsigned char) (i * 7 + i / 100 + 1);
}

static runcu_array *array_of(size_t width, size_t height, size_t depth, uint32_t flags)
{
    runcu_array *array;
    REQUIRE_OK(runcu_array_create(
        &array,
        &(runcu_array_params){
            .width = width, .height = height, .depth = depth, .format = FLOAT, .flags = flags}));
    return array;
}

static void rows_travel(void)
{
    unsigned char in[W * H], out[W * H] = {0};
    runcu_stream *stream;
    runcu_mem *mem;
    start();
    fill_pattern(in, sizeof in);
    REQUIRE_OK(runcu_stream_create(&stream, 1, 0));
    REQUIRE_OK(runcu_mem_alloc(&mem, 64 * H));
    runcu_place device = {.device = runcu_mem_address(mem), .pitch = 64, .x = 4, .y = 1};
    runcu_box box = {.to = device,
                     .from = {.host = in, .host_bytes = sizeof in, .pitch = W, .x = 2, .y = 2},
                     .width = 10,
                     .height = 4};
    REQUIRE_OK(runcu_copy_2d(&box));
    box.from = device;
    box.to = (runcu_place){.host = out, .host_bytes = sizeof out, .pitch = W};
    REQUIRE_OK(runcu_copy_2d_async(&box, stream));
    REQUIRE_OK(runcu_stream_synchronize(stream));
    for (size_t y = 0; y < H; y++)
        for (size_t x = 0; x < W; x++)
            REQUIRE_INT(out[y * W + x], ==, y < 4 && x < 10 ? in[(y + 2) * W + x + 2] : 0);
    runcu_stream_close(stream);
    REQUIRE_FAILS(runcu_copy_2d_async(&box, stream), RUNCU_ERROR_FREED, "closed");
    REQUIRE_FAILS(runcu_copy_htod_async(device.device, in, 1, stream), RUNCU_ERROR_FREED, "closed");
    runcu_stream_destroy(&stream);
    REQUIRE_OK(runcu_mem_free(&mem));
    REQUIRE_INT(core_live_objects, ==, 0);
}

static void plain_rows_are_plain_copies(void)
{
    enum { MANY = 20 << 20 };
    unsigned char *in = malloc(MANY), *out = calloc(1, MANY);
    runcu_mem *mem;
    REQUIRE(in && out);
    start();
    fill_pattern(in, MANY);
    REQUIRE_OK(runcu_mem_alloc(&mem, MANY));
    runcu_box box = {.to = {.device = runcu_mem_address(mem), .pitch = 1 << 10},
                     .from = {.host = in, .pitch = 1 << 10},
                     .width = 1 << 10,
                     .height = 1 << 10,
                     .depth = 20};
    REQUIRE_OK(runcu_copy_3d(&box));
    box.from = box.to;
    box.to = (runcu_place){.host = out, .host_bytes = MANY};
    REQUIRE_OK(runcu_copy_3d(&box));
    REQUIRE_BYTES(in, out, MANY);
    REQUIRE_OK(runcu_mem_free(&mem));
    free(in);
    free(out);
}

static void rows_that_leave_are_refused(void)
{
    unsigned char in[W * H] = {0};
    runcu_mem *mem;
    start();
    REQUIRE_OK(runcu_mem_alloc(&mem, W * H));
    runcu_box good = {.to = {.device = runcu_mem_address(mem), .pitch = W},
                      .from = {.host = in, .host_bytes = sizeof in, .pitch = W},
                      .width = W,
                      .height = H},
              box = good;
    REQUIRE_OK(runcu_copy_2d(&box));
    box.from.y = 1;
    REQUIRE_FAILS(runcu_copy_2d(&box), RUNCU_ERROR_ARGUMENT,
                  "the source of the copy has 120 bytes, and 140 are needed: 20 too few");
    box.from.y = SIZE_MAX;
    REQUIRE_FAILS(runcu_copy_2d(&box), RUNCU_ERROR_ARGUMENT, "more than there can be");
    box = good;
    box.from.host = NULL;
    REQUIRE_FAILS(runcu_copy_2d(&box), RUNCU_ERROR_ARGUMENT, "the source of the copy is not set");
    box = good;
    box.to.host = in;
    REQUIRE_FAILS(runcu_copy_2d(&box), RUNCU_ERROR_ARGUMENT, "destination of the copy is set 2");
    box = good;
    box.to.pitch = W - 1;
    REQUIRE_FAILS(runcu_copy_2d(&box), RUNCU_ERROR_DRIVER, "Rows of the destination are 19 bytes");
    box = good;
    box.to.y = (size_t) 64 << 20;
    REQUIRE_FAILS(runcu_copy_2d(&box), RUNCU_ERROR_DRIVER, "room for 120 bytes");
    box.width = 0;
    REQUIRE_OK(runcu_copy_2d(&box));
    REQUIRE_FAILS(runcu_copy_2d(NULL), RUNCU_ERROR_ARGUMENT, "box is NULL");
    REQUIRE_OK(runcu_mem_free(&mem));
}

static void boxes_travel_through_arrays(void)
{
    enum { E = sizeof(float) };
    unsigned char in[BYTES * E], out[BYTES * E] = {0};
    start();
    fill_pattern(in, sizeof in);
    runcu_array *a = array_of(W, H, D, 0), *b = array_of(W, H, D, 0);
    runcu_box box = {.to = {.array = a},
                     .from = {.host = in, .host_bytes = sizeof in, .pitch = W * E, .height = H},
                     .width = W * E,
                     .height = H,
                     .depth = D};
    REQUIRE_OK(runcu_copy_3d(&box));
    box.from = box.to;
    box.to.array = b;
    REQUIRE_OK(runcu_copy_3d_async(&box, NULL));
    box.from = box.to;
    box.to = (runcu_place){.host = out, .host_bytes = sizeof out};
    REQUIRE_OK(runcu_copy_3d_peer(&box));
    REQUIRE_BYTES(in, out, sizeof in);
    box.from.z = 1;
    REQUIRE_FAILS(runcu_copy_3d(&box), RUNCU_ERROR_DRIVER, "cuMemcpy3D failed: invalid argument");
    runcu_array_close(b);
    box.from.z = 0;
    REQUIRE_FAILS(runcu_copy_3d(&box), RUNCU_ERROR_FREED, "the source (array) has been freed");
    runcu_array_destroy(&a);
    runcu_array_destroy(&b);
    REQUIRE_INT(core_live_objects, ==, 0);
}

static void ranges_travel_between_contexts(void)
{
    unsigned char in[64], out[64] = {0};
    runcu_context *second, *first;
    runcu_device *device;
    runcu_mem *a, *b;
    start();
    fill_pattern(in, sizeof in);
    REQUIRE_OK(runcu_mem_alloc(&a, 64));
    REQUIRE_OK(runcu_context_current(&first));
    REQUIRE_OK(runcu_device_default(&device));
    REQUIRE_OK(runcu_context_create(&second, device, 0));
    REQUIRE_OK(runcu_mem_alloc(&b, 64));
    REQUIRE_OK(runcu_copy_htod(runcu_mem_address(b), in, 64));
    runcu_peer_copy copy = {
        .to = runcu_mem_address(a), .from = runcu_mem_address(b), .to_context = first, .bytes = 32};
    REQUIRE_OK(runcu_copy_peer(&copy));
    copy.to += 32;
    copy.from += 32;
    copy.from_context = second;
    REQUIRE_OK(runcu_copy_peer_async(&copy, NULL));
    REQUIRE_OK(runcu_context_synchronize(second));
    REQUIRE_OK(runcu_copy_dtoh(out, runcu_mem_address(a), 64));
    REQUIRE_BYTES(in, out, 64);
    copy.bytes = (size_t) 64 << 20;
    REQUIRE_FAILS(runcu_copy_peer(&copy), RUNCU_ERROR_DRIVER, "has room for 32 bytes");
    REQUIRE_OK(runcu_mem_free(&a));
    REQUIRE_OK(runcu_mem_free(&b));
    copy.to_context = NULL;
    runcu_context_release(&first);
    REQUIRE_OK(runcu_context_pop());
    REQUIRE_OK(runcu_context_detach(second));
    copy.bytes = 4;
    REQUIRE_FAILS(runcu_copy_peer(&copy), RUNCU_ERROR_FREED, "the source's context");
    runcu_context_release(&second);
}

static void lines_travel(void)
{
    unsigned char in[256], out[256] = {0};
    runcu_stream *stream;
    runcu_mem *mem;
    start();
    fill_pattern(in, sizeof in);
    runcu_array *a = array_of(64, 0, 0, 0), *b = array_of(64, 0, 0, 0),
                *rows = array_of(4, 4, 0, 0);
    REQUIRE_OK(runcu_mem_alloc(&mem, 256));
    REQUIRE_OK(runcu_stream_create(&stream, 0, 0));
    uint64_t p = runcu_mem_address(mem);
    REQUIRE_OK(runcu_copy_htoa(a, 0, in, 128));
    REQUIRE_OK(runcu_copy_htoa_async(a, 128, in + 128, 128, stream));
    REQUIRE_OK(runcu_stream_synchronize(stream));
    REQUIRE_OK(runcu_copy_atoa(b, 0, a, 0, 256));
    REQUIRE_OK(runcu_copy_atod(p, b, 0, 256));
    REQUIRE_OK(runcu_copy_dtoa(a, 4, p, 252));
    REQUIRE_OK(runcu_copy_atoh(out, a, 4, 100));
    REQUIRE_OK(runcu_copy_atoh_async(out + 100, a, 104, 152, stream));
    REQUIRE_OK(runcu_stream_synchronize(stream));
    REQUIRE_BYTES(in, out, 252);
    REQUIRE_OK(runcu_copy_htoa(a, 0, NULL, 0));
    REQUIRE_FAILS(runcu_copy_htoa(a, 8, in, 256), RUNCU_ERROR_DRIVER, "the array has 64 elements");
    REQUIRE_FAILS(runcu_copy_atoh(out, a, 256, 4), RUNCU_ERROR_DRIVER, "from byte 256 on");
    REQUIRE_FAILS(runcu_copy_htoa(NULL, 0, in, 4), RUNCU_ERROR_ARGUMENT, "to is NULL");
    REQUIRE_FAILS(runcu_copy_htoa(a, 0, NULL, 4), RUNCU_ERROR_ARGUMENT, "from is NULL");
    REQUIRE_FAILS(runcu_copy_atoa(a, 0, NULL, 0, 4), RUNCU_ERROR_ARGUMENT, "from is NULL");
    REQUIRE_FAILS(runcu_copy_htoa(rows, 0, in, 64), RUNCU_ERROR_DRIVER, "It has rows");
    runcu_array_close(b);
    REQUIRE_FAILS(runcu_copy_atoa(a, 0, b, 0, 4), RUNCU_ERROR_FREED, "the source");
    runcu_array_destroy(&a);
    runcu_array_destroy(&b);
    runcu_array_destroy(&rows);
    runcu_stream_destroy(&stream);
    REQUIRE_OK(runcu_mem_free(&mem));
    REQUIRE_INT(core_live_objects, ==, 0);
}

static void arrays_tell_their_shapes(void)
{
    runcu_array_params got, bad = {.width = 4, .height = 4, .format = FLOAT, .channels = 3};
    runcu_array *array, *wrapped;
    start();
    array = array_of(W, H, D, 1);
    REQUIRE_OK(runcu_array_describe(&got, array));
    REQUIRE_INT(got.width, ==, W);
    REQUIRE_INT(got.height, ==, H);
    REQUIRE_INT(got.depth, ==, D);
    REQUIRE_INT(got.format, ==, FLOAT);
    REQUIRE_INT(got.channels, ==, 1);
    REQUIRE_INT(got.flags, ==, 1);
    REQUIRE(runcu_array_handle(array) != 0);
    REQUIRE_OK(runcu_array_wrap(&wrapped, runcu_array_handle(array)));
    runcu_array_destroy(&wrapped); /* and the array is still there */
    REQUIRE_OK(runcu_array_describe(&got, array));
    runcu_array_close(array);
    runcu_array_close(array);
    REQUIRE_INT(runcu_array_handle(array), ==, 0);
    REQUIRE_FAILS(runcu_array_describe(&got, array), RUNCU_ERROR_FREED, "freed");
    runcu_array_destroy(&array);
    runcu_array_destroy(&array);
    REQUIRE_FAILS(runcu_array_wrap(&wrapped, 0), RUNCU_ERROR_ARGUMENT, "0 is no array");
    REQUIRE_FAILS(runcu_array_create(&array, &bad), RUNCU_ERROR_DRIVER, "1, 2 or 4 channels");
    bad.channels = 1;
    bad.format = 77;
    REQUIRE_FAILS(runcu_array_create(&array, &bad), RUNCU_ERROR_DRIVER, "none of CU_AD_FORMAT");
    bad.format = FLOAT;
    bad.height = 1 << 30;
    REQUIRE_FAILS(runcu_array_create(&array, &bad), RUNCU_ERROR_DRIVER, "arrays of up to");
    bad.height = (size_t) 1 << 40;
    REQUIRE_FAILS(runcu_array_create(&array, &bad), RUNCU_ERROR_ARGUMENT, "no device has");
    bad = (runcu_array_params){.width = 4, .height = 5, .depth = 6, .format = FLOAT, .flags = 4};
    REQUIRE_FAILS(runcu_array_create(&array, &bad), RUNCU_ERROR_DRIVER, "as high as wide");
    REQUIRE_FAILS(runcu_array_create(&array, NULL), RUNCU_ERROR_DRIVER, "must not be 0");
    REQUIRE(!array);
    REQUIRE_INT(core_live_objects, ==, 0);
}

static void levels_end_with_their_array(void)
{
    const runcu_array_params shape = {.width = 16, .height = 8, .format = FLOAT};
    runcu_array_params got;
    runcu_mipmap *mipmap;
    runcu_array *level;
    start();
    REQUIRE_OK(runcu_mipmap_create(&mipmap, &shape, 3));
    REQUIRE_OK(runcu_mipmap_level(&level, mipmap, 2));
    REQUIRE_OK(runcu_array_describe(&got, level));
    REQUIRE_INT(got.width, ==, 4);
    REQUIRE_INT(got.height, ==, 2);
    runcu_mipmap_close(mipmap);
    REQUIRE_INT(runcu_mipmap_handle(mipmap), ==, 0);
    REQUIRE_FAILS(runcu_array_describe(&got, level), RUNCU_ERROR_FREED, "freed");
    runcu_array_destroy(&level);
    REQUIRE_FAILS(runcu_mipmap_level(&level, mipmap, 0), RUNCU_ERROR_FREED, "freed");
    runcu_mipmap_destroy(&mipmap);
    REQUIRE_OK(runcu_mipmap_create(&mipmap, &shape, 2));
    REQUIRE_FAILS(runcu_mipmap_level(&level, mipmap, 2), RUNCU_ERROR_DRIVER, "no level 2");
    runcu_mipmap_destroy(&mipmap);
    REQUIRE_INT(core_live_objects, ==, 0);
}

static void textures_of_everything(void)
{
    runcu_texture_params params = {.resource = {.format = FLOAT}}, got;
    runcu_texture *texture, *wrapped;
    runcu_mipmap *mipmap;
    runcu_mem *mem;
    start();
    runcu_array *array = array_of(W, H, 0, 0);
    REQUIRE_OK(runcu_mipmap_create(
        &mipmap, &(runcu_array_params){.width = 8, .height = 8, .format = FLOAT}, 4));
    REQUIRE_OK(runcu_mem_alloc(&mem, 8192));
    params.resource.array = array;
    params.address_mode[0] = params.address_mode[1] = 1;
    params.filter = 1;
    params.border[2] = 0.5f;
    REQUIRE_OK(runcu_texture_create(&texture, &params));
    REQUIRE_OK(runcu_texture_describe(&got, texture));
    REQUIRE_INT(got.address_mode[1], ==, 1);
    REQUIRE_INT(got.filter, ==, 1);
    REQUIRE_NEAR(got.border[2], 0.5, 0);
    REQUIRE_OK(runcu_texture_wrap(&wrapped, runcu_texture_handle(texture)));
    runcu_texture_destroy(&wrapped);
    runcu_texture_close(texture);
    REQUIRE_INT(runcu_texture_handle(texture), ==, 0);
    REQUIRE_FAILS(runcu_texture_describe(&got, texture), RUNCU_ERROR_FREED,
                  "the texture (texture) has been freed");
    runcu_texture_destroy(&texture);
    params = (runcu_texture_params){.resource = {.mipmap = mipmap}, .flags = 2, .level_max = 3};
    REQUIRE_OK(runcu_texture_create(&texture, &params));
    runcu_texture_destroy(&texture);
    params = (runcu_texture_params){
        .resource = {.address = runcu_mem_address(mem), .bytes = 4096, .format = FLOAT}};
    REQUIRE_OK(runcu_texture_create(&texture, &params));
    REQUIRE_OK(runcu_texture_describe(&got, texture));
    REQUIRE(got.resource.address == runcu_mem_address(mem));
    REQUIRE_INT(got.resource.bytes, ==, 4096);
    runcu_texture_destroy(&texture);
    params.resource.width = 100;
    params.resource.height = 16;
    params.resource.pitch = 512;
    REQUIRE_OK(runcu_texture_create(&texture, &params));
    runcu_texture_destroy(&texture);
    params.resource.array = array;
    REQUIRE_FAILS(runcu_texture_create(&texture, &params), RUNCU_ERROR_ARGUMENT, "one thing");
    REQUIRE_FAILS(runcu_texture_create(&texture, NULL), RUNCU_ERROR_ARGUMENT, "one thing");
    params.resource.array = NULL;
    params.resource.address += 4;
    params.resource.height = 0;
    REQUIRE_FAILS(runcu_texture_create(&texture, &params), RUNCU_ERROR_DRIVER, "no multiple of");
    runcu_array_close(array);
    params.resource = (runcu_resource){.array = array};
    REQUIRE_FAILS(runcu_texture_create(&texture, &params), RUNCU_ERROR_FREED, "freed");
    runcu_array_destroy(&array);
    runcu_mipmap_destroy(&mipmap);
    REQUIRE_OK(runcu_mem_free(&mem));
    REQUIRE_INT(core_live_objects, ==, 0);
}

static void surfaces_of_arrays(void)
{
    runcu_surface *surface, *wrapped;
    start();
    runcu_array *array = array_of(W, H, 0, 2), *other = array_of(W, H, 0, 0);
    REQUIRE_OK(runcu_surface_create(&surface, array));
    REQUIRE_OK(runcu_surface_wrap(&wrapped, runcu_surface_handle(surface)));
    runcu_surface_destroy(&wrapped);
    runcu_surface_close(surface);
    REQUIRE_INT(runcu_surface_handle(surface), ==, 0);
    runcu_surface_destroy(&surface);
    REQUIRE_FAILS(runcu_surface_create(&surface, other), RUNCU_ERROR_ARGUMENT, "SURFACE_LDST");
    REQUIRE_FAILS(runcu_surface_create(&surface, NULL), RUNCU_ERROR_ARGUMENT, "NULL");
    runcu_array_destroy(&array);
    runcu_array_destroy(&other);
    REQUIRE_INT(core_live_objects, ==, 0);
}

static runcu_array *shared;

static void *copy_until_closed(void *unused)
{
    unsigned char bytes[64];
    int status = 0;
    while (!status)
        status = runcu_copy_atoh(bytes, shared, 0, sizeof bytes);
    REQUIRE_INT(status, ==, RUNCU_ERROR_FREED);
    return unused;
}

static void closing_waits_for_those_who_copy(void)
{
    pthread_t threads[4];
    start();
    shared = array_of(64, 0, 0, 0);
    for (int i = 0; i < 4; i++)
        REQUIRE_INT(pthread_create(&threads[i], NULL, copy_until_closed, NULL), ==, 0);
    for (int i = 0; i < 50; i++) {
        unsigned char bytes[64] = {0};
        REQUIRE_OK(runcu_copy_htoa(shared, 0, bytes, sizeof bytes));
    }
    runcu_array_close(shared);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    runcu_array_destroy(&shared);
    REQUIRE_INT(core_live_objects, ==, 0);
}

/* Asked in a child: what it opens does not last. */
static bool has_device(void)
{
    int count = 0, end = 0;
    pid_t child = fork();
    if (child == 0)
        _exit(runcu_init(NULL) == 0 && runcu_device_count(&count, NULL) == 0 && count ? 0 : 1);
    REQUIRE(waitpid(child, &end, 0) == child);
    return end == 0;
}

int main(int argc, char **argv)
{
    setenv("RUNCU_DEVICE", argc > 1 ? argv[1] : "cpu", 1);
    if (!has_device())
        return TEST_SKIPPED;
    RUN_ALONE(rows_travel);
    RUN_ALONE(plain_rows_are_plain_copies);
    RUN_ALONE(rows_that_leave_are_refused);
    RUN_ALONE(boxes_travel_through_arrays);
    RUN_ALONE(ranges_travel_between_contexts);
    RUN_ALONE(lines_travel);
    RUN_ALONE(arrays_tell_their_shapes);
    RUN_ALONE(levels_end_with_their_array);
    RUN_ALONE(textures_of_everything);
    RUN_ALONE(surfaces_of_arrays);
    RUN_ALONE(closing_waits_for_those_who_copy);
    return 0;
}
