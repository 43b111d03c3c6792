/* client/put.c - a whole blob, from a source to a repository, request by request: is it there, may it be
 * mounted, then POST and PUT, or POST, PATCH by PATCH and PUT; going on where a connection broke
 * (distribution-spec, "Pushing blobs"). What the caller asked for is read by put_plan.c.
 *
 * What can be read again is read from wherever the registry wants it. What can be read only once goes in
 * pieces through memory, so that each may be sent again; but whole, when its length and digest are known. */
#include "client/put.h"

#define CHUNK      (16 * MIB)
#define CHUNK_MAX  (1 * GIB) /* of one kept in memory because the registry wants it so large */
#define ROUNDS_MAX 5         /* in a row, without the session moving on */

static const struct step heading, opening, single, mounting, asking, patching, putting, closing, dropping;

static void done(berth_call *call)
{
    struct put *p = call->own;
    client_upload_done(&p->upload);
    berth_buf_done(&p->piece);
}

/* --- how it ends --- */

/* So much of the content is there for sure. */
static void reach(berth_call *call, uint64_t offset)
{
    call->progress.done = offset;
    call->progress.found = MIN(call->progress.found, offset);
    call->progress.sending = 0;
}

static int end_well(berth_call *call, berth_put_outcome outcome, uint64_t size)
{
    call->content = (berth_content){.media_type = "", .digest = call->digest.text, .size = size};
    call->has_content = true;
    call->outcome = outcome;
    reach(call,
          outcome == BERTH_PUT_MOUNTED && call->progress.total != UINT64_MAX ? call->progress.total : size);
    if (outcome != BERTH_PUT_STORED)
        call->progress.found = call->progress.done;
    progress_tell(call, BERTH_STEP_RECEIVES);
    return BERTH_OK;
}

/* A session of a failed upload is cancelled, unless somebody who knows its URL can go on with it. */
static void ends(berth_call *call)
{
    const struct put *p = call->own;
    bool can_go_on = call->code == BERTH_E_NETWORK || call->code == BERTH_E_BUSY ||
                     call->code == BERTH_E_UNAUTH || call->code == BERTH_E_CANCELLED;
    if (call->code != BERTH_OK && p->upload.url.n && !(p->o.on_upload && can_go_on))
        client_upload_take_back(call, &p->upload);
}

/* --- sessions --- */

static int open_session(berth_call *call, const struct step **ret_next)
{
    struct put *p = call->own;
    p->upload.url.n = 0;
    p->upload.offset = 0;
    p->upload.outdated = p->inherits = false;
    p->closed = false;
    reach(call, 0);
    client_upload_aim_new(call);
    client_upload_add_bytes(call, STR(""));
    *ret_next = &opening;
    return BERTH_OK;
}

/* The session is there, or has moved. */
static void tell(berth_call *call)
{
    struct put *p = call->own;
    reach(call, p->upload.offset);
    p->upload.seen = (berth_upload){berth_buf_cstr(&p->upload.url), p->upload.offset, p->upload.chunk_min};
    if (p->o.on_upload)
        p->o.on_upload(p->o.arg, &p->upload.seen);
}

/* Every byte can be had again from @offset on. */
static bool can_go_on_from(const struct put *p, uint64_t offset)
{
    if (p->kept && offset >= p->piece_at && offset <= p->piece_at + p->piece.n)
        return true;
    return p->source.rewindable && (p->source.length < 0 || offset <= (uint64_t)p->source.length);
}

/* --- the next piece --- */

static uint64_t chunk_size(const struct put *p)
{
    uint64_t wanted = p->o.chunk_size ? p->o.chunk_size : CHUNK;
    return MAX(wanted, p->upload.chunk_min);
}

/* The digest as computed on the way, when all of @size bytes were seen: that of the blob, or not the one that
 * was given. */
static int find_digest(berth_call *call, uint64_t size)
{
    struct put *p = call->own;
    berth_digest have;
    if (!source_digest(&p->source, &have) || p->source.hashed != size)
        return BERTH_OK;
    if (!call->digest.text[0])
        call->digest = have;
    if (have.algorithm != call->digest.algorithm || digest_eq(&have, &call->digest))
        return BERTH_OK;
    return call_fail(call, BERTH_E_DIGEST, "the content has the digest %.20s..., not the one given",
                     have.text);
}

/* BERTH_PAUSE: nobody knows it yet. */
static int ask_digest(berth_call *call)
{
    struct put *p = call->own;
    const char *text = NULL;
    berth_error err = BERTH_ERROR_INIT;
    int r = p->o.digest_later(p->o.arg, &text);
    if (r == BERTH_PAUSE)
        return r;
    if (r != 0 || !text)
        return call_fail(call, BERTH_E_CANCELLED, "the digest of the content was not told");
    return digest_parse(str_from(text), &call->digest, &err) == BERTH_OK ? BERTH_OK
                                                                         : call_fail_with(call, &err);
}

static int close_session(berth_call *call, const struct step **ret_next)
{
    struct put *p = call->own;
    if (p->o.digest_later && !call->digest.text[0]) {
        int r = ask_digest(call);
        if (r == BERTH_PAUSE)
            call_rest(call, close_session);
        if (r != BERTH_OK)
            return r == BERTH_PAUSE ? BERTH_OK : r;
    }
    if (find_digest(call, p->upload.offset) == BERTH_OK && !call->digest.text[0])
        call_fail(call, BERTH_E_INVALID, "an upload that goes on needs to know its digest");
    if (call->code != BERTH_OK)
        return call->code;
    p->closed = p->upload.outdated = true;
    int r = client_upload_aim_close(call, &p->upload);
    client_upload_add_bytes(call, STR(""));
    *ret_next = &closing;
    return r;
}

static int patch(berth_call *call, uint64_t n, const struct step **ret_next)
{
    struct put *p = call->own;
    uint64_t from = p->upload.offset;
    int r = client_upload_aim(call, &p->upload);
    p->sends = p->upload.outdated = true;
    if (p->kept)
        client_upload_add_bytes(call,
                                str_from_offset(berth_buf_str(&p->piece), (size_t)(from - p->piece_at)));
    else
        client_upload_add_source(call, &p->source, from, (int64_t)n);
    call_field(call, "Content-Range: %llu-%llu", (unsigned long long)from,
               (unsigned long long)(from + n - 1));
    *ret_next = &patching;
    return r;
}

/* The whole of it in the closing PUT. */
static int put_whole(berth_call *call, const struct step **ret_next)
{
    struct put *p = call->own;
    p->closed = p->sends = p->upload.outdated = true;
    int r = client_upload_aim_close(call, &p->upload);
    if (p->kept)
        client_upload_add_bytes(call, berth_buf_str(&p->piece));
    else
        client_upload_add_source(call, &p->source, 0, p->source.length);
    *ret_next = &putting;
    return r;
}

/* An empty piece, for what the source has at @offset. */
static int begin_piece(berth_call *call, uint64_t offset)
{
    struct put *p = call->own;
    uint64_t want = chunk_size(p);
    if (want > CHUNK_MAX)
        return call_fail(call, BERTH_E_TOO_BIG,
                         "the registry wants chunks of %llu bytes, more than can be kept in memory",
                         (unsigned long long)want);
    if (!source_seek(&p->source, offset))
        return call_fail(call, BERTH_E_UNSUPPORTED,
                         "the registry wants a part of the content again, which can be read only once");
    berth_buf_done(&p->piece);
    berth_buf_init(&p->piece, CHUNK_MAX);
    p->piece_at = offset;
    p->at_end = false;
    p->filling = true;
    return BERTH_OK;
}

/* BERTH_PAUSE: the source has not all of it yet. */
static int fill(berth_call *call)
{
    struct put *p = call->own;
    berth_error err = BERTH_ERROR_INIT;
    uint64_t want = chunk_size(p);
    size_t got = 1;
    while (got && p->piece.n < want) {
        size_t room = (size_t)MIN(want - p->piece.n, (uint64_t)(256 * KIB));
        char *to = berth_buf_reserve(&p->piece, room);
        if (!to)
            return call_fail(call, BERTH_E_NOMEM, "out of memory");
        int r = source_read(&p->source, to, room, &got, &err);
        if (r != BERTH_OK)
            return r == BERTH_PAUSE ? r : call_fail_with(call, &err);
        berth_buf_grow(&p->piece, got);
    }
    p->at_end = !got;
    p->filling = false;
    return BERTH_OK;
}

static int next_piece(berth_call *call, const struct step **ret_next);

/* Where a line has broken, only what a PATCH brought there stays. */
static bool may_put_whole(const struct put *p)
{
    return p->upload.offset == 0 && p->o.mode != BERTH_PUT_CHUNKED && !p->broke;
}

static int next_kept(berth_call *call, const struct step **ret_next)
{
    struct put *p = call->own;
    uint64_t from = p->upload.offset;
    uint64_t end = p->piece_at + p->piece.n;
    bool have_it = !p->filling && from >= p->piece_at && (from < end || (from == end && p->at_end));
    int r = have_it || p->filling ? BERTH_OK : begin_piece(call, from);
    if (r == BERTH_OK && !have_it)
        r = fill(call);
    if (r == BERTH_PAUSE)
        call_rest(call, next_piece);
    if (r != BERTH_OK)
        return r == BERTH_PAUSE ? BERTH_OK : r;
    if (p->at_end && call->progress.total == UINT64_MAX)
        call->progress.total = p->piece_at + p->piece.n;
    bool whole = p->at_end && p->piece_at == 0 && may_put_whole(p);
    if (whole && find_digest(call, p->piece.n) != BERTH_OK)
        return call->code;
    if (whole && call->digest.text[0])
        return put_whole(call, ret_next);
    uint64_t left = p->piece_at + p->piece.n - from;
    return left ? patch(call, left, ret_next) : close_session(call, ret_next);
}

static int next_piece(berth_call *call, const struct step **ret_next)
{
    struct put *p = call->own;
    uint64_t from = p->upload.offset;
    if (p->kept)
        return next_kept(call, ret_next);
    uint64_t total = (uint64_t)p->source.length;
    bool chunked = p->o.mode == BERTH_PUT_CHUNKED || (p->o.chunk_above && total > p->o.chunk_above);
    if (!chunked && may_put_whole(p) && call->digest.text[0])
        return put_whole(call, ret_next);
    if (from == total)
        return close_session(call, ret_next);
    return patch(call, chunked ? MIN(total - from, chunk_size(p)) : total - from, ret_next);
}

/* --- going on after something broke --- */

static int ask_how_far(berth_call *call, const struct step **ret_next)
{
    struct put *p = call->own;
    *ret_next = &asking;
    return client_upload_aim(call, &p->upload);
}

int client_put_look(berth_call *call, const struct step **ret_next)
{
    call_prepare(call);
    call->foreign = false;
    berth_buf_reset(&call->url);
    berth_buf_addf(&call->url, "%s/v2/%s/blobs/%s", call->client->base, call->repository, call->digest.text);
    *ret_next = &heading;
    return BERTH_OK;
}

/* One more round, without the session having moved on? What broke is counted as the call's tries are. */
static bool is_stuck(struct put *p)
{
    if (p->upload.offset > p->furthest)
        p->rounds = 0;
    p->furthest = MAX(p->furthest, p->upload.offset);
    return ++p->rounds > ROUNDS_MAX;
}

/* With call->code set. After the closing PUT the blob may be there, though nobody said so. */
static int recover(berth_call *call, const struct step **ret_next)
{
    struct put *p = call->own;
    bool other_offset = call->x.failure == FAILURE_NONE && call->x.status == 416;
    p->breaks = call->may_retry;
    if (p->sends && call->x.failure != FAILURE_NONE)
        p->broke = p->inherits = true;
    bool worth = p->breaks || (other_offset && !is_stuck(p));
    if (!worth || !can_go_on_from(p, p->upload.offset))
        return call->code;
    if (!p->upload.url.n)
        return BERTH_OK; /* the same question again */
    call->code = BERTH_OK;
    return p->closed ? client_put_look(call, ret_next) : ask_how_far(call, ret_next);
}

/* The session can't be gone on with: another one, from the first byte on. */
static int begin_anew(berth_call *call, bool drop, const struct step **ret_next)
{
    struct put *p = call->own;
    bool broke = p->breaks;
    p->breaks = false;
    if (!drop)
        p->upload.url.n = 0;
    if (!can_go_on_from(p, 0))
        return call_fail(call, broke ? BERTH_E_NETWORK : BERTH_E_NOT_FOUND,
                         "%sthe registry has lost the upload, and its content can be read only once",
                         broke ? "the connection broke, " : "");
    if (!broke && is_stuck(p))
        return call_fail(call, BERTH_E_NOT_FOUND, "the registry loses the upload again and again");
    if (!drop)
        return open_session(call, ret_next);
    *ret_next = &dropping;
    return client_upload_aim(call, &p->upload);
}

static int end_ask(berth_call *call, const struct step **ret_next)
{
    struct put *p = call->own;
    uint64_t offset;
    int r = client_upload_take_place(call, &p->upload);
    if (r != BERTH_OK)
        return r;
    if (!client_upload_read_range(call, &offset) || !can_go_on_from(p, offset))
        return begin_anew(call, true, ret_next);
    p->upload.offset = offset;
    p->closed = p->breaks = false;
    tell(call);
    if (!p->sends)
        call->progress.found = offset;
    return next_piece(call, ret_next);
}

static int refused_ask(berth_call *call, const struct step **ret_next)
{
    if (call->x.status == 404 || call->x.status == 400)
        return begin_anew(call, false, ret_next);
    call_fail_by_answer(call);
    return recover(call, ret_next);
}

static int end_drop(berth_call *call, const struct step **ret_next)
{
    return open_session(call, ret_next);
}

/* --- is it there? --- */

static int end_head(berth_call *call, const struct step **ret_next)
{
    (void)ret_next;
    struct put *p = call->own;
    int64_t said = call->x.length;
    uint64_t size = said >= 0 ? (uint64_t)said : p->source.length >= 0 ? (uint64_t)p->source.length : 0;
    return end_well(call, p->closed ? BERTH_PUT_STORED : BERTH_PUT_PRESENT, size);
}

int client_put_begin(berth_call *call, const struct step **ret_next)
{
    struct put *p = call->own;
    client_upload_aim_new(call);
    if (p->o.resume)
        return ask_how_far(call, ret_next);
    if (p->o.mount_from) {
        berth_buf_addf(&call->url, "?mount=%s", call->digest.text);
        if (p->o.mount_from[0])
            berth_buf_addf(&call->url, "&from=%s", p->o.mount_from);
        client_upload_add_bytes(call, STR(""));
        *ret_next = &mounting;
        return BERTH_OK;
    }
    if (p->o.mode != BERTH_PUT_SINGLE || p->kept)
        return open_session(call, ret_next);
    berth_buf_addf(&call->url, "?digest=%s", call->digest.text);
    client_upload_add_source(call, &p->source, 0, p->source.length);
    *ret_next = &single;
    return BERTH_OK;
}

/* It isn't, or nobody says: what comes next will show. */
static int refused_head(berth_call *call, const struct step **ret_next)
{
    struct put *p = call->own;
    return !p->closed        ? client_put_begin(call, ret_next)
           : p->upload.url.n ? ask_how_far(call, ret_next)
                             : open_session(call, ret_next);
}

/* --- answers to what brings it there --- */

static int end_open(berth_call *call, const struct step **ret_next)
{
    struct put *p = call->own;
    if (call->x.status != 202)
        return call_fail(call, BERTH_E_INVALID, "the registry answered %d to an upload's beginning",
                         call->x.status);
    int r = client_upload_take_place(call, &p->upload);
    if (r != BERTH_OK)
        return r;
    tell(call);
    return next_piece(call, ret_next);
}

static int end_single(berth_call *call, const struct step **ret_next)
{
    struct put *p = call->own;
    if (call->x.status == 202)
        return end_open(call, ret_next); /* it opened a session, and passed the body over */
    int r = client_upload_check_created(call);
    return r == BERTH_OK ? end_well(call, BERTH_PUT_STORED, (uint64_t)p->source.length) : r;
}

static int refused_single(berth_call *call, const struct step **ret_next)
{
    struct put *p = call->own;
    int status = call->x.status;
    bool never = status == 401 || status == 403 || status == 429 || status >= 500;
    client_upload_fail_close(call);
    if (never || call->code == BERTH_E_DIGEST || !can_go_on_from(p, 0))
        return call->code;
    call->code = BERTH_OK;
    return open_session(call, ret_next);
}

/* Nobody knows what became of it. */
static int broken_single(berth_call *call, const struct step **ret_next)
{
    struct put *p = call->own;
    p->broke |= call->x.failure != FAILURE_NONE;
    if (!call->may_retry || !can_go_on_from(p, 0))
        return call->code;
    p->closed = true;
    return client_put_look(call, ret_next);
}

static int end_mount(berth_call *call, const struct step **ret_next)
{
    struct put *p = call->own;
    if (call->x.status == 201) {
        int r = client_upload_check_created(call);
        return r == BERTH_OK ? end_well(call, BERTH_PUT_MOUNTED, 0) : r;
    }
    if (!p->mounting)
        return end_open(call, ret_next);
    if (client_upload_take_place(call, &p->upload) == BERTH_OK)
        call_fail(call, BERTH_E_NOT_FOUND, "the registry did not mount the blob: it would have it sent");
    return call->code;
}

static int refused_mount(berth_call *call, const struct step **ret_next)
{
    struct put *p = call->own;
    return p->mounting ? call_fail_by_answer(call) : open_session(call, ret_next);
}

static int end_patch(berth_call *call, const struct step **ret_next)
{
    struct put *p = call->own;
    struct payload sent = call->payload;
    uint64_t offset = p->upload.offset + (sent.source ? sent.sent : sent.bytes.n), had;
    int r = client_upload_take_place(call, &p->upload);
    if (r != BERTH_OK)
        return r;
    if (!client_upload_read_range(call, &had))
        had = offset;
    if (had > offset && p->inherits && can_go_on_from(p, 0))
        return begin_anew(call, true, ret_next);
    if (had > offset)
        return call_fail(call, BERTH_E_RANGE,
                         "the registry says that it has more of the upload than it was sent");
    if (had < offset && !can_go_on_from(p, had))
        return call_fail(call, BERTH_E_UNSUPPORTED,
                         "the registry took a part of the content, which can be read only once");
    if (had <= p->upload.offset && is_stuck(p))
        return call_fail(call, BERTH_E_RANGE, "the upload doesn't move on");
    p->upload.offset = had;
    tell(call);
    return next_piece(call, ret_next);
}

static int end_close(berth_call *call, const struct step **ret_next)
{
    (void)ret_next;
    const struct put *p = call->own;
    uint64_t size =
        p->source.length >= 0 ? (uint64_t)p->source.length : MAX(p->source.hashed, p->upload.offset);
    if (client_upload_check_created(call) != BERTH_OK)
        return call->code;
    return end_well(call, BERTH_PUT_STORED, size);
}

/* Of a PATCH, or of a PUT. */
static int refused_piece(berth_call *call, const struct step **ret_next)
{
    struct put *p = call->own;
    client_upload_fail_close(call);
    if (call->x.status == 404) {
        call->code = BERTH_OK;
        return begin_anew(call, false, ret_next);
    }
    if (call->code == BERTH_E_DIGEST && p->inherits && can_go_on_from(p, 0)) {
        call->code = BERTH_OK;
        return begin_anew(call, true, ret_next);
    }
    if (call->x.status < 500)
        p->closed = false; /* an answer of its own: it has not been taken */
    return recover(call, ret_next);
}

static const struct step heading = {
    .method = "HEAD", .end = end_head, .refused = refused_head, .broken = recover};
static const struct step opening = {.method = "POST", .end = end_open};
static const struct step single = {
    .method = "POST", .end = end_single, .refused = refused_single, .broken = broken_single};
static const struct step mounting = {.method = "POST", .end = end_mount, .refused = refused_mount};
static const struct step asking = {
    .method = "GET", .end = end_ask, .refused = refused_ask, .broken = recover};
static const struct step patching = {
    .method = "PATCH", .end = end_patch, .refused = refused_piece, .broken = recover};
static const struct step putting = {
    .method = "PUT", .end = end_close, .refused = refused_piece, .broken = recover};
static const struct step closing = {
    .method = "PUT", .end = end_close, .refused = refused_piece, .broken = recover};
static const struct step dropping = {
    .method = "DELETE", .end = end_drop, .refused = end_drop, .broken = end_drop};

const struct operation client_put_op = {
    .actions = "pull,push", .first = &opening, .ends = ends, .done = done};
