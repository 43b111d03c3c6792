/* registry/uploads.c - upload sessions over HTTP (distribution-spec, end-4 to end-6, end-11, end-13, end-14).
 *
 * A session's URL stays the same from POST to the closing PUT: some clients send every PATCH to the first
 * one. Bodies stream: begin() takes the session, piece() appends a full buffer, end() makes it durable and
 * answers, done() lets go of whatever is still held. */
#include "registry/private.h"

#include <stdio.h>

static repo *repo_of(const http_request *req)
{
    return call_of(req)->reg->repo;
}

/* Headers of every answer about a session. */
static void describe_session(http_request *req, berth_str id, uint64_t size)
{
    answer_location(req, "blobs/uploads", id);
    http_set_header(req, "Range", "0-%llu", (unsigned long long)(size ? size - 1 : 0));
    http_set_header(req, "Docker-Upload-UUID", STR_FMT, STR_ARG(id));
    http_set_header(req, "Cache-Control", "no-store");
}

static void answer_created(http_request *req, const berth_digest *d)
{
    call_of(req)->reg->metrics.uploads_finished++;
    http_respond(req, 201);
    answer_location(req, "blobs", digest_str(d));
    http_set_header(req, "Docker-Content-Digest", "%s", d->text);
}

/* The session is let go before the refusal leaves: the client's next request may be here before done() is. */
static void let_go(http_request *req)
{
    repo_upload_abandon(steal(&call_of(req)->upload));
}

static void refuse(http_request *req, const berth_error *err)
{
    let_go(req);
    registry_refuse(req, err, STR_NULL);
}

/* --- POST --- */

/* What a refusal's detail is to name. */
static void about(struct call *c, const char *kind, berth_str thing)
{
    c->thing_kind = kind;
    c->thing = thing;
}

/* True: mounted and answered, or refused. False: the client is to upload the blob, as the specification asks.
 */
static bool try_mount(http_request *req)
{
    struct call *c = call_of(req);
    berth_error err = BERTH_ERROR_INIT;
    berth_str mount, from;
    berth_digest d;
    if (!query_of(req, "mount", &mount) || !query_of(req, "from", &from))
        return true;
    if (!mount.p)
        return false;
    about(c, "mount", mount);
    if (digest_parse(mount, &d, &err) != BERTH_OK) {
        refuse(req, &err);
        return true;
    }
    if (from.n && !oci_name_valid(from)) {
        about(c, "from", from);
        registry_refuse_with(req, 400, "NAME_INVALID", "'from' is not a repository name");
        return true;
    }
    int rc = repo_blob_mount(c->reg->repo, c->name, from, &d, &err);
    if (rc == BERTH_E_NOT_FOUND) {
        about(c, NULL, STR_NULL);
        return false;
    }
    if (rc == BERTH_OK)
        answer_created(req, &d);
    else
        refuse(req, &err);
    return true;
}

static bool algorithm_of(http_request *req, enum hash_algorithm *ret)
{
    berth_str asked;
    *ret = HASH_SHA256;
    if (!query_of(req, "digest-algorithm", &asked))
        return false;
    if (!asked.p || hash_by_name(asked, ret))
        return true;
    about(call_of(req), "digest-algorithm", asked);
    registry_refuse_with(req, 400, "DIGEST_INVALID",
                         "digest-algorithm '" STR_FMT "' is not supported: sha256 or sha512",
                         STR_ARG(str_head(asked, 40)));
    return false;
}

void upload_start(http_request *req)
{
    struct call *c = call_of(req);
    berth_error err = BERTH_ERROR_INIT;
    enum hash_algorithm algorithm;
    char id[37];
    if (try_mount(req) || !algorithm_of(req, &algorithm))
        return;
    if (repo_upload_start(c->reg->repo, c->name, algorithm, id, &err) != BERTH_OK) {
        refuse(req, &err);
        return;
    }
    c->reg->metrics.uploads_started++;
    http_respond(req, 202);
    berth_str s = berth_arena_str(&req->arena, str_from(id));
    describe_session(req, s, 0);
}

/* --- what PATCH, PUT and the single POST have in common --- */

/* The white list of the setting registry.blob_content_types; off by default. */
static bool content_type_allowed(http_request *req)
{
    const struct registry_policy *p = registry_policy_now(call_of(req)->reg);
    if (p->n_blob_content_types == 0 || (req->content_length <= 0 && !req->chunked))
        return true;
    berth_str type = mediatype_essence(http_header(req, "Content-Type"));
    if (!type.n) /* none said is the specification's own: octets */
        return true;
    for (size_t i = 0; i < p->n_blob_content_types; i++)
        if (str_eq_nocase(type, str_from(p->blob_content_types[i])))
            return true;
    registry_refuse_with(req, 415, "UNSUPPORTED",
                         "blobs of the content type '" STR_FMT
                         "' are not accepted here: see the setting registry.blob_content_types",
                         STR_ARG(str_head(type, 100)));
    return false;
}

static bool has_length(http_request *req)
{
    if (req->content_length >= 0 || req->chunked)
        return true;
    registry_refuse_with(req, 411, "SIZE_INVALID", "send Content-Length, or the body in chunked coding");
    return false;
}

/* Content-Range against what the session holds: 416, with the range we hold, when it does not go on from
 * there. */
static bool range_fits(http_request *req)
{
    struct call *c = call_of(req);
    struct http_range range;
    berth_str header = http_header(req, "Content-Range");
    if (!header.p)
        return true;
    if (!http_content_range_parse(header, &range)) {
        let_go(req);
        registry_refuse_with(req, 400, "BLOB_UPLOAD_INVALID",
                             "Content-Range must be <first>-<last>, both inclusive, not '" STR_FMT "'",
                             STR_ARG(str_head(header, 60)));
        return false;
    }
    uint64_t have = repo_upload_offset(c->upload);
    if (range.first != have) {
        let_go(req);
        registry_refuse_with(req, 416, "BLOB_UPLOAD_INVALID",
                             "the session holds %llu bytes: go on from there", (unsigned long long)have);
        describe_session(req, c->session, have);
        return false;
    }
    c->chunk_checked = true;
    c->chunk_length = range.last - range.first + 1;
    if (req->content_length >= 0 && (uint64_t)req->content_length != c->chunk_length) {
        let_go(req);
        registry_refuse_with(req, 400, "SIZE_INVALID", "Content-Range names %llu bytes, Content-Length %lld",
                             (unsigned long long)c->chunk_length, (long long)req->content_length);
        return false;
    }
    return true;
}

/* A body that the store cannot take is refused before it is sent. */
static bool has_room(http_request *req)
{
    berth_error err = BERTH_ERROR_INIT;
    if (req->content_length <= 0 ||
        repo_upload_expect(call_of(req)->upload, (uint64_t)req->content_length, &err) == BERTH_OK)
        return true;
    refuse(req, &err);
    return false;
}

/* A body in chunked coding shows its length only at its end. */
static bool length_held(http_request *req)
{
    struct call *c = call_of(req);
    if (!c->chunk_checked || req->body_received == c->chunk_length)
        return true;
    let_go(req);
    registry_refuse_with(req, 400, "SIZE_INVALID", "Content-Range names %llu bytes, the body has %llu",
                         (unsigned long long)c->chunk_length, (unsigned long long)req->body_received);
    return false;
}

void upload_piece(http_request *req, const void *p, size_t n)
{
    struct call *c = call_of(req);
    berth_error err = BERTH_ERROR_INIT;
    if (repo_upload_append(c->upload, p, n, &err) != BERTH_OK)
        refuse(req, &err);
}

void upload_done(http_request *req)
{
    struct call *c = call_of(req);
    /* The client left in the middle of a PATCH: what came is kept, so that it can go on from there. A broken
     * PUT or POST is forgotten, for its client starts it again from the beginning. */
    if (c->upload && c->keep_partial && !http_responded(req)) {
        uint64_t size;
        repo_upload_suspend(steal(&c->upload), &size, NULL);
    }
    repo_upload_abandon(steal(&c->upload));
}

/* --- single POST with ?digest= --- */

void upload_single_begin(http_request *req)
{
    struct call *c = call_of(req);
    berth_error err = BERTH_ERROR_INIT;
    if (!has_length(req) || !content_type_allowed(req))
        return;
    if (repo_upload_single(c->reg->repo, c->name, &c->digest, &c->upload, &err) != BERTH_OK)
        refuse(req, &err);
    else
        has_room(req);
}

void upload_single_end(http_request *req)
{
    struct call *c = call_of(req);
    berth_error err = BERTH_ERROR_INIT;
    if (repo_upload_finish(steal(&c->upload), &c->digest, &err) == BERTH_OK)
        answer_created(req, &c->digest);
    else
        refuse(req, &err);
}

/* --- PATCH --- */

void upload_chunk_begin(http_request *req)
{
    struct call *c = call_of(req);
    berth_error err = BERTH_ERROR_INIT;
    if (!has_length(req) || !content_type_allowed(req))
        return;
    if (repo_upload_open(c->reg->repo, c->name, c->session, NULL, &c->upload, &err) != BERTH_OK) {
        refuse(req, &err);
        return;
    }
    c->keep_partial = true;
    if (range_fits(req))
        has_room(req);
}

void upload_chunk_end(http_request *req)
{
    struct call *c = call_of(req);
    berth_error err = BERTH_ERROR_INIT;
    uint64_t size;
    if (!length_held(req))
        return;
    if (repo_upload_suspend(steal(&c->upload), &size, &err) != BERTH_OK) {
        refuse(req, &err);
        return;
    }
    http_respond(req, 202);
    describe_session(req, c->session, size);
}

/* --- closing PUT --- */

static bool closing_digest(http_request *req)
{
    struct call *c = call_of(req);
    berth_error err = BERTH_ERROR_INIT;
    berth_str digest;
    if (!query_of(req, "digest", &digest))
        return false;
    if (!digest.p) {
        registry_refuse_with(req, 400, "DIGEST_INVALID",
                             "close the session with ?digest=<digest of the whole blob>");
        return false;
    }
    if (digest_parse(digest, &c->digest, &err) != BERTH_OK) {
        refuse(req, &err);
        return false;
    }
    c->has_digest = true;
    return true;
}

void upload_close_begin(http_request *req)
{
    struct call *c = call_of(req);
    berth_error err = BERTH_ERROR_INIT;
    if (!closing_digest(req) || !content_type_allowed(req))
        return;
    int rc = repo_upload_open(c->reg->repo, c->name, c->session, &c->digest, &c->upload, &err);
    bool finished = false;
    if (rc == BERTH_E_NOT_FOUND) {
        berth_error why = BERTH_ERROR_INIT;
        if (repo_upload_was_finished(c->reg->repo, c->name, c->session, &c->digest, &finished, &why) < 0)
            err = why; /* unknown whether it is unknown */
    }
    /* An answer that was lost on its way: the repeated PUT gets it again. */
    if (finished) {
        /* a 201 is a promise; the blob may have been deleted or collected since the first */
        berth_error gone = BERTH_ERROR_INIT;
        int there = repo_blob_promise(c->reg->repo, c->name, &c->digest, &gone);
        if (there == BERTH_OK)
            answer_created(req, &c->digest);
        else
            refuse(req, there == BERTH_E_NOT_FOUND ? &err : &gone);
        return;
    }
    if (rc != BERTH_OK)
        refuse(req, &err);
    else if (range_fits(req))
        has_room(req);
}

void upload_close_end(http_request *req)
{
    struct call *c = call_of(req);
    berth_error err = BERTH_ERROR_INIT;
    if (!length_held(req))
        return;
    if (repo_upload_finish(steal(&c->upload), &c->digest, &err) == BERTH_OK)
        answer_created(req, &c->digest);
    else
        refuse(req, &err);
}

/* --- status and cancel --- */

void upload_status(http_request *req)
{
    struct call *c = call_of(req);
    berth_error err = BERTH_ERROR_INIT;
    uint64_t size;
    if (repo_upload_status(repo_of(req), c->name, c->session, &size, &err) != BERTH_OK) {
        refuse(req, &err);
        return;
    }
    http_respond(req, 204);
    describe_session(req, c->session, size);
}

void upload_cancel(http_request *req)
{
    struct call *c = call_of(req);
    berth_error err = BERTH_ERROR_INIT;
    if (repo_upload_cancel(repo_of(req), c->name, c->session, &err) == BERTH_OK)
        http_respond(req, 204);
    else
        refuse(req, &err);
}
