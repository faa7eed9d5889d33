/* Hostile cache files: whatever follows a header that is right, entry_read returns, and what it
 * takes for good has texts that end. With libFuzzer (-Dfuzz=true) an endless target; with FUZZ_MAIN
 * a program that alters a sound entry in 200 000 ways. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "core/program.h"

enum { KEY_AT = 8, SUM_AT = KEY_AT + SHA256_SIZE, ITEMS_AT = SUM_AT + 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t key[SHA256_SIZE] = {1, 2, 3};

static void touch(const char *what, const char *text, size_t len)
{
    if (text && strlen(text) != len && strlen(text) > len) {
        fprintf(stderr, "fuzz_cache: %s does not end where it says\n", what);
        abort();
    }
}

/* `data` is what follows the header. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str bytes = {0};
    uint64_t sum = hash_bytes(data, size);
    str_addn(&bytes, "runcu\n1", 8);
    str_addn(&bytes, (const char *) key, sizeof key);
    str_addn(&bytes, (const char *) &sum, sizeof sum);
    str_addn(&bytes, (const char *) data, size);
    runcu_program *program = alloc_zero(1, sizeof *program);
    if (entry_read(program, &bytes, key)) {
        touch("PTX", program->ptx, program->ptx_size);
        touch("log", program->log, strlen(program->log));
        touch("architecture", program->arch, strlen(program->arch));
        touch("options", program->options, strlen(program->options));
        if (program->cubin_size && hash_bytes(program->cubin, program->cubin_size) == 1)
            puts("a rare cubin");
    }
    runcu_program_destroy(&program);
    str_fini(&bytes);
    return 0;
}

#ifdef FUZZ_MAIN
/* Steele, Lea, Flood: SplitMix64. */
static uint64_t next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static void make_entry(struct str *out)
{
    runcu_program program = {
        .arch = "sm_80", .options = "-a\n", .log = "", .ptx = ".version 8.0\n", .ptx_size = 13};
    struct request r = {0};
    struct scan_file file = {.path = "/nowhere/a.h", .size = 3, .mtime = 5};
    program.cubin = "\x7f"
                    "ELF and more";
    program.cubin_size = 12;
    memcpy(r.key, key, sizeof key);
    if (!vec_push(&r.scan.files, file) || !vec_push(&r.scan.absent, "/nowhere/b.h") ||
        !entry_write(out, &program, &r))
        abort();
    vec_fini(&r.scan.files);
    vec_fini(&r.scan.absent);
}

int main(void)
{
    struct str sound = {0}, altered = {0};
    uint64_t state = 1;
    make_entry(&sound);
    for (int i = 0; i < 200000; i++) {
        str_clear(&altered);
        str_addn(&altered, sound.at + ITEMS_AT, sound.len - ITEMS_AT);
        for (uint64_t n = next(&state) % 4; n-- > 0;) {
            uint64_t r = next(&state);
            size_t at = (size_t) (r >> 32) % altered.len;
            static const uint8_t values[] = {0, 1, 7, 8, 0x7f, 0x80, 0xff};
            altered.at[at] = r & 1 ? (char) (r >> 8) : (char) values[(r >> 8) % sizeof values];
        }
        size_t len = next(&state) % 8 ? altered.len : (size_t) next(&state) % (altered.len + 1);
        char *exact = alloc_copy(altered.at, len ? len : 1);
        LLVMFuzzerTestOneInput((const uint8_t *) exact, len);
        alloc_free(exact);
    }
    str_fini(&sound);
    str_fini(&altered);
    return 0;
}
#endif
