/* tests/fuzz/tar.c - an archive as it comes in pieces: the first byte is their size, 0 for all at once. What
 * is told must not depend on it. */
#include "content/tar.h"
#include "fuzz.h"
#include "util/hash.h"

struct told {
    berth_hash hash;
    uint64_t entries, left;
};

static int on_entry(void *arg, const struct tar_entry *e, berth_error *err)
{
    struct told *t = arg;
    (void)err;
    require(t->left == 0);
    hash_update(&t->hash, e->path, strlen(e->path));
    hash_update(&t->hash, e->link, strlen(e->link));
    require(e->size <= INT64_MAX && e->mode <= 07777);
    t->left = e->size;
    t->entries++;
    return BERTH_OK;
}

static int on_data(void *arg, const void *p, size_t n, berth_error *err)
{
    struct told *t = arg;
    (void)err;
    require(n <= t->left);
    t->left -= n;
    hash_update(&t->hash, p, n);
    return BERTH_OK;
}

static int on_end(void *arg, berth_error *err)
{
    (void)err;
    require(((struct told *)arg)->left == 0);
    return BERTH_OK;
}

static int read_all(const uint8_t *p, size_t n, size_t piece, struct told *t)
{
    static const struct tar_events events = {on_entry, on_data, on_end};
    struct tar_reader *reader = NULL;
    hash_init(&t->hash, HASH_SHA256);
    int r = tar_reader_new(&events, t, &reader, NULL);
    for (size_t at = 0; r == BERTH_OK && at < n; at += piece)
        r = tar_reader_write(reader, p + at, MIN(piece, n - at), NULL);
    if (r == BERTH_OK)
        r = tar_reader_end(reader, NULL);
    tar_reader_free(reader);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct told whole = {.entries = 0}, pieces = {.entries = 0};
    unsigned char a[HASH_MAX_SIZE], b[HASH_MAX_SIZE];
    int r = read_all(data + 1, size - 1, size, &whole);
    require(r == read_all(data + 1, size - 1, data[0] ? data[0] : size, &pieces));
    hash_final(&whole.hash, a);
    hash_final(&pieces.hash, b);
    require(whole.entries == pieces.entries && memcmp(a, b, 32) == 0);
    return 0;
}
