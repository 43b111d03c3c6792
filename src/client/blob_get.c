/* client/blob_get.c - a blob, or a part of one, to a function, into memory or to a file, hashed on its way.
 * What has come is kept when the body breaks off, and the rest asked for by Range.
 *
 * A file may come in several ranges at once. Whether there are ranges, and how large it is, shows when its
 * beginning is asked for; a registry that answers with the whole blob has lost no time. */
#include "berth/download.h"
#include "client/internal.h"
#include "client/ranges.h"
#include "http/range.h"
#include "oci/mediatype.h"
#include "util/clock.h"

#define FIRST     (8 * MIB) /* asked for to see whether there are ranges */
#define STEP_MAX  (64 * MIB)
#define FROM      (64 * MIB)
#define AT_ONCE   64 /* each has a connection, and a gap in the record of them */
#define FOLLOW_MS 10 /* so long at a time: other calls wait */
#define ABOVE_MAX "the blob has more than the %llu bytes that are allowed"

struct download {
    uint64_t offset, length; /* of the part; length 0: to the end */
    uint64_t at;             /* bytes that have come, from the offset on */
    uint64_t size;           /* of the whole blob; HTTP_SIZE_UNKNOWN */
    uint64_t skip;           /* to be passed over: the answer begins earlier */
    char *etag;              /* a strong one; NULL: none */
    uint64_t max;            /* bytes that it may have */
    uint64_t from, end;      /* of what is asked for now; end UINT64_MAX: all that follows */
    bool part, in_memory, restarted;
    bool probes;     /* it asks for the beginning alone: ranges may follow */
    uint64_t least;  /* ranges are for blobs that have as many bytes */
    bool no_ranges;  /* though the file is spread */
    bool other;      /* the file is of another size than the blob */
    struct gap *gap; /* of a file that is spread: where what comes belongs */
    berth_hash hash;
    berth_buf memory;
    struct partial file;
    struct ranges ranges;
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

static void ends(berth_call *call)
{
    ranges_stop(&((struct download *)call->own)->ranges);
}

/* --- what is asked for --- */

static void aim(berth_call *call)
{
    struct download *d = call->own;
    d->from = d->gap ? d->gap->at : d->offset + d->at;
    d->end = d->gap      ? d->gap->end
             : d->probes ? d->from + MIN(d->least, (uint64_t)FIRST)
             : d->length ? d->offset + d->length
                         : UINT64_MAX;
    call_prepare(call);
    if (d->end < UINT64_MAX)
        call_field(call, "Range: bytes=%llu-%llu", (unsigned long long)d->from,
                   (unsigned long long)d->end - 1);
    else if (d->from)
        call_field(call, "Range: bytes=%llu-", (unsigned long long)d->from);
    if (d->part && d->at && d->etag) /* of a whole blob, the digest tells */
        call_field(call, "If-Range: %s", d->etag);
}

/* --- what comes --- */

static int too_big(berth_call *call)
{
    return call_fail(call, BERTH_E_TOO_BIG, ABOVE_MAX,
                     (unsigned long long)((struct download *)call->own)->max);
}

static int learn_size(berth_call *call, uint64_t size)
{
    struct download *d = call->own;
    if (size != HTTP_SIZE_UNKNOWN && d->size != HTTP_SIZE_UNKNOWN && size != d->size)
        return call_fail(call, BERTH_E_INVALID, "the blob has another size than before");
    if (size != HTTP_SIZE_UNKNOWN && size > d->max)
        return too_big(call);
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

/* There are ranges, and it is large enough: the others begin. */
static int spread(berth_call *call)
{
    struct download *d = call->own;
    berth_error err = BERTH_ERROR_INIT;
    if (partial_spread(&d->file, d->size, &err) != BERTH_OK)
        return call_fail_with(call, &err);
    uint64_t each = (d->size - d->end) / (4ull * d->ranges.at_once);
    d->ranges.step = MIN(MAX(each, d->end - d->from), (uint64_t)STEP_MAX);
    d->restarted = false; /* a range may be of something else */
    d->gap = gaps_take(&d->file.gaps, d->end - d->from);
    ranges_begin(&d->ranges);
    return BERTH_OK;
}

/* Of a file that is spread already. */
static int on_head_of_gap(berth_call *call)
{
    struct download *d = call->own;
    d->no_ranges = call->x.status != 206;
    if (d->no_ranges)
        return call_fail(call, BERTH_E_UNSUPPORTED, "the registry sends no ranges");
    int r = ranges_check(call, d->from, d->end, d->file.size);
    d->other = r != BERTH_OK;
    call->progress.total = d->file.size;
    if (r == BERTH_OK)
        ranges_begin(&d->ranges);
    return r;
}

static int on_head(berth_call *call)
{
    struct download *d = call->own;
    uint64_t from = d->from, size = HTTP_SIZE_UNKNOWN;
    bool probes = d->probes;
    struct http_range r;
    if (d->gap)
        return on_head_of_gap(call);
    d->probes = false;
    berth_str etag = exchange_field(&call->x, STR("ETag"), 0);
    d->skip = 0;
    if (!d->at && str_starts(etag, STR("\"")) && !(d->etag = berth_arena_dup(&call->arena, etag)))
        return call_fail(call, BERTH_E_NOMEM, "out of memory");
    if (call->x.status != 206) {
        d->skip = from;
        d->end = UINT64_MAX; /* all of it comes */
        return learn_size(call, call->x.length >= 0 ? (uint64_t)call->x.length : HTTP_SIZE_UNKNOWN);
    }
    berth_str said = exchange_field(&call->x, STR("Content-Range"), 0);
    bool wanted = from || d->end < UINT64_MAX;
    if (!wanted || !http_content_range_answer_parse(said, &r, &size) || r.first != from || r.last >= d->end ||
        (call->x.length >= 0 && (uint64_t)call->x.length != r.last - r.first + 1))
        return call_fail(call, BERTH_E_INVALID, "the answer holds another range than was asked for");
    if (learn_size(call, size) != BERTH_OK)
        return call->code;
    return probes && d->size != HTTP_SIZE_UNKNOWN && d->size >= d->least && d->size > d->end ? spread(call)
                                                                                             : BERTH_OK;
}

static int take(berth_call *call, const void *p, size_t n)
{
    struct download *d = call->own;
    berth_error err = BERTH_ERROR_INIT;
    if (d->file.fd >= 0)
        return partial_write(&d->file, p, n, &err) == BERTH_OK ? BERTH_OK : call_fail_with(call, &err);
    if (d->in_memory) {
        berth_buf_add(&d->memory, p, n);
        if (berth_buf_failed(&d->memory))
            return call_fail(call, BERTH_E_NOMEM, "out of memory");
    } else {
        int r = call->sink(call->arg, p, n);
        if (r != 0)
            return r == BERTH_PAUSE ? r : call_fail(call, BERTH_E_CANCELLED, "cancelled");
    }
    if (!d->part)
        hash_update(&d->hash, p, n);
    return BERTH_OK;
}

static int on_piece(berth_call *call, const void *p, size_t n)
{
    struct download *d = call->own;
    berth_error err = BERTH_ERROR_INIT;
    if (d->gap)
        return ranges_take(&d->ranges, d->gap, p, n, &err) == BERTH_OK ? BERTH_OK
                                                                       : call_fail_with(call, &err);
    size_t passed = (size_t)MIN(d->skip, (uint64_t)n);
    n -= passed;
    if (d->length) /* a registry without ranges goes on to the end */
        n = (size_t)MIN((uint64_t)n, d->length - d->at);
    if (n > d->max - MIN(d->at, d->max))
        return too_big(call);
    int r = n ? take(call, (const char *)p + passed, n) : BERTH_OK;
    if (r != BERTH_OK)
        return r;
    d->skip -= passed;
    if (!n)
        return BERTH_OK;
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

/* One stream from here on, behind what is there. */
static int begin_again(berth_call *call, int r, const berth_error *err, const struct step **ret_next)
{
    struct download *d = call->own;
    if (r != BERTH_OK)
        return call_fail_with(call, err);
    d->gap = NULL;
    d->probes = d->no_ranges = d->other = false;
    d->at = call->progress.done = call->broke_at = d->file.at;
    call->progress.found = MIN(call->progress.found, d->at);
    berth_buf_reset(&call->url);
    berth_buf_addf(&call->url, "%s/v2/%s/blobs/%s", call->client->base, call->repository, call->digest.text);
    call->foreign = false;
    aim(call);
    *ret_next = &getting;
    return BERTH_OK;
}

/* What another process left, or several ranges brought, may be wrong: once, all of it is fetched anew. */
static int restart(berth_call *call, const struct step **ret_next)
{
    struct download *d = call->own;
    berth_error err = BERTH_ERROR_INIT;
    ranges_stop(&d->ranges);
    d->restarted = true;
    d->size = HTTP_SIZE_UNKNOWN;
    int r = partial_restart(&d->file, call->digest.algorithm, &err);
    return begin_again(call, r, &err, ret_next);
}

/* There are no ranges any more. */
static int gather(berth_call *call, const struct step **ret_next)
{
    struct download *d = call->own;
    berth_error err = BERTH_ERROR_INIT;
    ranges_stop(&d->ranges);
    int r = partial_gather(&d->file, &err);
    return begin_again(call, r, &err, ret_next);
}

static int on_whole(berth_call *call, const struct step **ret_next)
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

/* Every gap is filled; what came out of order may not be hashed yet. */
static int follow(berth_call *call, const struct step **ret_next)
{
    struct download *d = call->own;
    berth_error err = BERTH_ERROR_INIT;
    int64_t until = clock_mono_ms() + FOLLOW_MS;
    while (d->file.at < d->file.size && clock_mono_ms() < until)
        if (partial_follow(&d->file, MIB, &err) != BERTH_OK)
            return call_fail_with(call, &err);
    d->at = d->file.at;
    if (d->at == d->file.size)
        return on_whole(call, ret_next);
    call_rest(call, follow);
    call_attend(call);
    return BERTH_OK;
}

/* Of a file that is spread: the next gap that nobody has. */
static int next_gap(berth_call *call, const struct step **ret_next)
{
    struct download *d = call->own;
    if (d->gap && d->gap->at == d->from)
        return call_fail(call, BERTH_E_NETWORK, "the body ended early");
    if (d->gap && d->gap->at == d->gap->end)
        gaps_give(&d->file.gaps, steal(&d->gap));
    if (!d->gap)
        d->gap = gaps_take(&d->file.gaps, d->ranges.step);
    if (d->gap) {
        aim(call);
        ranges_aim(call, d->gap);
        *ret_next = &getting;
        return BERTH_OK;
    }
    if (!d->ranges.first)
        return follow(call, ret_next);
    call_rest(call, next_gap);
    return BERTH_OK;
}

/* The beginning alone was asked for, and it is not all, or nobody says that it is. */
static bool is_beginning(const struct download *d)
{
    return !d->part && d->end < UINT64_MAX && d->at > d->from && d->at < d->size;
}

static int on_end(berth_call *call, const struct step **ret_next)
{
    struct download *d = call->own;
    if (d->gap)
        return next_gap(call, ret_next);
    if (!is_beginning(d))
        return on_whole(call, ret_next);
    aim(call);
    *ret_next = &getting;
    return BERTH_OK;
}

/* Nothing lies behind what has come: it was all. */
static int on_refused(berth_call *call, const struct step **ret_next)
{
    struct download *d = call->own;
    uint64_t size;
    berth_str said = exchange_field(&call->x, STR("Content-Range"), 0);
    if (call->x.status == 416 && !d->part && d->at && http_content_range_size_parse(said, &size) &&
        size == d->at)
        return on_whole(call, ret_next);
    if (call->x.status == 416 && d->probes) { /* it is empty */
        d->probes = false;
        aim(call);
        *ret_next = &getting;
        return BERTH_OK;
    }
    return call->x.status == 416 && d->file.fd >= 0 && d->at && !d->restarted ? restart(call, ret_next)
                                                                              : call_fail_by_answer(call);
}

static int on_broken(berth_call *call, const struct step **ret_next)
{
    struct download *d = call->own;
    if (d->no_ranges || d->other)
        return d->other ? restart(call, ret_next) : gather(call, ret_next);
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
static const struct operation get = {.actions = "pull", .first = &getting, .ends = ends, .done = done};

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
    *d = (struct download){.size = HTTP_SIZE_UNKNOWN, .max = UINT64_MAX, .file = PARTIAL_INIT};
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
    d->max = MIN(max, (uint64_t)SIZE_MAX / 2);
    berth_buf_init(&d->memory, (size_t)d->max);
    return begin(call, ret_call);
}

static berth_get_options read_options(const berth_get_options *given)
{
    berth_get_options o = BERTH_GET_OPTIONS_INIT;
    if (given)
        memcpy(&o, given, MIN(given->size, sizeof(o)));
    return o;
}

/* What is there of the file may be spread from the last time; then it is filled as such. */
static void plan_ranges(berth_call *call, const berth_get_options *o)
{
    struct download *d = call->own;
    d->ranges = (struct ranges){.call = call, .file = &d->file, .at_once = MAX(o->ranges, 1u)};
    d->least = o->ranges_from ? o->ranges_from : FROM;
    d->probes = o->ranges > 1 && !d->file.spread;
    if (!d->file.spread)
        return;
    uint64_t left = gaps_left(&d->file.gaps);
    d->size = d->file.size;
    d->ranges.step =
        MIN(MAX(left / (4ull * d->ranges.at_once), MIN(d->least, (uint64_t)FIRST)), (uint64_t)STEP_MAX);
    d->gap = gaps_take(&d->file.gaps, d->ranges.step);
    call->progress.done = call->progress.found = call->broke_at = d->size - left;
}

static uint64_t there(const struct download *d)
{
    return d->file.spread ? d->file.size : d->file.at;
}

/* Into a file of this name, or with @path NULL into an open one. */
static int get_file_start(berth_client *client, const char *repository, const char *digest, const char *path,
                          int fd, const berth_get_options *opts, berth_call **ret_call, berth_error *err)
{
    berth_call *call = NULL;
    const berth_get_options o = read_options(opts);
    if (o.ranges > AT_ONCE)
        return berth_error_set(err, BERTH_E_INVALID, "at most %d ranges may be fetched at once", AT_ONCE);
    int r = make(client, repository, digest, &call, err);
    if (r != BERTH_OK)
        return r;
    struct download *d = call->own;
    d->max = o.max ? o.max : UINT64_MAX;
    r = path ? partial_open(&d->file, path, &call->digest, err)
             : partial_lend(&d->file, fd, o.goes_on, &call->digest, err);
    if (r == BERTH_OK && !path && there(d) > d->max) /* it is nothing of this blob */
        r = partial_restart(&d->file, call->digest.algorithm, err);
    if (r != BERTH_OK) {
        call_destroy(call);
        return r;
    }
    d->at = call->progress.done = call->progress.found = call->broke_at = d->file.at;
    if (there(d) > d->max) {
        berth_error_set(err, BERTH_E_TOO_BIG, ABOVE_MAX, (unsigned long long)d->max);
        call_destroy(call);
        return BERTH_E_TOO_BIG;
    }
    d->restarted = !d->at && !d->file.spread; /* nothing is there that could be wrong */
    plan_ranges(call, &o);
    return begin(call, ret_call);
}

int berth_blob_get_file_with_start(berth_client *client, const char *repository, const char *digest,
                                   const char *path, const berth_get_options *opts, berth_call **ret_call,
                                   berth_error *err)
{
    if (!path)
        return berth_error_set(err, BERTH_E_INVALID, "a file needs a name");
    return get_file_start(client, repository, digest, path, -1, opts, ret_call, err);
}

int berth_blob_get_fd_start(berth_client *client, const char *repository, const char *digest, int fd,
                            const berth_get_options *opts, berth_call **ret_call, berth_error *err)
{
    return get_file_start(client, repository, digest, NULL, fd, opts, ret_call, err);
}

int berth_blob_get_file_start(berth_client *client, const char *repository, const char *digest,
                              const char *path, berth_call **ret_call, berth_error *err)
{
    return berth_blob_get_file_with_start(client, repository, digest, path, NULL, ret_call, err);
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

int berth_blob_get_file_with(berth_client *client, const char *repository, const char *digest,
                             const char *path, const berth_get_options *opts, berth_call **ret_call,
                             berth_error *err)
{
    berth_call *call = NULL;
    int r = berth_blob_get_file_with_start(client, repository, digest, path, opts, &call, err);
    return call_run(r, call, ret_call, err);
}

int berth_blob_get_fd(berth_client *client, const char *repository, const char *digest, int fd,
                      const berth_get_options *opts, berth_call **ret_call, berth_error *err)
{
    berth_call *call = NULL;
    int r = berth_blob_get_fd_start(client, repository, digest, fd, opts, &call, err);
    return call_run(r, call, ret_call, err);
}

int berth_blob_get_file(berth_client *client, const char *repository, const char *digest, const char *path,
                        berth_call **ret_call, berth_error *err)
{
    return berth_blob_get_file_with(client, repository, digest, path, NULL, ret_call, err);
}
