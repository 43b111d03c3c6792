/* bench/push_blobs.c - pushing blobs: many small ones, or few big ones in one piece or in chunks.
 *
 * A blob starts with a stamp of the run's seed and its number, the rest is the shared pattern. The digests of
 * big blobs are computed before the clock runs; those of small ones as they go, which the driver's own
 * ceiling shows. */
#include "modes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "util/io.h"

enum { STEP_BEGIN, STEP_CHUNK, STEP_END };

static void stamp(const struct load *l, uint64_t id, char out[LOAD_STAMP + 1])
{
    snprintf(out, LOAD_STAMP + 1, "%016llx%016llx", (unsigned long long)l->seed, (unsigned long long)id);
}

static void digest_of(const struct load *l, uint64_t id, uint64_t size, char out[DIGEST_SIZE])
{
    char first[LOAD_STAMP + 1];
    unsigned char raw[HASH_MAX_SIZE];
    berth_hash h;
    hash_init(&h, HASH_SHA256);
    stamp(l, id, first);
    hash_update(&h, first, LOAD_STAMP);
    for (uint64_t at = LOAD_STAMP; at < size;) {
        size_t from = (size_t)(at % LOAD_PATTERN), n = (size_t)MIN(size - at, LOAD_PATTERN - from);
        hash_update(&h, l->pattern + from, n);
        at += n;
    }
    size_t n = hash_final(&h, raw);
    memcpy(out, "sha256:", 7);
    hex_encode(raw, n, out + 7);
}

void push_blob_begin(const struct load *l, struct push_blob *b, uint64_t id, uint64_t size)
{
    *b = (struct push_blob){.id = id, .size = size};
    digest_of(l, id, size, b->digest);
}

/* The bytes [from, from + n) of the blob as the request's body. */
static void add_body(const struct load *l, struct load_client *c, const struct push_blob *b, uint64_t from,
                     uint64_t n)
{
    char first[LOAD_STAMP + 1];
    if (from == 0) {
        stamp(l, b->id, first);
        load_add(c, "%s", first);
        from += LOAD_STAMP;
        n -= LOAD_STAMP;
    }
    c->fill = n;
    c->fill_from = from;
}

static void add_chunk(const struct load *l, struct load_client *c, const struct push_blob *b)
{
    uint64_t n = MIN(l->o->chunk, b->size - b->at);
    load_add(c, "PATCH %s HTTP/1.1\r\nHost: %s:%s\r\n%s", c->location, l->o->host, l->o->port, l->o->headers);
    load_add(
        c,
        "Content-Type: application/octet-stream\r\nContent-Range: %llu-%llu\r\nContent-Length: %llu\r\n\r\n",
        (unsigned long long)b->at, (unsigned long long)(b->at + n - 1), (unsigned long long)n);
    add_body(l, c, b, b->at, n);
}

void push_blob_request(const struct load *l, struct load_client *c, struct push_blob *b,
                       const char *repository)
{
    char path[LOAD_LOCATION + DIGEST_SIZE + 16];
    uint64_t n = l->o->chunk ? 0 : b->size;
    if (b->step == STEP_BEGIN && l->o->single) {
        snprintf(path, sizeof(path), "/v2/%s/blobs/uploads/?digest=%s", repository, b->digest);
        load_head(l, c, "POST", path, "application/octet-stream", b->size);
        add_body(l, c, b, 0, b->size);
    } else if (b->step == STEP_BEGIN) {
        snprintf(path, sizeof(path), "/v2/%s/blobs/uploads/", repository);
        load_head(l, c, "POST", path, NULL, 0);
    } else if (b->step == STEP_CHUNK) {
        add_chunk(l, c, b);
    } else {
        snprintf(path, sizeof(path), "%s%cdigest=%s", c->location, strchr(c->location, '?') ? '&' : '?',
                 b->digest);
        load_head(l, c, "PUT", path, "application/octet-stream", n);
        if (n)
            add_body(l, c, b, 0, n);
    }
}

enum load_verdict push_blob_answer(const struct load *l, struct load_client *c, struct push_blob *b)
{
    if (b->step == STEP_END || (b->step == STEP_BEGIN && l->o->single))
        return c->status == 201 ? LOAD_DONE : LOAD_FAILED;
    if (c->status != 202 || !c->location[0])
        return LOAD_FAILED;
    if (b->step == STEP_CHUNK)
        b->at += MIN(l->o->chunk, b->size - b->at);
    b->step = l->o->chunk && b->at < b->size ? STEP_CHUNK : STEP_END;
    return LOAD_MORE;
}

void push_repository(const struct load *l, uint64_t operation, char *out, size_t size)
{
    if (l->o->repositories)
        snprintf(out, size, "%s%llu", l->o->repository, (unsigned long long)(operation % l->o->repositories));
    else
        snprintf(out, size, "%s", l->o->repository);
}

/* --- modes --- */

static void small_request(struct load *l, struct load_client *c)
{
    struct push_blob *b = c->state;
    char repository[256];
    if (c->step++ == 0)
        push_blob_begin(l, b, c->operation, l->o->size);
    push_repository(l, c->operation, repository, sizeof(repository));
    push_blob_request(l, c, b, repository);
}

static enum load_verdict blob_answer(struct load *l, struct load_client *c)
{
    return push_blob_answer(l, c, c->state);
}

/* On a virtual machine the first touch of memory that was given back to the host costs ten times what a copy
 * does (256 MiB written: 0.6 s instead of 0.05 s), and memory is given back within seconds. The file has no
 * name and is gone before any of it reaches the disk. */
static int touch_page_cache(const struct load *l, berth_error *err)
{
    uint64_t wanted = l->o->size * l->o->operations;
    CLEANUP(closep) int fd = open(l->o->touch, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR))
        return BERTH_OK; /* this file system has no files without a name: measured as it is */
    if (fd < 0)
        return berth_error_set(err, BERTH_E_IO, "a file in %s: %s", l->o->touch, strerror(errno));
    int r = BERTH_OK;
    for (uint64_t at = 0; r == BERTH_OK && at < wanted; at += MIB)
        r = io_write_all(fd, l->pattern, MIB, err);
    return r;
}

static int big_prepare(struct load *l, berth_error *err)
{
    struct push_blob *all = calloc(l->o->operations, sizeof(*all));
    if (!all)
        return berth_error_set(err, BERTH_E_NOMEM, "no memory for %llu blobs",
                               (unsigned long long)l->o->operations);
    for (uint64_t i = 0; i < l->o->operations; i++)
        push_blob_begin(l, &all[i], i, l->o->size);
    l->prepared = all;
    return l->o->touch ? touch_page_cache(l, err) : BERTH_OK;
}

static void big_request(struct load *l, struct load_client *c)
{
    struct push_blob *b = c->state;
    char repository[256];
    if (c->step++ == 0)
        *b = ((struct push_blob *)l->prepared)[c->operation];
    push_repository(l, c->operation, repository, sizeof(repository));
    push_blob_request(l, c, b, repository);
}

const struct load_ops mode_put_blobs = {.name = "put-blobs",
                                        .state_size = sizeof(struct push_blob),
                                        .needs_pattern = true,
                                        .request = small_request,
                                        .answer = blob_answer};
const struct load_ops mode_push_big = {.name = "push-big",
                                       .state_size = sizeof(struct push_blob),
                                       .needs_pattern = true,
                                       .prepare = big_prepare,
                                       .request = big_request,
                                       .answer = blob_answer};
