/* registry/listings.c - tags, catalogue and referrers in pages (distribution-spec, end-8, end-12; Docker's
 * _catalog), and the removal of a whole repository. A page costs what it holds. */
#include "registry/private.h"

#define LIST_MAX (256 * MIB)

/* Link to the page after @last: "n=…&last=…". */
static void link_after(http_request *req, size_t n, berth_str last)
{
    CLEANUP(berth_buf_done) berth_buf query = BERTH_BUF_INIT(64 * KIB);
    berth_buf_addf(&query, "n=%zu&last=", n);
    http_url_encode(&query, last, "");
    if (!berth_buf_failed(&query))
        answer_next_link(req, berth_buf_str(&query));
}

static void list(http_request *req, bool tags)
{
    struct call *c = call_of(req);
    berth_error err = BERTH_ERROR_INIT;
    struct oci_list page = {0};
    berth_str last;
    size_t n;
    if (!page_size_of(req, &n) || !query_of(req, "last", &last))
        return;
    /* n=0 still says whether the repository exists. */
    int rc = tags ? repo_tag_list(c->reg->repo, c->name, last, n, &req->arena, &page, &err)
                  : repo_catalog(c->reg->repo, last, n, &req->arena, &page, &err);
    if (rc != BERTH_OK) {
        registry_refuse(req, &err, STR_NULL);
        return;
    }
    CLEANUP(berth_buf_done) berth_buf body = BERTH_BUF_INIT(LIST_MAX);
    if (tags)
        oci_print_tags(&body, c->name, page.items, page.n);
    else
        oci_print_catalog(&body, page.items, page.n);
    answer_json(req, 200, "application/json", &body);
    if (page.more && page.n)
        link_after(req, n, page.items[page.n - 1]);
    if (tags)
        answer_warnings(req, STR(""));
}

void tags_list(http_request *req)
{
    list(req, true);
}

void catalog_list(http_request *req)
{
    list(req, false);
}

/* The cursor is the last descriptor's artifactType and digest, in which the rows are ordered. */
static void link_referrers(http_request *req, berth_str artifact_type, const oci_referrer *last)
{
    CLEANUP(berth_buf_done) berth_buf query = BERTH_BUF_INIT(64 * KIB);
    if (artifact_type.n) {
        berth_buf_addf(&query, "artifactType=");
        http_url_encode(&query, artifact_type, "");
        berth_buf_putc(&query, '&');
    }
    berth_buf_addf(&query, "last=");
    http_url_encode(&query, last->digest, "");
    berth_buf_addf(&query, "&lastType=");
    http_url_encode(&query, last->artifact_type, "");
    if (!berth_buf_failed(&query))
        answer_next_link(req, berth_buf_str(&query));
}

void referrers_list(http_request *req)
{
    struct call *c = call_of(req);
    berth_error err = BERTH_ERROR_INIT;
    struct oci_referrers page = {0};
    berth_str type, last, last_type;
    if (!query_of(req, "artifactType", &type) || !query_of(req, "last", &last) ||
        !query_of(req, "lastType", &last_type))
        return;
    if (repo_referrers(c->reg->repo, c->name, &c->digest, type, last_type, last,
                       registry_policy_now(c->reg)->page_size, &req->arena, &page, &err) != BERTH_OK) {
        registry_refuse(req, &err, STR_NULL);
        return;
    }
    CLEANUP(berth_buf_done) berth_buf body = BERTH_BUF_INIT(LIST_MAX);
    oci_print_referrers(&body, page.items, page.n);
    answer_json(req, 200, MT_OCI_INDEX, &body);
    if (type.n)
        http_set_header(req, "OCI-Filters-Applied", "artifactType");
    if (page.more && page.n)
        link_referrers(req, type, &page.items[page.n - 1]);
}

void repository_delete(http_request *req)
{
    struct call *c = call_of(req);
    berth_error err = BERTH_ERROR_INIT;
    if (repo_delete(c->reg->repo, c->name, &err) == BERTH_OK)
        http_respond(req, 202);
    else
        registry_refuse(req, &err, STR_NULL);
}
