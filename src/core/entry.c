/* A compiled program as the bytes of a cache file, and back. The bytes are believed only if their
 * checksum holds, their key is the one asked for and everything they depend on is as it was. Where
 * the file lies is not known here.
 *
 *   magic, key, checksum of what follows; then items, each a length of 8 bytes and its bytes,
 * filled up to 8: architecture, options, log, PTX (texts, each with its NUL), cubin; number of
 * name expressions, for each its text and symbol; number of
 * files, for each path, size, time, digest; number of absent files, for each its path. Numbers as
 * the machine writes them: the key holds the machine's kind. */
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "core/program.h"

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

static void put_number(struct str *out, uint64_t value)
{
    str_addn(out, (const char *) &value, sizeof value);
}

static void put_item(struct str *out, const void *p, size_t len)
{
    put_number(out, len);
    str_addn(out, p ? p : "", len);
    str_addn(out, "\0\0\0\0\0\0\0", (8 - len % 8) % 8);
}

static void put_text(struct str *out, const char *text)
{
    put_item(out, text ? text : "", text ? strlen(text) + 1 : 0);
}

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t) now.tv_sec * 1000000000 + now.tv_nsec;
}

static void put_files(struct str *out, const struct scan *scan)
{
    int64_t limit = now_ns() - settled;
    put_number(out, scan->files.len);
    for (size_t i = 0; i < scan->files.len; i++) {
        const struct scan_file *file = &scan->files.at[i];
        put_text(out, file->path);
        put_number(out, file->size);
        put_number(out, (uint64_t) (file->mtime < limit ? file->mtime : never));
        put_item(out, file->digest, sizeof file->digest);
    }
}

/* Places that were empty when the scan looked; what has come there since would be found the next
 * time. */
static void put_absent(struct str *out, const struct scan *scan)
{
    put_number(out, scan->absent.len);
    for (size_t i = 0; i < scan->absent.len; i++)
        put_text(out, scan->absent.at[i]);
}

static void put_names(struct str *out, const runcu_program *program)
{
    put_number(out, program->named_count);
    for (size_t i = 0; i < program->named_count; i++) {
        put_text(out, program->named[i].expression);
        put_text(out, program->named[i].symbol);
    }
}

bool entry_write(struct str *out, const runcu_program *program, const struct request *r)
{
    uint64_t sum = 0;
    str_addn(out, magic, sizeof magic);
    str_addn(out, (const char *) r->key, sizeof r->key);
    put_number(out, sum);
    put_text(out, program->arch);
    put_text(out, program->options);
    put_text(out, program->log);
    put_text(out, program->ptx);
    put_item(out, program->cubin, program->cubin_size);
    put_names(out, program);
    put_files(out, &r->scan);
    put_absent(out, &r->scan);
    if (out->failed)
        return false;
    sum = hash_bytes(out->at + ITEMS_AT, out->len - ITEMS_AT);
    memcpy(out->at + SUM_AT, &sum, sizeof sum);
    return true;
}

/* --- reading ------------------------------------------------------------- */

struct cursor {
    const char *at, *end;
    bool bad;
};

static uint64_t get_number(struct cursor *c)
{
    uint64_t value = 0;
    if (c->end - c->at < (ptrdiff_t) sizeof value)
        c->bad = true;
    if (c->bad)
        return 0;
    memcpy(&value, c->at, sizeof value);
    c->at += sizeof value;
    return value;
}

static const char *get_item(struct cursor *c, size_t *len)
{
    uint64_t size = get_number(c);
    uint64_t left = (uint64_t) (c->end - c->at);
    *len = 0;
    if (c->bad || size > left || ALIGN_UP(size, 8) > left) {
        c->bad = true;
        return NULL;
    }
    const char *item = c->at;
    c->at += ALIGN_UP(size, 8);
    *len = (size_t) size;
    return item;
}

/* NULL for a text that was NULL. */
static const char *get_text(struct cursor *c, size_t *bytes)
{
    size_t len;
    const char *text = get_item(c, &len);
    *bytes = len ? len - 1 : 0;
    if (len && memchr(text, 0, len) != text + len - 1)
        c->bad = true;
    return len && !c->bad ? text : NULL;
}

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

static bool check_file(struct cursor *c)
{
    size_t len;
    struct fs_info info;
    const char *path = get_text(c, &len);
    uint64_t size = get_number(c);
    int64_t mtime = (int64_t) get_number(c);
    const char *digest = get_item(c, &len);
    if (c->bad || !path || len != SHA256_SIZE)
        return false;
    if (fs_stat(&info, path) != 0 || info.is_folder || info.size != size)
        return false;
    return info.mtime == mtime || is_same_content(path, digest);
}

static bool check_absent(struct cursor *c)
{
    size_t len;
    struct fs_info info;
    const char *path = get_text(c, &len);
    return path && fs_stat(&info, path) != 0;
}

static bool check_depends(struct cursor *c)
{
    bool ok = true;
    for (uint64_t n = get_number(c); ok && n > 0; n--)
        ok = check_file(c);
    for (uint64_t n = ok ? get_number(c) : 0; ok && n > 0; n--)
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

/* The names lie in the image; their list in `arena`. */
static bool get_names(runcu_program *found, struct cursor *c, struct arena *arena)
{
    size_t len;
    uint64_t count = get_number(c);
    if (count > (uint64_t) (c->end - c->at))
        return false;
    struct core_named *named = arena_alloc(arena, (size_t) count * sizeof *named + 1);
    bool ok = named && !c->bad;
    for (size_t i = 0; ok && i < count; i++) {
        named[i].expression = get_text(c, &len);
        named[i].symbol = get_text(c, &len);
        ok = named[i].expression && named[i].symbol;
    }
    found->named = named;
    found->named_count = (size_t) count;
    return ok;
}

bool entry_read(runcu_program *program, struct str *bytes, const uint8_t key[SHA256_SIZE])
{
    if (!is_sound(bytes, key))
        return false;
    struct cursor c = {bytes->at + ITEMS_AT, bytes->at + bytes->len, false};
    runcu_program found = {.was_cached = true};
    size_t len;
    found.arch = get_text(&c, &len);
    found.options = get_text(&c, &len);
    found.log = get_text(&c, &len);
    found.ptx = get_text(&c, &found.ptx_size);
    found.cubin = get_item(&c, &found.cubin_size);
    if (!found.cubin_size)
        found.cubin = NULL;
    if (c.bad || !found.arch || !found.options || !found.log ||
        !get_names(&found, &c, &program->arena) || !check_depends(&c))
        return false;
    found.arena = program->arena;
    found.image = str_take(bytes);
    *program = found;
    return found.image != NULL;
}
