/* registry/answers.c - what several handlers say alike: locations, links, entity tags, warnings, pages. */
#include "registry/private.h"

#include <stdio.h>

/* distribution-spec, "Warnings": not more than 4096 bytes from all headers together. */
#define WARNINGS_MAX 4096

void answer_location(http_request *req, const char *kind, berth_str last)
{
    struct call *c = call_of(req);
    bool absolute = !registry_policy_now(c->reg)->relative_urls && req->host.n;
    http_set_header(req, "Location", STR_FMT "%s" STR_FMT STR_FMT "/v2/" STR_FMT "/%s/" STR_FMT,
                    STR_ARG(absolute ? req->scheme : STR("")), absolute ? "://" : "",
                    STR_ARG(absolute ? req->host : STR("")), STR_ARG(req->prefix), STR_ARG(c->name), kind,
                    STR_ARG(last));
}

void answer_json(http_request *req, int status, const char *content_type, berth_buf *body)
{
    size_t n = body->n;
    char *p = berth_buf_take(body);
    if (!p)
        return; /* no answer: the server's 500 */
    http_respond(req, status);
    http_set_header(req, "Content-Type", "%s", content_type);
    http_body_give(req, p, n);
}

void answer_next_link(http_request *req, berth_str query)
{
    http_set_header(req, "Link", "<" STR_FMT STR_FMT "?" STR_FMT ">; rel=\"next\"", STR_ARG(req->prefix),
                    STR_ARG(req->path), STR_ARG(query));
}

/* '*' stands for any run of characters. */
static bool pattern_matches(const char *pattern, berth_str s)
{
    const char *star = NULL;
    size_t i = 0, back = 0;
    while (i < s.n) {
        if (*pattern == '*') {
            star = pattern++;
            back = i;
        } else if (*pattern == s.p[i]) {
            pattern++;
            i++;
        } else if (star) {
            pattern = star + 1;
            i = ++back;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

void answer_warnings(http_request *req, berth_str tag)
{
    struct call *c = call_of(req);
    const struct registry_policy *p = registry_policy_now(c->reg);
    size_t total = 0;
    for (size_t i = 0; i < p->n_warnings; i++) {
        const struct registry_warning *w = &p->warnings[i];
        if ((w->repository && !pattern_matches(w->repository, c->name)) ||
            (w->tag && !pattern_matches(w->tag, tag)))
            continue;
        CLEANUP(berth_buf_done) berth_buf text = BERTH_BUF_INIT(WARNINGS_MAX);
        for (const char *at = w->text; *at; at++) {
            if (*at == '"' || *at == '\\')
                berth_buf_putc(&text, '\\');
            berth_buf_putc(&text, *at);
        }
        total += text.n + sizeof("Warning: 299 - \"\"\r\n");
        if (berth_buf_failed(&text) || total > WARNINGS_MAX)
            return;
        http_add_header(req, "Warning", "299 - \"" STR_FMT "\"", STR_ARG(berth_buf_str(&text)));
    }
}

void answer_etag(http_request *req, const char *digest)
{
    http_set_header(req, "ETag", "\"%s\"", digest);
    http_set_header(req, "Docker-Content-Digest", "%s", digest);
}

bool answer_conditions(http_request *req, const berth_digest *d)
{
    char etag[DIGEST_TEXT_MAX + 2];
    snprintf(etag, sizeof(etag), "\"%s\"", d->text);
    berth_str needed = http_header_list(req, "If-Match"), known = http_header_list(req, "If-None-Match");
    bool other = needed.p && !http_etag_matches(needed, str_from(etag), HTTP_ETAG_STRONG);
    bool same = !other && known.p && http_etag_matches(known, str_from(etag), HTTP_ETAG_WEAK);
    if (other)
        registry_refuse_with(req, 412, "UNSUPPORTED", "the content is not what If-Match names: see ETag");
    if (same)
        http_respond(req, 304);
    answer_etag(req, d->text);
    return other || same;
}

static bool condition_holds(void *arg, berth_str digest)
{
    struct write_condition *w = arg;
    char etag[DIGEST_TEXT_MAX + 2];
    snprintf(w->now, sizeof(w->now), STR_FMT, STR_ARG(digest));
    if (!digest.p) /* not even "*" names it */
        return !w->needed.p;
    snprintf(etag, sizeof(etag), "\"%s\"", w->now);
    return (!w->needed.p || http_etag_matches(w->needed, str_from(etag), HTTP_ETAG_STRONG)) &&
           !(w->unwanted.p && http_etag_matches(w->unwanted, str_from(etag), HTTP_ETAG_WEAK));
}

bool write_condition_init(http_request *req, struct write_condition *ret)
{
    *ret = (struct write_condition){.needed = http_header_list(req, "If-Match"),
                                    .unwanted = http_header_list(req, "If-None-Match"),
                                    .ask = {condition_holds, ret}};
    ret->given = ret->needed.p || ret->unwanted.p ? &ret->ask : NULL;
    return (ret->needed.p || !http_header_count(req, "If-Match")) &&
           (ret->unwanted.p || !http_header_count(req, "If-None-Match"));
}

bool query_of(http_request *req, const char *key, berth_str *ret)
{
    berth_str other;
    if (!http_query_one(req->query, key, &req->arena, ret, &other)) {
        registry_refuse_with(req, 400, "UNSUPPORTED", "the query has a bad percent escape");
        return false;
    }
    if (!other.p)
        return true;
    /* Which of them counts the specification leaves open: whoever checked the one must not get the other. */
    call_of(req)->thing_kind = key;
    call_of(req)->thing = other;
    registry_refuse_with(req, 400,
                         strcmp(key, "mount") == 0 || strncmp(key, "digest", 6) == 0 ? "DIGEST_INVALID"
                         : strcmp(key, "from") == 0                                  ? "NAME_INVALID"
                                                                                     : "UNSUPPORTED",
                         "the query gives '%s' more than once, with different values: give it once", key);
    return false;
}

bool page_size_of(http_request *req, size_t *ret_n)
{
    uint32_t most = registry_policy_now(call_of(req)->reg)->page_size;
    berth_str n;
    uint64_t v;
    *ret_n = most;
    if (!query_of(req, "n", &n))
        return false;
    if (!n.p)
        return true;
    bool digits = n.n > 0;
    for (size_t i = 0; i < n.n; i++)
        digits = digits && n.p[i] >= '0' && n.p[i] <= '9';
    if (!digits) {
        call_of(req)->thing_kind = "n";
        call_of(req)->thing = n;
        registry_refuse_with(req, 400, "UNSUPPORTED", "n must be a number of entries, 0 or more");
        return false;
    }
    if (str_to_u64(n, &v)) /* else larger than any page */
        *ret_n = (size_t)MIN(v, (uint64_t)most);
    return true;
}
