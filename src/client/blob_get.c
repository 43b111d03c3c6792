/* client/blob_get.c - a blob, or a part of one, to a function, into memory or to a file, hashed on its way.
 * What has come is kept when the body breaks off, and the rest asked for by Range. */
#include "berth/download.h"
#include "client/internal.h"
#include "client/partial.h"
#include "http/range.h"
#include "oci/mediatype.h"

struct download {
    uint64_t offset, length; /* of the part; length 0: to the end */
    uint64_t at;             /* bytes that have come, from the offset on */
    uint64_t size;           /* of the whole blob; HTTP_SIZE_UNKNOWN */
    uint64_t skip;           /* to be passed over: the answer begins earlier */
    char *etag;              /* a strong one; NULL: none */
    bool part, in_memory, restarted;
    berth_hash hash;
    berth_buf memory;
    struct partial file;
};

static const struct step getting;

static void done(berth_call *call)
{
    struct download *d = call->own;
    bool keep = call->code == BERTH_E_NETWORK || call->code == BERTH_E_BUSY ||
                call->code == BERTH_E_CANCELLED || call->code == BERTH_E_IO || call->code == BERTH_E_UNAUTH ||
                call->state != CALL_DONE;
    berth_buf_done(&d->memory);
    partial_done(&d->file, keep);
}

/* --- what is asked for --- */

static void aim(berth_call *call)
{
    struct download *d = call->own;
    uint64_t from = d->offset + d->at;
    call_prepare(call);
    if (!from && !d->length)
        return;
    if (d->length)
        call_field(call, "Range: bytes=%llu-%llu", (unsigned long long)from,
                   (unsigned long long)(d->offset + d->length - 1));
    else
        call_field(call, "Range: bytes=%llu-", (unsigned long long)from);
    if (d->part && d->at && d->etag) /* of a whole blob, the digest tells */
        call_field(call, "If-Range: %s", d->etag);
}

/* --- what comes --- */

static int learn_size(berth_call *call, uint64_t size)
{
    struct download *d = call->own;
    if (size != HTTP_SIZE_UNKNOWN && d->size != HTTP_SIZE_UNKNOWN && size != d->size)
        return call_fail(call, BERTH_E_INVALID, "the blob has another size than before");
    if (size != HTTP_SIZE_UNKNOWN)
        d->size = size;
    if (d->size == HTTP_SIZE_UNKNOWN)
        return BERTH_OK;
    if (d->offset > d->size || (d->part && d->offset == d->size))
        return call_fail(call, BERTH_E_RANGE, "the blob has %llu bytes, and is to be read from %llu on",
                         (unsigned long long)d->size, (unsigned long long)d->offset);
    uint64_t left = d->size - d->offset;
    call->progress.total = d->length ? MIN(d->length, left) : left;
    return BERTH_OK;
}

static int on_head(berth_call *call)
{
    struct download *d = call->own;
    uint64_t from = d->offset + d->at, size = HTTP_SIZE_UNKNOWN;
    struct http_range r;
    berth_str etag = exchange_field(&call->x, STR("ETag"), 0);
    d->skip = 0;
    if (!d->at && str_starts(etag, STR("\"")) && !(d->etag = berth_arena_dup(&call->arena, etag)))
        return call_fail(call, BERTH_E_NOMEM, "out of memory");
    if (call->x.status != 206) {
        d->skip = from;
        return learn_size(call, call->x.length >= 0 ? (uint64_t)call->x.length : HTTP_SIZE_UNKNOWN);
    }
    berth_str said = exchange_field(&call->x, STR("Content-Range"), 0);
    bool wanted = from || d->length;
    if (!wanted || !http_content_range_answer_parse(said, &r, &size) || r.first != from ||
        (d->length && r.last >= d->offset + d->length) ||
        (call->x.length >= 0 && (uint64_t)call->x.length != r.last - r.first + 1))
        return call_fail(call, BERTH_E_INVALID, "the answer holds another range than was asked for");
    return learn_size(call, size);
}

static int take(berth_call *call, const void *p, size_t n)
{
    struct download *d = call->own;
    berth_error err = BERTH_ERROR_INIT;
    if (d->file.fd >= 0)
        return partial_write(&d->file, p, n, &err) == BERTH_OK ? BERTH_OK : call_fail_with(call, &err);
    if (!d->part)
        hash_update(&d->hash, p, n);
    if (d->in_memory) {
        berth_buf_add(&d->memory, p, n);
        if (berth_buf_exceeded(&d->memory))
            return call_fail(call, BERTH_E_TOO_BIG, "the blob has more than the %llu bytes that are allowed",
                             (unsigned long long)d->memory.max);
        return berth_buf_failed(&d->memory) ? call_fail(call, BERTH_E_NOMEM, "out of memory") : BERTH_OK;
    }
    return call->sink(call->arg, p, n) == 0 ? BERTH_OK : call_fail(call, BERTH_E_CANCELLED, "cancelled");
}

static int on_piece(berth_call *call, const void *p, size_t n)
{
    struct download *d = call->own;
    size_t passed = (size_t)MIN(d->skip, (uint64_t)n);
    d->skip -= passed;
    n -= passed;
    if (d->length) /* a registry without ranges goes on to the end */
        n = (size_t)MIN((uint64_t)n, d->length - d->at);
    if (!n)
        return BERTH_OK;
    int r = take(call, (const char *)p + passed, n);
    if (r != BERTH_OK)
        return r;
    d->at += n;
    call->progress.done = d->at;
    progress_tell(call, BERTH_STEP_RECEIVES);
    return BERTH_OK;
}

/* --- the end --- */

static int give(berth_call *call)
{
    const struct download *d = call->own;
    berth_str type = mediatype_essence(exchange_field(&call->x, STR("Content-Type"), 0));
    call->content =
        (berth_content){.media_type = berth_arena_dup(&call->arena, mediatype_valid(type) ? type : STR("")),
                        .digest = d->part ? "" : call->digest.text,
                        .size = d->at,
                        .data = d->in_memory ? berth_buf_str(&d->memory).p : NULL};
    if (!call->content.media_type)
        return call_fail(call, BERTH_E_NOMEM, "out of memory");
    call->has_content = true;
    return BERTH_OK;
}

/* What another process left may be wrong: once, all of it is fetched anew. */
static int restart(berth_call *call, const struct step **ret_next)
{
    struct download *d = call->own;
    berth_error err = BERTH_ERROR_INIT;
    if (partial_restart(&d->file, call->digest.algorithm, &err) != BERTH_OK)
        return call_fail_with(call, &err);
    d->restarted = true;
    d->at = call->progress.done = call->broke_at = 0;
    berth_buf_reset(&call->url);
    berth_buf_addf(&call->url, "%s/v2/%s/blobs/%s", call->client->base, call->repository, call->digest.text);
    call->foreign = false;
    aim(call);
    *ret_next = &getting;
    return BERTH_OK;
}

static int on_end(berth_call *call, const struct step **ret_next)
{
    struct download *d = call->own;
    berth_error err = BERTH_ERROR_INIT;
    bool in_file = d->file.fd >= 0;
    if (d->part && call->progress.total != UINT64_MAX && d->at != call->progress.total)
        return call_fail(call, BERTH_E_NETWORK, "the body ended early");
    if (d->part)
        return give(call);
    berth_hash hash = in_file ? d->file.hash : d->hash;
    berth_digest have;
    digest_from_hash(&hash, &have);
    if (!digest_eq(&have, &call->digest) && in_file && !d->restarted)
        return restart(call, ret_next);
    if (!digest_eq(&have, &call->digest))
        return call_fail(call, BERTH_E_DIGEST,
                         "the blob's bytes have the digest %.20s..., not the one asked for", have.text);
    if (in_file && partial_finish(&d->file, &err) != BERTH_OK)
        return call_fail_with(call, &err);
    return give(call);
}

/* Nothing lies behind what has come: it was all. */
static int on_refused(berth_call *call, const struct step **ret_next)
{
    struct download *d = call->own;
    uint64_t size;
    berth_str said = exchange_field(&call->x, STR("Content-Range"), 0);
    if (call->x.status == 416 && !d->part && d->at && http_content_range_size_parse(said, &size) &&
        size == d->at)
        return on_end(call, ret_next);
    return call->x.status == 416 && d->file.fd >= 0 && d->at && !d->restarted ? restart(call, ret_next)
                                                                              : call_fail_by_answer(call);
}

static int on_broken(berth_call *call, const struct step **ret_next)
{
    if (!call->may_retry)
        return call->code;
    aim(call);
    *ret_next = &getting;
    return BERTH_OK;
}

static const struct step getting = {.method = "GET",
                                    .large = true,
                                    .head = on_head,
                                    .piece = on_piece,
                                    .end = on_end,
                                    .refused = on_refused,
                                    .broken = on_broken};
static const struct operation get = {.actions = "pull", .first = &getting, .done = done};

/* --- beginnings --- */

static int make(berth_client *client, const char *repository, const char *digest, berth_call **ret,
                berth_error *err)
{
    berth_call *call = NULL;
    if (!repository || !digest)
        return berth_error_set(err, BERTH_E_INVALID, "a blob is named by repository and digest");
    int r = call_new_blob(client, &get, repository, digest, &call, err);
    if (r != BERTH_OK)
        return r;
    struct download *d = berth_arena_alloc(&call->arena, sizeof(*d));
    if (!d) {
        call_destroy(call);
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    }
    *d = (struct download){.size = HTTP_SIZE_UNKNOWN, .file = PARTIAL_INIT};
    hash_init(&d->hash, call->digest.algorithm);
    call->own = d;
    berth_buf_addf(&call->url, "%s/v2/%s/blobs/%s", client->base, repository, digest);
    *ret = call;
    return BERTH_OK;
}

static int begin(berth_call *call, berth_call **ret)
{
    aim(call);
    call_start(call);
    *ret = call;
    return BERTH_OK;
}

int berth_blob_get_range_start(berth_client *client, const char *repository, const char *digest,
                               uint64_t offset, uint64_t length, berth_sink_fn fn, void *arg,
                               berth_call **ret_call, berth_error *err)
{
    berth_call *call = NULL;
    if (offset + length < offset || offset > INT64_MAX)
        return berth_error_set(err, BERTH_E_RANGE, "no blob is as large as that");
    int r = make(client, repository, digest, &call, err);
    if (r != BERTH_OK)
        return r;
    struct download *d = call->own;
    d->offset = offset;
    d->length = length;
    d->part = offset || length;
    call->sink = fn;
    call->arg = arg;
    return begin(call, ret_call);
}

int berth_blob_get_start(berth_client *client, const char *repository, const char *digest, berth_sink_fn fn,
                         void *arg, berth_call **ret_call, berth_error *err)
{
    return berth_blob_get_range_start(client, repository, digest, 0, 0, fn, arg, ret_call, err);
}

int berth_blob_get_memory_start(berth_client *client, const char *repository, const char *digest,
                                uint64_t max, berth_call **ret_call, berth_error *err)
{
    berth_call *call = NULL;
    int r = make(client, repository, digest, &call, err);
    if (r != BERTH_OK)
        return r;
    struct download *d = call->own;
    d->in_memory = true;
    berth_buf_init(&d->memory, (size_t)MIN(max, (uint64_t)SIZE_MAX / 2));
    return begin(call, ret_call);
}

int berth_blob_get_file_start(berth_client *client, const char *repository, const char *digest,
                              const char *path, berth_call **ret_call, berth_error *err)
{
    berth_call *call = NULL;
    if (!path)
        return berth_error_set(err, BERTH_E_INVALID, "a file needs a name");
    int r = make(client, repository, digest, &call, err);
    if (r != BERTH_OK)
        return r;
    struct download *d = call->own;
    r = partial_open(&d->file, path, &call->digest, err);
    if (r != BERTH_OK) {
        call_destroy(call);
        return r;
    }
    d->at = call->progress.done = call->broke_at = d->file.at;
    d->restarted = !d->at; /* nothing is there that could be wrong */
    return begin(call, ret_call);
}

/* --- the same, blocking --- */

int berth_blob_get_range(berth_client *client, const char *repository, const char *digest, uint64_t offset,
                         uint64_t length, berth_sink_fn fn, void *arg, berth_call **ret_call,
                         berth_error *err)
{
    berth_call *call = NULL;
    int r = berth_blob_get_range_start(client, repository, digest, offset, length, fn, arg, &call, err);
    return call_run(r, call, ret_call, err);
}

int berth_blob_get(berth_client *client, const char *repository, const char *digest, berth_sink_fn fn,
                   void *arg, berth_call **ret_call, berth_error *err)
{
    return berth_blob_get_range(client, repository, digest, 0, 0, fn, arg, ret_call, err);
}

int berth_blob_get_memory(berth_client *client, const char *repository, const char *digest, uint64_t max,
                          berth_call **ret_call, berth_error *err)
{
    berth_call *call = NULL;
    int r = berth_blob_get_memory_start(client, repository, digest, max, &call, err);
    return call_run(r, call, ret_call, err);
}

int berth_blob_get_file(berth_client *client, const char *repository, const char *digest, const char *path,
                        berth_call **ret_call, berth_error *err)
{
    berth_call *call = NULL;
    int r = berth_blob_get_file_start(client, repository, digest, path, &call, err);
    return call_run(r, call, ret_call, err);
}
