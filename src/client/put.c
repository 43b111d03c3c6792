/* client/put.c - a whole blob, from a source to a repository, request by request: is it there, may it be
 * mounted, then POST and PUT, or POST, PATCH by PATCH and PUT; going on where a connection broke
 * (distribution-spec, "Pushing blobs"). What the caller asked for is read by put_plan.c.
 *
 * What can be read again is read from wherever the registry wants it. What can be read only once goes in
 * pieces through memory, so that each may be sent again; but whole, when its length and digest are known. */
#include "client/put.h"

#define CHUNK      (16 * MIB)
#define CHUNK_MAX  (1 * GIB) /* of one kept in memory because the registry wants it so large */
#define BREAKS_MAX 5         /* in a row, without the session moving on */

static const struct step heading, opening, single, mounting, asking, patching, putting, closing, dropping,
    cancelling;

static void done(berth_call *call)
{
    struct put *p = call->own;
    client_upload_done(&p->upload);
    berth_buf_done(&p->piece);
}

/* --- how it ends --- */

static int end_well(berth_call *call, berth_put_outcome outcome, uint64_t size)
{
    call->content = (berth_content){.media_type = "", .digest = call->digest.text, .size = size};
    call->has_content = true;
    call->outcome = outcome;
    return BERTH_OK;
}

/* With call->code set: the failure is final. The session is cancelled, unless somebody who knows its URL can
 * go on with it. */
static int give_up(berth_call *call, const struct step **ret_next)
{
    struct put *p = call->own;
    bool can_go_on = call->code == BERTH_E_NETWORK || call->code == BERTH_E_BUSY ||
                     call->code == BERTH_E_UNAUTH || call->code == BERTH_E_CANCELLED;
    if (!p->upload.url.n || (p->o.on_upload && can_go_on))
        return call->code;
    p->failure = call->err;
    if (client_upload_aim(call, &p->upload) != BERTH_OK) {
        call->err = p->failure;
        return call->code = p->failure.code;
    }
    call->code = BERTH_OK;
    *ret_next = &cancelling;
    return BERTH_OK;
}

/* Whatever became of the DELETE. */
static int end_cancel(berth_call *call, const struct step **ret_next)
{
    (void)ret_next;
    call->err = ((struct put *)call->own)->failure;
    return call->code = call->err.code;
}

/* --- sessions --- */

static int open_session(berth_call *call, const struct step **ret_next)
{
    struct put *p = call->own;
    p->upload.url.n = 0;
    p->upload.offset = 0;
    client_upload_aim_new(call);
    client_upload_add_bytes(call, STR(""));
    *ret_next = &opening;
    return BERTH_OK;
}

static void tell(berth_call *call)
{
    struct put *p = call->own;
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

static int close_session(berth_call *call, const struct step **ret_next)
{
    struct put *p = call->own;
    if (find_digest(call, p->upload.offset) == BERTH_OK && !call->digest.text[0])
        call_fail(call, BERTH_E_INVALID, "an upload that goes on needs to know its digest");
    if (call->code != BERTH_OK)
        return give_up(call, ret_next);
    p->closed = true;
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
    p->closed = true;
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
        return r == BERTH_PAUSE ? BERTH_OK : give_up(call, ret_next);
    bool whole = p->at_end && p->piece_at == 0 && from == 0 && p->o.mode != BERTH_PUT_CHUNKED;
    if (whole && find_digest(call, p->piece.n) != BERTH_OK)
        return give_up(call, ret_next);
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
    if (!chunked && from == 0 && call->digest.text[0])
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

/* With call->code set. After the closing PUT the blob may be there, though nobody said so. */
static int recover(berth_call *call, const struct step **ret_next)
{
    struct put *p = call->own;
    if (p->upload.offset > p->broke_at)
        p->breaks = 0;
    p->broke_at = p->upload.offset;
    int status = call->x.status;
    bool worth = call->may_retry || (call->x.failure == FAILURE_NONE && status == 416);
    if (!p->upload.url.n)
        return call->code;
    if (!worth || ++p->breaks > BREAKS_MAX || !can_go_on_from(p, p->upload.offset))
        return give_up(call, ret_next);
    call->code = BERTH_OK;
    return p->closed ? client_put_look(call, ret_next) : ask_how_far(call, ret_next);
}

/* The session can't be gone on with: another one, from the first byte on. */
static int begin_anew(berth_call *call, bool drop, const struct step **ret_next)
{
    struct put *p = call->own;
    if (++p->breaks > BREAKS_MAX || !can_go_on_from(p, 0)) {
        call_fail(call, BERTH_E_NOT_FOUND, "the registry has lost the upload, and it can't begin anew");
        return give_up(call, ret_next);
    }
    p->closed = false;
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
    p->closed = false;
    tell(call);
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
    if (p->o.mode != BERTH_PUT_SINGLE)
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
    return p->closed ? ask_how_far(call, ret_next) : client_put_begin(call, ret_next);
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
    return give_up(call, ret_next);
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
    if (had > offset) {
        call_fail(call, BERTH_E_RANGE, "the registry says that it has more of the upload than it was sent");
        return give_up(call, ret_next);
    }
    if (had < offset && !can_go_on_from(p, had)) {
        call_fail(call, BERTH_E_UNSUPPORTED,
                  "the registry took a part of the content, which can be read only once");
        return give_up(call, ret_next);
    }
    if (had <= p->upload.offset && ++p->breaks > BREAKS_MAX) {
        call_fail(call, BERTH_E_RANGE, "the upload doesn't move on");
        return give_up(call, ret_next);
    }
    p->upload.offset = had;
    tell(call);
    return next_piece(call, ret_next);
}

static int end_close(berth_call *call, const struct step **ret_next)
{
    struct put *p = call->own;
    uint64_t size =
        p->source.length >= 0 ? (uint64_t)p->source.length : MAX(p->source.hashed, p->upload.offset);
    if (client_upload_check_created(call) != BERTH_OK)
        return give_up(call, ret_next);
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
    if (call->x.status < 500)
        p->closed = false; /* an answer of its own: it has not been taken */
    return recover(call, ret_next);
}

static const struct step heading = {
    .method = "HEAD", .end = end_head, .refused = refused_head, .broken = recover};
static const struct step opening = {.method = "POST", .end = end_open};
static const struct step single = {.method = "POST", .end = end_single, .refused = refused_single};
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
static const struct step cancelling = {
    .method = "DELETE", .end = end_cancel, .refused = end_cancel, .broken = end_cancel};

const struct operation client_put_op = {.actions = "pull,push", .first = &opening, .done = done};
