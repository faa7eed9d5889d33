/* Hostile cache files: whatever follows a header that is right, entry_read returns, and what it
 * takes for good has texts that end. With libFuzzer (-Dfuzz=true) an endless target; with FUZZ_MAIN
 * a program that alters a sound entry in 200 000 ways. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "core/entry.h"

/* Of a part; as in core/entry.c. */
struct head {
    char magic[8];
    uint64_t sum, length;
    uint8_t key[SHA256_SIZE];
    struct variant variant;
};

enum { SUMMED_AT = offsetof(struct head, length), ITEMS_AT = sizeof(struct head) };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct request wanted = {.key = {1, 2, 3}, .variant = {"sm_80", 2}};
static size_t accepted;

static void touch(const char *what, const char *text, size_t len)
{
    if (text && strlen(text) != len && strlen(text) > len) {
        fprintf(stderr, "fuzz_cache: %s does not end where it says\n", what);
        abort();
    }
}

/* The format's, whatever its number is by now. */
static void get_magic(char out[8])
{
    struct str part = {0};
    runcu_program program = {.arch = "", .options = "", .log = ""};
    if (!entry_write(&part, &program, &wanted))
        abort();
    memcpy(out, part.at, 8);
    str_fini(&part);
}

static void put_part(struct str *out, const uint8_t *data, size_t size)
{
    struct head head = {{0}, 0, sizeof head + size, {0}, wanted.variant};
    get_magic(head.magic);
    memcpy(head.key, wanted.key, sizeof head.key);
    str_addn(out, (const char *) &head, sizeof head);
    str_addn(out, (const char *) data, size);
    head.sum = hash_bytes(out->at + SUMMED_AT, out->len - SUMMED_AT);
    memcpy(out->at, &head, sizeof head);
}

/* The bytes as they come, which have no right checksum but may be a row of parts. */
static void merge(const uint8_t *data, size_t size)
{
    struct str old = {0}, newer = {0}, out = {0};
    str_addn(&old, (const char *) data, size);
    put_part(&newer, data, size / 8 * 8);
    entry_merge(&out, &old, &newer, wanted.key);
    entry_check(str_text(&old), old.len, wanted.key);
    if (entry_check(str_text(&out), out.len, wanted.key) != 1)
        abort();
    str_fini(&out);
    str_fini(&newer);
    str_fini(&old);
}

/* `data` is what follows the header. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str bytes = {0};
    merge(data, size);
    put_part(&bytes, data, size);
    runcu_program *program = alloc_zero(1, sizeof *program);
    if (entry_read(program, &bytes, &wanted)) {
        accepted++;
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

/* `has_file`: it depends on a file that is not there, and so is never taken. */
static void make_entry(struct str *out, bool has_file)
{
    runcu_program program = {
        .arch = "sm_80", .options = "-a\n", .log = "", .ptx = ".version 8.0\n", .ptx_size = 13};
    struct request r = wanted;
    struct str depends = {0};
    struct scan_file file = {.path = "/nowhere/a.h", .size = 3, .mtime = 5};
    program.cubin = "\x7f"
                    "ELF and more";
    program.cubin_size = 12;
    if ((has_file && !vec_push(&r.scan.files, file)) || !vec_push(&r.scan.absent, "/nowhere/b.h") ||
        !depends_write(&depends, &r))
        abort();
    program.depends = depends.at;
    program.depends_len = depends.len;
    if (!entry_write(out, &program, &r))
        abort();
    str_fini(&depends);
    vec_fini(&r.scan.files);
    vec_fini(&r.scan.absent);
}

static void alter(const struct str *sound, uint64_t seed)
{
    struct str altered = {0};
    uint64_t state = seed;
    for (int i = 0; i < 100000; i++) {
        str_clear(&altered);
        str_addn(&altered, sound->at + ITEMS_AT, sound->len - ITEMS_AT);
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
        str_clear(&altered);
        str_addn(&altered, sound->at, sound->len);
        altered.at[next(&state) % altered.len] ^= (char) (1 << next(&state) % 8);
        merge((const uint8_t *) altered.at, altered.len);
    }
    str_fini(&altered);
}

int main(void)
{
    struct str sound = {0}, stale = {0};
    make_entry(&sound, false);
    make_entry(&stale, true);
    alter(&sound, 1);
    size_t before = accepted;
    alter(&stale, 2);
    if (before < 10000 || accepted - before > before / 10) {
        fprintf(stderr, "fuzz_cache: %zu and %zu were taken\n", before, accepted - before);
        return 1;
    }
    str_fini(&sound);
    str_fini(&stale);
    return 0;
}
#endif
