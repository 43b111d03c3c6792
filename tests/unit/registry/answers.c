/* tests/unit/registry/answers.c - what several handlers say alike: where a thing is, the next page, entity
 * tags, warnings, the size of a page. */
#include "fixture.h"

static void test_registry_answers__locate_by_what_the_client_sees(void **state)
{
    (void)state;
    static const struct {
        bool relative;
        const char *host, *prefix, *want;
    } rows[] = {
        {false, "r.example", "", "https://r.example/v2/a/b/blobs/" EMPTY_DIGEST},
        {false, "r.example", "/oci", "https://r.example/oci/v2/a/b/blobs/" EMPTY_DIGEST},
        {true, "r.example", "/oci", "/oci/v2/a/b/blobs/" EMPTY_DIGEST},
        {false, "", "", "/v2/a/b/blobs/" EMPTY_DIGEST}, /* HTTP/1.0 without a host */
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        site.api.relative_urls = rows[i].relative;
        site_apply();
        struct exchange *x = exchange_new("POST", "/v2/a/b/blobs/uploads/?digest=" EMPTY_DIGEST, "", STR(""));
        x->req.host = str_from(rows[i].host);
        x->req.prefix = str_from(rows[i].prefix);
        exchange_run(x);
        CHECK_STR_ROW(i, header_of(x, "Location"), str_from(rows[i].want));
        exchange_free(x);
    }
}

static void test_registry_answers__link_the_next_page_below_the_prefix(void **state)
{
    (void)state;
    push_image("a", "v1", "");
    push_image("a", "v2", "");
    struct exchange *x = exchange_new("GET", "/v2/a/tags/list?n=1", "", STR(""));
    x->req.prefix = STR("/oci");
    exchange_run(x);
    CHECK_STR(header_of(x, "Link"), STR("</oci/v2/a/tags/list?n=1&last=v1>; rel=\"next\""));
    exchange_free(x);
}

static void test_registry_answers__know_what_the_client_holds(void **state)
{
    (void)state;
    berth_digest d = push_blob("a", STR("x"));
    const char *path = path_of("/v2/a/blobs/%s", d.text);
    static const struct {
        const char *tags;
        int status;
    } rows[] = {
        {"If-None-Match: \"%s\"\n", 304},
        {"If-None-Match: W/\"%s\"\n", 304},
        {"If-None-Match: \"else\", \"%s\"\n", 304},
        {"If-None-Match: \"else\"\nIf-None-Match: \"%s\"\n", 304}, /* a list may come in several lines */
        {"If-None-Match: *\n", 304},
        {"If-None-Match: \"else\"\n", 200},
        {"If-None-Match: %s\n", 200}, /* without its quotes it is no entity tag */
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char head[256];
        const char *at = strstr(rows[i].tags, "%s");
        snprintf(head, sizeof(head), "%.*s%s%s", at ? (int)(at - rows[i].tags) : (int)strlen(rows[i].tags),
                 rows[i].tags, at ? d.text : "", at ? at + 2 : "");
        CHECK_ROW(i, ask("GET", path, head, STR("")) == rows[i].status);
        CHECK_STR_ROW(i, answer_body(), rows[i].status == 304 ? STR("") : STR("x"));
        CHECK_STR_ROW(i, answered("ETag"), str_from(path_of("\"%s\"", d.text)));
        CHECK_STR_ROW(i, answered("Docker-Content-Digest"), str_from(d.text));
    }
}

/* RFC 9110 section 13.1: If-Match compares strongly, If-None-Match weakly. */
static void test_registry_answers__change_only_what_the_client_means(void **state)
{
    (void)state;
    static const struct {
        const char *name, *before, *after; /* of the digest */
        int status;
    } rows[] = {
        {"If-Match", "\"", "\"", 202},
        {"If-Match", "\"else\", \"", "\"", 202},
        {"If-Match", "*, \"", "\"", 202},
        {"If-Match", "\"else\"\nIf-Match: \"", "\"", 202}, /* a list may come in several lines */
        {"If-Match", "W/\"", "\"", 412},
        {"If-Match", "", "", 412}, /* without its quotes it is no entity tag */
        {"If-None-Match", "\"", "\"", 412},
        {"If-None-Match", "W/\"", "\"", 412},
        {"If-None-Match", "\"not ", "\"", 202},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        berth_digest d = push_image("a", "v1", "");
        char *head = path_of("%s: %s%s%s\n", rows[i].name, rows[i].before, d.text, rows[i].after);
        CHECK_ROW(i, ask("DELETE", "/v2/a/manifests/v1", head, STR("")) == rows[i].status);
        bool refused = rows[i].status == 412;
        CHECK_STR_ROW(i, answered("ETag"), str_from(refused ? path_of("\"%s\"", d.text) : NULL));
        CHECK_STR_ROW(i, answered("Docker-Content-Digest"), str_from(refused ? d.text : NULL));
        CHECK_ROW(i, get("/v2/a/manifests/v1") == (refused ? 200 : 404));
    }
}

static void test_registry_answers__warn_about_what_the_patterns_match(void **state)
{
    (void)state;
    static const struct {
        const char *repository, *tag;
        bool warns;
    } rows[] = {
        {NULL, NULL, true},   {"team/app", NULL, true}, {"team/*", NULL, true},   {"*", "*", true},
        {"*p", NULL, true},   {"t*m/*p", NULL, true},   {"team", NULL, false},    {"team/app/*", NULL, false},
        {"*x*", NULL, false}, {"other", "v1", false},   {"team/app", "v1", true}, {NULL, "v*1", true},
        {NULL, "v", false},   {NULL, "v11", false},     {"*a*a*p*", NULL, true},  {"", NULL, false},
    };
    push_image("team/app", "v1", "");
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct registry_warning w = {rows[i].repository, rows[i].tag, "going away"};
        site.api.warnings = &w;
        site.api.n_warnings = 1;
        site_apply();
        assert_int_equal(get("/v2/team/app/manifests/v1"), 200);
        CHECK_STR_ROW(i, answered("Warning"), str_from(rows[i].warns ? "299 - \"going away\"" : NULL));
    }
}

static size_t warnings_of(const struct exchange *x)
{
    size_t n = 0;
    for (size_t i = 0; i < x->n_answered; i++)
        n += strcmp(x->answered[i].name, "Warning") == 0;
    return n;
}

/* distribution-spec, "Warnings": not more than 4096 bytes from all of them. */
static void test_registry_answers__bound_and_quote_warnings(void **state)
{
    (void)state;
    char long_text[2041];
    memset(long_text, 'x', sizeof(long_text) - 1);
    long_text[2040] = '\0';
    const struct registry_warning w[] = {{NULL, NULL, "say \"no\" \\ now"},
                                         {NULL, NULL, long_text},
                                         {NULL, NULL, long_text},
                                         {NULL, NULL, "late"}};
    site.api.warnings = w;
    site.api.n_warnings = COUNT(w);
    site_apply();
    push_image("a", "v1", "");
    assert_int_equal(get("/v2/a/manifests/v1"), 200);
    CHECK_ANSWERED("Warning", "299 - \"say \\\"no\\\" \\\\ now\"");
    assert_int_equal(warnings_of(asked()), 2);
}

static void test_registry_answers__read_the_size_of_a_page(void **state)
{
    (void)state;
    static const struct {
        const char *query;
        int status;
        size_t n;
    } rows[] = {
        {"", 200, 3},          {"?n=2", 200, 2},
        {"?n=0", 200, 0},      {"?n=3", 200, 3},
        {"?n=4", 200, 3},      {"?n=99999999999999999999999", 200, 3}, /* larger than any number we hold */
        {"?n=", 400, 0},       {"?n=-1", 400, 0},
        {"?n=2x", 400, 0},     {"?n=%zz", 400, 0},
        {"?last=%zz", 400, 0},
    };
    site.api.page_size = 3;
    site_apply();
    for (size_t i = 0; i < 4; i++)
        push_image(path_of("r%zu", i), "v1", "");
    for (size_t i = 0; i < COUNT(rows); i++) {
        CHECK_ROW(i, get(path_of("/v2/_catalog%s", rows[i].query)) == rows[i].status);
        size_t names = 0;
        for (const char *at = answer_text(); rows[i].status == 200 && (at = strstr(at, "\"r")); at += 2)
            names += at[2] != 'e'; /* "repositories" */
        CHECK_ROW(i, names == rows[i].n);
    }
}

RUN_TESTS(SITE_TEST(test_registry_answers__locate_by_what_the_client_sees),
          SITE_TEST(test_registry_answers__link_the_next_page_below_the_prefix),
          SITE_TEST(test_registry_answers__know_what_the_client_holds),
          SITE_TEST(test_registry_answers__change_only_what_the_client_means),
          SITE_TEST(test_registry_answers__warn_about_what_the_patterns_match),
          SITE_TEST(test_registry_answers__bound_and_quote_warnings),
          SITE_TEST(test_registry_answers__read_the_size_of_a_page))
