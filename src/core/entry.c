/* A compiled program as the bytes of a cache file, and back. The bytes are believed only if their
 * checksum holds, their key is the one asked for and everything they depend on is as it was. Where
 * the file lies is not known here.
 *
 *   magic, key, checksum of what follows; then (wire.h) architecture, options, log, PTX, cubin;
 * number of name expressions, for each its text and symbol; number of files, for each path, size,
 * time, digest; number of absent files, for each its path. The key holds the machine's kind. */
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "core/program.h"
#include "core/wire.h"

static const char magic[8] = "runcu\n2";

enum {
    KEY_AT = sizeof magic,
    SUM_AT = KEY_AT + SHA256_SIZE,
    ITEMS_AT = SUM_AT + 8,
    FILE_LIMIT = 64 << 20,
};

/* A file changed less than this before it was read may change again without showing it. */
static const int64_t settled = 2000000000;
static const int64_t never = -1;

/* --- writing ------------------------------------------------------------- */

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t) now.tv_sec * 1000000000 + now.tv_nsec;
}

static void put_files(struct str *out, const struct scan *scan)
{
    int64_t limit = now_ns() - settled;
    wire_put_number(out, scan->files.len);
    for (size_t i = 0; i < scan->files.len; i++) {
        const struct scan_file *file = &scan->files.at[i];
        wire_put_text(out, file->path);
        wire_put_number(out, file->size);
        wire_put_number(out, (uint64_t) (file->mtime < limit ? file->mtime : never));
        wire_put_item(out, file->digest, sizeof file->digest);
    }
}

/* Places that were empty when the scan looked; what has come there since would be found the next
 * time. */
static void put_absent(struct str *out, const struct scan *scan)
{
    wire_put_number(out, scan->absent.len);
    for (size_t i = 0; i < scan->absent.len; i++)
        wire_put_text(out, scan->absent.at[i]);
}

void program_put(struct str *out, const runcu_program *program)
{
    wire_put_text(out, program->arch);
    wire_put_text(out, program->options);
    wire_put_text(out, program->log);
    wire_put_text(out, program->ptx);
    wire_put_item(out, program->cubin, program->cubin_size);
    wire_put_number(out, program->named_count);
    for (size_t i = 0; i < program->named_count; i++) {
        wire_put_text(out, program->named[i].expression);
        wire_put_text(out, program->named[i].symbol);
    }
}

bool entry_write(struct str *out, const runcu_program *program, const struct request *r)
{
    uint64_t sum = 0;
    str_addn(out, magic, sizeof magic);
    str_addn(out, (const char *) r->key, sizeof r->key);
    wire_put_number(out, sum);
    program_put(out, program);
    put_files(out, &r->scan);
    put_absent(out, &r->scan);
    if (out->failed)
        return false;
    sum = hash_bytes(out->at + ITEMS_AT, out->len - ITEMS_AT);
    memcpy(out->at + SUM_AT, &sum, sizeof sum);
    return true;
}

/* --- reading ------------------------------------------------------------- */

static bool is_same_content(const char *path, const char *digest)
{
    struct str text = {0};
    struct sha256 hash;
    uint8_t found[SHA256_SIZE];
    bool ok = fs_read(&text, path, FILE_LIMIT) == 0;
    sha256_init(&hash);
    sha256_add(&hash, str_text(&text), text.len);
    sha256_end(&hash, found);
    str_fini(&text);
    return ok && memcmp(found, digest, sizeof found) == 0;
}

static bool check_file(struct wire *c)
{
    size_t len;
    struct fs_info info;
    const char *path = wire_text(c, &len);
    uint64_t size = wire_number(c);
    int64_t mtime = (int64_t) wire_number(c);
    const char *digest = wire_item(c, &len);
    if (c->bad || !path || len != SHA256_SIZE)
        return false;
    if (fs_stat(&info, path) != 0 || info.is_folder || info.size != size)
        return false;
    return info.mtime == mtime || is_same_content(path, digest);
}

static bool check_absent(struct wire *c)
{
    size_t len;
    struct fs_info info;
    const char *path = wire_text(c, &len);
    return path && fs_stat(&info, path) != 0;
}

static bool check_depends(struct wire *c)
{
    bool ok = true;
    for (uint64_t n = wire_number(c); ok && n > 0; n--)
        ok = check_file(c);
    for (uint64_t n = ok ? wire_number(c) : 0; ok && n > 0; n--)
        ok = check_absent(c);
    return ok && !c->bad && c->at == c->end;
}

static bool is_sound(const struct str *bytes, const uint8_t key[SHA256_SIZE])
{
    uint64_t sum;
    if (bytes->len < ITEMS_AT || memcmp(bytes->at, magic, sizeof magic) != 0 ||
        memcmp(bytes->at + KEY_AT, key, SHA256_SIZE) != 0)
        return false;
    memcpy(&sum, bytes->at + SUM_AT, sizeof sum);
    return sum == hash_bytes(bytes->at + ITEMS_AT, bytes->len - ITEMS_AT);
}

/* The list of names lies in the arena. */
static bool get_names(runcu_program *found, struct wire *w, struct arena *arena)
{
    size_t count = wire_count(w);
    struct core_named *named = arena_alloc(arena, count * sizeof *named + 1);
    bool ok = named && !w->bad;
    for (size_t i = 0; ok && i < count; i++) {
        named[i].expression = wire_text(w, NULL);
        named[i].symbol = wire_text(w, NULL);
        ok = named[i].expression && named[i].symbol;
    }
    found->named = named;
    found->named_count = count;
    return ok;
}

bool program_get(runcu_program *found, struct wire *w, struct arena *arena)
{
    found->arch = wire_text(w, NULL);
    found->options = wire_text(w, NULL);
    found->log = wire_text(w, NULL);
    found->ptx = wire_text(w, &found->ptx_size);
    found->cubin = wire_item(w, &found->cubin_size);
    if (!found->cubin_size)
        found->cubin = NULL;
    return !w->bad && found->arch && found->options && found->log && get_names(found, w, arena);
}

bool entry_read(runcu_program *program, struct str *bytes, const uint8_t key[SHA256_SIZE])
{
    if (!is_sound(bytes, key))
        return false;
    struct wire w = {bytes->at + ITEMS_AT, bytes->at + bytes->len, false};
    runcu_program found = {.was_cached = true};
    if (!program_get(&found, &w, &program->arena) || !check_depends(&w))
        return false;
    found.arena = program->arena;
    found.image = str_take(bytes);
    *program = found;
    return found.image != NULL;
}
