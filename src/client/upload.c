/* client/upload.c - the calls on an upload session, one request each: open, ask, append, close, cancel
 * (distribution-spec, "Pushing blobs"). */
#include "client/upload.h"

#include <stdio.h>

#include "http/range.h"

#define URL_MAX         HTTP_URI_MAX
#define LOCATE_AGAIN_MS 200

/* --- the session --- */

void client_upload_init(struct upload *u)
{
    *u = (struct upload){.url = BERTH_BUF_INIT(URL_MAX)};
}

void client_upload_done(struct upload *u)
{
    berth_buf_done(&u->url);
}

int client_upload_set_url(berth_call *call, struct upload *u, berth_str url)
{
    berth_buf_reset(&u->url);
    berth_buf_add_str(&u->url, url);
    return berth_buf_cstr(&u->url) ? BERTH_OK : call_fail(call, BERTH_E_NOMEM, "out of memory");
}

void client_upload_aim_new(berth_call *call)
{
    call_prepare(call);
    berth_buf_reset(&call->url);
    berth_buf_addf(&call->url, "%s/v2/%s/blobs/uploads/", call->client->base, call->repository);
    call->foreign = false;
}

int client_upload_aim(berth_call *call, const struct upload *u)
{
    call_prepare(call);
    return call_follow(call, berth_buf_str(&u->url), "the URL of the upload");
}

/* The query that is there is the registry's, and stays as it is. */
static void add_digest(berth_call *call)
{
    bool query = memchr(call->url.p, '?', call->url.n);
    berth_buf_addf(&call->url, "%sdigest=%s", query ? "&" : "?", call->digest.text);
}

int client_upload_aim_close(berth_call *call, const struct upload *u)
{
    int r = client_upload_aim(call, u);
    if (r == BERTH_OK)
        add_digest(call);
    return r;
}

void client_upload_add_bytes(berth_call *call, berth_str bytes)
{
    if (bytes.n)
        call_field(call, "Content-Type: application/octet-stream");
    call->payload = (struct payload){.present = true, .bytes = bytes};
}

void client_upload_add_source(berth_call *call, struct source *s, uint64_t offset, int64_t length)
{
    call_field(call, "Content-Type: application/octet-stream");
    call->payload = (struct payload){.present = true, .source = s, .offset = offset, .length = length};
}

int client_upload_take_place(berth_call *call, struct upload *u)
{
    berth_str location = exchange_field(&call->x, STR("Location"), 0);
    uint64_t min;
    if (str_to_u64(exchange_field(&call->x, STR("OCI-Chunk-Min-Length"), 0), &min))
        u->chunk_min = min;
    u->outdated = false;
    if (!location.p && u->url.n)
        return BERTH_OK; /* it goes on where it was */
    if (!location.p)
        return call_fail(call, BERTH_E_INVALID, "the registry opened an upload, but doesn't say where");
    int r = call_follow(call, location, "the Location of the upload");
    return r == BERTH_OK ? client_upload_set_url(call, u, berth_buf_str(&call->url)) : r;
}

bool client_upload_read_range(const berth_call *call, uint64_t *ret)
{
    berth_str field = exchange_field(&call->x, STR("Range"), 0);
    struct http_range range;
    if (str_starts(field, STR("bytes=")))
        field = str_from_offset(field, 6);
    if (!http_content_range_parse(field, &range) || range.first != 0 || range.last == 0)
        return false;
    *ret = range.last + 1;
    return true;
}

int client_upload_check_created(berth_call *call)
{
    berth_digest said;
    berth_str field = exchange_field(&call->x, STR("Docker-Content-Digest"), 0);
    if (call->x.status != 201)
        return call_fail(call, BERTH_E_IO, "the registry answered %d where the upload ends: it has no blob",
                         call->x.status);
    if (field.p && digest_parse(field, &said, NULL) == BERTH_OK && said.algorithm == call->digest.algorithm &&
        !digest_eq(&said, &call->digest))
        return call_fail(call, BERTH_E_DIGEST, "the registry stored other bytes: their digest is %.20s...",
                         said.text);
    return BERTH_OK;
}

int client_upload_fail_close(berth_call *call)
{
    call_fail_by_answer(call);
    if (strcmp(call->err.oci_code, "DIGEST_INVALID") == 0)
        call->code = call->err.code = BERTH_E_DIGEST;
    return call->code;
}

/* --- one request each --- */

struct session_call {
    struct upload upload;
    struct source source;
};

static void done(berth_call *call)
{
    client_upload_done(&((struct session_call *)call->own)->upload);
}

const berth_upload *berth_call_upload(const berth_call *call)
{
    return berth_call_result(call, NULL) == BERTH_OK ? call->upload : NULL;
}

static int give(berth_call *call, struct upload *u)
{
    u->seen = (berth_upload){berth_buf_cstr(&u->url), u->offset, u->chunk_min};
    call->upload = &u->seen;
    return BERTH_OK;
}

static int end_open(berth_call *call, const struct step **ret_next)
{
    (void)ret_next;
    struct upload *u = &((struct session_call *)call->own)->upload;
    int r = client_upload_take_place(call, u);
    return r == BERTH_OK ? give(call, u) : r;
}

static int end_status(berth_call *call, const struct step **ret_next)
{
    (void)ret_next;
    struct upload *u = &((struct session_call *)call->own)->upload;
    int r = client_upload_take_place(call, u);
    if (r != BERTH_OK)
        return r;
    client_upload_read_range(call, &u->offset); /* "0-0" is how most say that there is nothing */
    return give(call, u);
}

static int end_append(berth_call *call, const struct step **ret_next)
{
    (void)ret_next;
    struct upload *u = &((struct session_call *)call->own)->upload;
    int r = client_upload_take_place(call, u);
    if (r != BERTH_OK)
        return r;
    u->offset += call->payload.sent;
    client_upload_read_range(call, &u->offset);
    return give(call, u);
}

static int end_close(berth_call *call, const struct step **ret_next)
{
    (void)ret_next;
    return client_upload_check_created(call);
}

static int refused_close(berth_call *call, const struct step **ret_next)
{
    (void)ret_next;
    return client_upload_fail_close(call);
}

static int end_cancel(berth_call *call, const struct step **ret_next)
{
    (void)call, (void)ret_next;
    return BERTH_OK;
}

/* Taking back: some name the state of a session in its URL, and know it under the newest alone. Bytes of a
 * connection that is gone may move it on meanwhile. */
static const struct step locating, taking_back;

static int take_back(berth_call *call, const struct step **ret_next)
{
    *ret_next = &taking_back;
    return client_upload_aim(call, &((struct session_call *)call->own)->upload);
}

static int end_locate(berth_call *call, const struct step **ret_next)
{
    int r = client_upload_take_place(call, &((struct session_call *)call->own)->upload);
    return r == BERTH_OK ? take_back(call, ret_next) : r;
}

static bool is_gone(const berth_call *call)
{
    return call->x.status == 404 || call->x.status == 410;
}

static int refused_locate(berth_call *call, const struct step **ret_next)
{
    return is_gone(call) ? BERTH_OK : take_back(call, ret_next);
}

static int refused_take_back(berth_call *call, const struct step **ret_next)
{
    bool moved = call->x.status == 400 || call->x.status == 409 || call->x.status == 416;
    if (!moved)
        return BERTH_OK;
    call_pause(call, LOCATE_AGAIN_MS);
    *ret_next = &locating;
    return client_upload_aim(call, &((struct session_call *)call->own)->upload);
}

static const struct step opening = {.method = "POST", .end = end_open};
static const struct step asking = {.method = "GET", .end = end_status};
static const struct step appending = {.method = "PATCH", .end = end_append};
static const struct step closing = {.method = "PUT", .end = end_close, .refused = refused_close};
static const struct step cancelling = {.method = "DELETE", .end = end_cancel};
static const struct step locating = {
    .method = "GET", .end = end_locate, .refused = refused_locate, .broken = end_cancel};
static const struct step taking_back = {
    .method = "DELETE", .end = end_cancel, .refused = refused_take_back, .broken = end_cancel};
static const struct operation open_op = {.actions = "pull,push", .first = &opening, .done = done};
static const struct operation status_op = {.actions = "pull,push", .first = &asking, .done = done};
static const struct operation append_op = {.actions = "pull,push", .first = &appending, .done = done};
static const struct operation close_op = {.actions = "pull,push", .first = &closing, .done = done};
static const struct operation cancel_op = {.actions = "pull,push", .first = &cancelling, .done = done};
static const struct operation take_back_op = {.actions = "pull,push", .first = &taking_back, .done = done};
static const struct operation locate_op = {.actions = "pull,push", .first = &locating, .done = done};

/* A call on the session at @url, or on none. */
static int make(berth_client *client, const struct operation *op, const char *repository, const char *url,
                const char *digest, const berth_source *source, berth_call **ret, berth_error *err)
{
    berth_call *call = NULL;
    bool named = op == &open_op || url, digested = op != &close_op || digest;
    if (!repository || !named || !digested)
        return berth_error_set(err, BERTH_E_INVALID,
                               "an upload is named by its repository and URL, and closed with a digest");
    int r = call_new_blob(client, op, repository, digest, &call, err);
    if (r != BERTH_OK)
        return r;
    struct session_call *own = call->own = berth_arena_alloc(&call->arena, sizeof(*own));
    if (!own) {
        call_destroy(call);
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    }
    client_upload_init(&own->upload);
    client_upload_aim_new(call); /* what a relative URL is relative to */
    if (source)
        r = source_open(&own->source, source, err);
    if (r == BERTH_OK && url) {
        r = call_follow(call, str_from(url), "the URL of the upload");
        if (r == BERTH_OK)
            r = client_upload_set_url(call, &own->upload, berth_buf_str(&call->url));
        if (r != BERTH_OK && err)
            *err = call->err;
    }
    if (r != BERTH_OK) {
        call_destroy(call);
        return r;
    }
    *ret = call;
    return BERTH_OK;
}

static int begin(int r, berth_call *call, berth_call **ret_call)
{
    if (r != BERTH_OK)
        return r;
    call_start(call);
    *ret_call = call;
    return BERTH_OK;
}

void client_upload_take_back(berth_call *call, const struct upload *u)
{
    berth_call *last = NULL;
    berth_str url = berth_buf_str(&u->url);
    CLEANUP(freep) char *copy = str_dup(url);
    const struct operation *op = u->outdated ? &locate_op : &take_back_op;
    if (copy && make(call->client, op, call->repository, copy, NULL, NULL, &last, NULL) == BERTH_OK)
        call_start_alone(last);
}

int berth_upload_open_start(berth_client *client, const char *repository, berth_call **ret_call,
                            berth_error *err)
{
    berth_call *call = NULL;
    int r = make(client, &open_op, repository, NULL, NULL, NULL, &call, err);
    if (r == BERTH_OK)
        client_upload_add_bytes(call, STR(""));
    return begin(r, call, ret_call);
}

int berth_upload_status_start(berth_client *client, const char *repository, const char *url,
                              berth_call **ret_call, berth_error *err)
{
    berth_call *call = NULL;
    int r = make(client, &status_op, repository, url, NULL, NULL, &call, err);
    return begin(r, call, ret_call);
}

int berth_upload_append_start(berth_client *client, const char *repository, const char *url, uint64_t offset,
                              const berth_source *source, berth_call **ret_call, berth_error *err)
{
    berth_call *call = NULL;
    if (!source)
        return berth_error_set(err, BERTH_E_INVALID, "there is nothing to append");
    int r = make(client, &append_op, repository, url, NULL, source, &call, err);
    if (r != BERTH_OK)
        return r;
    struct session_call *own = call->own;
    int64_t length = own->source.length;
    own->upload.offset = offset;
    call->progress.total = length >= 0 ? (uint64_t)length : UINT64_MAX;
    client_upload_add_source(call, &own->source, 0, length);
    if (length > 0)
        call_field(call, "Content-Range: %llu-%llu", (unsigned long long)offset,
                   (unsigned long long)(offset + (uint64_t)length - 1));
    return begin(r, call, ret_call);
}

int berth_upload_close_start(berth_client *client, const char *repository, const char *url,
                             const char *digest, const berth_source *source, berth_call **ret_call,
                             berth_error *err)
{
    berth_call *call = NULL;
    int r = make(client, &close_op, repository, url, digest, source, &call, err);
    if (r != BERTH_OK)
        return r;
    struct session_call *own = call->own;
    add_digest(call);
    call->progress.total = !source ? 0 : own->source.length >= 0 ? (uint64_t)own->source.length : UINT64_MAX;
    if (source)
        client_upload_add_source(call, &own->source, 0, own->source.length);
    else
        client_upload_add_bytes(call, STR(""));
    return begin(r, call, ret_call);
}

int berth_upload_cancel_start(berth_client *client, const char *repository, const char *url,
                              berth_call **ret_call, berth_error *err)
{
    berth_call *call = NULL;
    int r = make(client, &cancel_op, repository, url, NULL, NULL, &call, err);
    return begin(r, call, ret_call);
}

/* --- blocking --- */

int berth_upload_open(berth_client *client, const char *repository, berth_call **ret_call, berth_error *err)
{
    berth_call *call = NULL;
    int r = berth_upload_open_start(client, repository, &call, err);
    return call_run(r, call, ret_call, err);
}

int berth_upload_status(berth_client *client, const char *repository, const char *url, berth_call **ret_call,
                        berth_error *err)
{
    berth_call *call = NULL;
    int r = berth_upload_status_start(client, repository, url, &call, err);
    return call_run(r, call, ret_call, err);
}

int berth_upload_append(berth_client *client, const char *repository, const char *url, uint64_t offset,
                        const berth_source *source, berth_call **ret_call, berth_error *err)
{
    berth_call *call = NULL;
    int r = berth_upload_append_start(client, repository, url, offset, source, &call, err);
    return call_run(r, call, ret_call, err);
}

int berth_upload_close(berth_client *client, const char *repository, const char *url, const char *digest,
                       const berth_source *source, berth_call **ret_call, berth_error *err)
{
    berth_call *call = NULL;
    int r = berth_upload_close_start(client, repository, url, digest, source, &call, err);
    return call_run(r, call, ret_call, err);
}

int berth_upload_cancel(berth_client *client, const char *repository, const char *url, berth_error *err)
{
    berth_call *call = NULL;
    int r = berth_upload_cancel_start(client, repository, url, &call, err);
    return call_run(r, call, NULL, err);
}
