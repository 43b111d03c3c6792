/* registry/manifests.c - GET, HEAD, PUT and DELETE of manifests (distribution-spec, end-3, end-7, end-9). */
#include "registry/private.h"

#include <stdio.h>

/* Tags that one PUT may set beside its digest; the URI limit (414) usually comes first. */
#define TAGS_PER_PUT  1000
#define TAGS_PER_LINE 20

/* The setting registry.default_platform, for clients from before indexes: one that accepts manifests by name,
 * but no index, gets the index's child of that platform. Content that exists is otherwise served as it is. */
static bool wants_child(http_request *req, const struct oci_stored *m)
{
    const struct registry_policy *p = registry_policy_now(call_of(req)->reg);
    if (!p->default_platform || call_of(req)->reference.is_digest ||
        mediatype_kind(m->media_type) != MANIFEST_INDEX)
        return false;
    berth_str accept = http_header_list(req, "Accept");
    return accept.n && !http_accept_quality(accept, STR(MT_OCI_INDEX)) &&
           !http_accept_quality(accept, STR(MT_DOCKER_LIST)) &&
           (http_accept_quality(accept, STR(MT_OCI_MANIFEST)) ||
            http_accept_quality(accept, STR(MT_DOCKER_MANIFEST)));
}

static int find(http_request *req, struct oci_stored *ret, berth_error *err)
{
    struct call *c = call_of(req);
    bool platform = registry_policy_now(c->reg)->default_platform != NULL;
    int rc = repo_manifest_get(c->reg->repo, c->name, &c->reference, req->method == HTTP_GET || platform,
                               &req->arena, ret, err);
    if (rc == BERTH_OK && wants_child(req, ret)) {
        struct oci_stored child;
        berth_str want = str_from(registry_policy_now(c->reg)->default_platform);
        if (repo_manifest_for_platform(c->reg->repo, c->name, ret, want, &req->arena, &child, NULL) ==
            BERTH_OK)
            *ret = child;
    }
    return rc;
}

static void answer_manifest(http_request *req, const struct oci_stored *m)
{
    struct call *c = call_of(req);
    http_respond(req, 200);
    http_set_header(req, "Content-Type", STR_FMT, STR_ARG(m->media_type));
    if (registry_policy_now(c->reg)->default_platform)
        http_set_header(req, "Vary", "Accept");
    answer_warnings(req, c->reference.is_digest ? STR("") : c->reference.tag);
    if (answer_conditions(req, &m->digest))
        return;
    if (req->method == HTTP_HEAD)
        http_body_length(req, m->size);
    else
        http_body_lend(req, m->body);
}

/* As for blobs: what nothing holds is promised on a worker before the client hears of it. */
void manifest_get(http_request *req)
{
    struct call *c = call_of(req);
    berth_error err = BERTH_ERROR_INIT;
    struct oci_stored m;
    int rc = find(req, &m, &err);
    if (rc == BERTH_OK && m.lease_due && !repo_is_read_only(c->reg->repo)) {
        if (!c->promising) {
            c->promising = true;
            http_hand_over(req, manifest_get);
            return;
        }
        rc = repo_manifest_promise(c->reg->repo, c->name, &m.digest, &err);
    }
    if (rc == BERTH_OK)
        answer_manifest(req, &m);
    else
        registry_refuse(req, &err, STR_NULL);
}

/* The ?tag= parameters (distribution-spec, end-7b). False after answering. */
static bool tags_of(http_request *req, const berth_str **ret, size_t *ret_n)
{
    berth_str tag;
    size_t n = 0;
    while (n <= TAGS_PER_PUT && http_query_get(req->query, "tag", n, &req->arena, &tag) && tag.p)
        n++;
    if (n > TAGS_PER_PUT) {
        registry_refuse_with(req, 414, "UNSUPPORTED", "too many tags: at most %d in one request",
                             TAGS_PER_PUT);
        return false;
    }
    berth_str *tags = berth_arena_alloc(&req->arena, (n + 1) * sizeof(*tags));
    if (!tags)
        return false; /* no answer: the server's 500 */
    for (size_t i = 0; i < n; i++) {
        http_query_get(req->query, "tag", i, &req->arena, &tags[i]);
        if (!oci_tag_valid(tags[i])) {
            registry_refuse_with(req, 400, "MANIFEST_INVALID", "'" STR_FMT "' is not a tag",
                                 STR_ARG(str_head(tags[i], 140)));
            return false;
        }
    }
    *ret = tags;
    *ret_n = n;
    return true;
}

/* OCI-Tag names every accepted tag, several to a line: clients bound the number of lines, and their length.
 */
static void name_tags(http_request *req, const berth_str *tags, size_t n)
{
    for (size_t i = 0; i < n;) {
        CLEANUP(berth_buf_done) berth_buf line = BERTH_BUF_INIT(TAGS_PER_LINE * (OCI_TAG_MAX + 2));
        for (size_t k = 0; k < TAGS_PER_LINE && i < n; k++, i++)
            berth_buf_addf(&line, "%s" STR_FMT, k ? ", " : "", STR_ARG(tags[i]));
        http_add_header(req, "OCI-Tag", STR_FMT, STR_ARG(berth_buf_str(&line)));
    }
}

/* MANIFEST_BLOB_UNKNOWN: one error for each digest that is missing. */
static void refuse_missing(http_request *req, const berth_error *err, const struct oci_list *missing)
{
    oci_error_entry *entries = berth_arena_alloc(&req->arena, missing->n * sizeof(*entries));
    CLEANUP(berth_buf_done) berth_buf details = BERTH_BUF_INIT(64 * MIB), body = BERTH_BUF_INIT(64 * MIB);
    if (!entries)
        return;
    for (size_t i = 0; i < missing->n; i++) {
        const berth_str pairs[] = {STR("name"), call_of(req)->name, STR("digest"), missing->items[i]};
        size_t at = details.n;
        oci_print_object(&details, pairs, 2);
        entries[i] = (oci_error_entry){
            .code = "MANIFEST_BLOB_UNKNOWN",
            .message = STR("the repository does not hold what the manifest refers to: push it first"),
            .detail_json = {NULL, details.n - at}};
    }
    if (berth_buf_failed(&details))
        return;
    for (size_t i = 0, at = 0; i < missing->n; at += entries[i++].detail_json.n)
        entries[i].detail_json.p = details.p + at;
    oci_print_errors(&body, entries, missing->n);
    struct call *c = call_of(req);
    snprintf(c->oci_code, sizeof(c->oci_code), "MANIFEST_BLOB_UNKNOWN");
    snprintf(c->message, sizeof(c->message), "%s", err->message);
    answer_json(req, 404, "application/json", &body);
}

void manifest_put(http_request *req)
{
    struct call *c = call_of(req);
    berth_error err = BERTH_ERROR_INIT;
    struct repo_manifest_put put = {
        .name = c->name,
        .reference = c->reference,
        .content_type = http_header(req, "Content-Type"),
        .body = http_body(req),
    };
    struct repo_manifest_stored stored = {0};
    struct write_condition condition;
    if (req->content_length < 0 && !req->chunked) {
        registry_refuse_with(req, 411, "SIZE_INVALID", "send Content-Length, or the body in chunked coding");
        return;
    }
    if (!tags_of(req, &put.tags, &put.n_tags) || !write_condition_init(req, &condition))
        return;
    put.condition = condition.given;
    int rc = repo_manifest_put(c->reg->repo, &put, &req->arena, &stored, &err);
    if (rc != BERTH_OK && stored.missing.n) {
        refuse_missing(req, &err, &stored.missing);
        return;
    }
    if (rc != BERTH_OK) {
        CLEANUP(berth_buf_done) berth_buf detail = BERTH_BUF_INIT(64 * KIB);
        const berth_str url[] = {STR("url"), stored.refused_url};
        if (stored.refused_url.p)
            oci_print_object(&detail, url, 1);
        registry_refuse(req, &err, berth_buf_failed(&detail) ? STR_NULL : berth_buf_str(&detail));
        if (rc == BERTH_E_CONDITION && condition.now[0])
            answer_etag(req, condition.now);
        return;
    }
    c->digest = stored.digest;
    c->has_digest = true;
    http_respond(req, 201);
    answer_location(req, "manifests", digest_str(&c->digest));
    http_set_header(req, "Docker-Content-Digest", "%s", stored.digest.text);
    if (stored.has_subject)
        http_set_header(req, "OCI-Subject", "%s", stored.subject.text);
    if (c->reference.is_digest)
        name_tags(req, put.tags, put.n_tags);
    answer_warnings(req, c->reference.is_digest ? STR("") : c->reference.tag);
}

void manifest_delete(http_request *req)
{
    struct call *c = call_of(req);
    berth_error err = BERTH_ERROR_INIT;
    struct write_condition condition;
    if (!write_condition_init(req, &condition))
        return;
    int rc = repo_manifest_delete(c->reg->repo, c->name, &c->reference, condition.given, &err);
    if (rc == BERTH_OK)
        http_respond(req, 202);
    else
        registry_refuse(req, &err, STR_NULL);
    if (rc == BERTH_E_CONDITION)
        answer_etag(req, condition.now); /* what is absent is 404 */
}
