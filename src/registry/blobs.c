/* registry/blobs.c - GET, HEAD and DELETE of a blob (distribution-spec, end-2 and end-10), with ranges. */
#include "registry/private.h"

#include <stdio.h>

/* A store without descriptors (memory) is read into the answer in pieces of this size. */
#define COPY_PIECE (1 * MIB)

/* @length bytes of the blob from @offset as the next segment of the answer. */
static int add_segment(http_request *req, const struct repo_blob *b, uint64_t offset, uint64_t length,
                       berth_error *err)
{
    if (length == 0)
        return BERTH_OK;
    if (!b->reader) {
        http_body_lend(req, str_head(str_from_offset(b->body, (size_t)offset), (size_t)length));
        return BERTH_OK;
    }
    int fd = repo_blob_fd(b);
    if (fd >= 0)
        return http_body_file(req, fd, offset, length, err);
    while (length) {
        size_t want = (size_t)MIN(length, (uint64_t)COPY_PIECE), n = 0;
        char *p = mem_alloc(want);
        if (!p)
            return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
        int rc = repo_blob_read(b, offset, p, want, &n, err);
        if (rc == BERTH_OK && n == 0)
            rc = berth_error_set(err, BERTH_E_CORRUPT, "the stored blob is shorter than recorded");
        if (rc != BERTH_OK) {
            mem_free(p);
            return rc;
        }
        http_body_give(req, p, n);
        offset += n;
        length -= n;
    }
    return BERTH_OK;
}

/* Several ranges: multipart/byteranges (RFC 9110 section 14.6). */
static int add_parts(http_request *req, const struct repo_blob *b, const struct http_range *ranges, size_t n,
                     berth_error *err)
{
    http_set_header(req, "Content-Type", "multipart/byteranges; boundary=%s", req->id);
    for (size_t i = 0; i < n; i++) {
        char *head = berth_arena_printf(&req->arena,
                                        "%s--%s\r\nContent-Type: application/octet-stream\r\n"
                                        "Content-Range: bytes %llu-%llu/%llu\r\n\r\n",
                                        i ? "\r\n" : "", req->id, (unsigned long long)ranges[i].first,
                                        (unsigned long long)ranges[i].last, (unsigned long long)b->size);
        if (!head)
            return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
        http_body_lend(req, str_from(head));
        int rc = add_segment(req, b, ranges[i].first, ranges[i].last - ranges[i].first + 1, err);
        if (rc != BERTH_OK)
            return rc;
    }
    char *tail = berth_arena_printf(&req->arena, "\r\n--%s--\r\n", req->id);
    if (!tail)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    http_body_lend(req, str_from(tail));
    return BERTH_OK;
}

/* If-Range with anything but our strong tag: the whole blob. */
static bool range_applies(http_request *req, const berth_digest *d)
{
    berth_str condition = http_header(req, "If-Range");
    char etag[DIGEST_TEXT_MAX + 2];
    snprintf(etag, sizeof(etag), "\"%s\"", d->text);
    return !condition.p || str_eq(str_trim(condition), str_from(etag));
}

static int add_body(http_request *req, const struct repo_blob *b, berth_error *err)
{
    struct call *c = call_of(req);
    struct http_range ranges[HTTP_RANGES_MAX];
    size_t n = 0;
    enum http_range_result r = HTTP_RANGE_NONE;
    if (req->method == HTTP_GET && range_applies(req, &c->digest))
        r = http_range_parse(http_header_list(req, "Range"), b->size, ranges, &n);
    if (r == HTTP_RANGE_UNSATISFIABLE) {
        registry_refuse_with(req, 416, "SIZE_INVALID", "the blob has %llu bytes: no such range",
                             (unsigned long long)b->size);
        http_set_header(req, "Content-Range", "bytes */%llu", (unsigned long long)b->size);
        return BERTH_OK;
    }
    if (r == HTTP_RANGE_NONE)
        return add_segment(req, b, 0, b->size, err);
    http_respond(req, 206);
    http_set_header(req, "Accept-Ranges", "bytes");
    http_set_header(req, "Docker-Content-Digest", "%s", c->digest.text);
    http_set_header(req, "ETag", "\"%s\"", c->digest.text);
    if (n > 1)
        return add_parts(req, b, ranges, n, err);
    http_set_header(req, "Content-Type", "application/octet-stream");
    http_set_header(req, "Content-Range", "bytes %llu-%llu/%llu", (unsigned long long)ranges[0].first,
                    (unsigned long long)ranges[0].last, (unsigned long long)b->size);
    return add_segment(req, b, ranges[0].first, ranges[0].last - ranges[0].first + 1, err);
}

static void answer_blob(http_request *req, bool promised)
{
    struct call *c = call_of(req);
    berth_error err = BERTH_ERROR_INIT;
    struct repo_blob b;
    bool bytes = req->method == HTTP_GET;
    int rc = repo_blob_open(c->reg->repo, c->name, &c->digest, bytes, &req->arena, &b, &err);
    if (rc != BERTH_OK) {
        registry_refuse(req, &err, STR_NULL);
        return;
    }
    if (b.lease_due && !promised) {
        repo_blob_close(&b);
        http_hand_over(req, blob_get);
        return;
    }
    http_respond(req, 200);
    http_set_header(req, "Content-Type", "application/octet-stream");
    http_set_header(req, "Accept-Ranges", "bytes");
    answer_warnings(req, STR(""));
    if (!answer_conditions(req, &c->digest)) {
        if (bytes)
            rc = add_body(req, &b, &err);
        else
            http_body_length(req, b.size);
    }
    repo_blob_close(&b);
    if (rc != BERTH_OK)
        registry_refuse(req, &err, STR_NULL);
}

/* A blob that nothing holds yet is promised for the grace period before a client hears of it, so that a push
 * may refer to it: that is a write, and runs on a worker (the second time round). */
void blob_get(http_request *req)
{
    struct call *c = call_of(req);
    if (!c->promising) {
        c->promising = true;
        answer_blob(req, repo_is_read_only(c->reg->repo));
        return;
    }
    berth_error err = BERTH_ERROR_INIT;
    if (repo_blob_promise(c->reg->repo, c->name, &c->digest, &err) != BERTH_OK)
        registry_refuse(req, &err, STR_NULL);
    else
        answer_blob(req, true);
}

void blob_delete(http_request *req)
{
    struct call *c = call_of(req);
    berth_error err = BERTH_ERROR_INIT;
    struct oci_list holders = {0};
    int rc = repo_blob_delete(c->reg->repo, c->name, &c->digest, &req->arena, &holders, &err);
    if (rc == BERTH_OK) {
        http_respond(req, 202);
        return;
    }
    CLEANUP(berth_buf_done) berth_buf detail = BERTH_BUF_INIT(64 * KIB);
    if (rc == BERTH_E_CONFLICT) { /* distribution-spec, end-10 knows 400, 404 and 405 */
        err.http_status = 405;
        berth_buf_addf(&detail, "{\"digest\":\"%s\",\"manifests\":[", c->digest.text);
        for (size_t i = 0; i < holders.n; i++) {
            berth_buf_addf(&detail, "%s", i ? "," : "");
            oci_print_string(&detail, holders.items[i]);
        }
        berth_buf_addf(&detail, "]}");
    }
    registry_refuse(req, &err, berth_buf_failed(&detail) ? STR_NULL : berth_buf_str(&detail));
}
