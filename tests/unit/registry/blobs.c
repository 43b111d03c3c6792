/* tests/unit/registry/blobs.c - GET, HEAD and DELETE of a blob: bytes from the database and from the store,
 * ranges, promises, and who keeps a blob from being deleted. */
#include "fixture.h"

#define SMALL "0123456789"
#define LARGE SMALL SMALL SMALL SMALL SMALL SMALL SMALL SMALL SMALL SMALL /* 100 bytes: not inline */

static void test_registry_blobs__give_the_bytes_and_what_they_are(void **state)
{
    (void)state;
    static const char *const bodies[] = {"", SMALL, LARGE};
    for (size_t i = 0; i < COUNT(bodies); i++) {
        berth_digest d = push_blob("a", str_from(bodies[i]));
        const char *path = path_of("/v2/a/blobs/%s", d.text);
        CHECK_ROW(i, get(path) == 200);
        CHECK_STR_ROW(i, answer_body(), str_from(bodies[i]));
        CHECK_STR_ROW(i, answered("Content-Type"), STR("application/octet-stream"));
        CHECK_STR_ROW(i, answered("Docker-Content-Digest"), str_from(d.text));
        CHECK_STR_ROW(i, answered("Accept-Ranges"), STR("bytes"));
        CHECK_ROW(i, ask("HEAD", path, "", STR("")) == 200);
        CHECK_ROW(i, asked()->out.n == 0 && asked()->length == strlen(bodies[i]));
        CHECK_STR_ROW(i, answered("Docker-Content-Digest"), str_from(d.text));
    }
}

static void test_registry_blobs__give_one_range_of_either_home(void **state)
{
    (void)state;
    static const struct {
        const char *range, *content_range, *small;
        int status;
    } rows[] = {
        {"bytes=0-0", "bytes 0-0/", "0", 206},
        {"bytes=2-4", "bytes 2-4/", "234", 206},
        {"items=0-1", NULL, SMALL, 200}, /* a unit we do not know */
    };
    static const char *const bodies[] = {SMALL, LARGE};
    for (size_t b = 0; b < COUNT(bodies); b++) {
        berth_digest d = push_blob("a", str_from(bodies[b]));
        const char *path = path_of("/v2/a/blobs/%s", d.text);
        for (size_t i = 0; i < COUNT(rows); i++) {
            CHECK_ROW(i, ask("GET", path, path_of("Range: %s\n", rows[i].range), STR("")) == rows[i].status);
            CHECK_STR_ROW(i, answer_body(), str_from(rows[i].status == 200 ? bodies[b] : rows[i].small));
            CHECK_STR_ROW(i, answered("Content-Range"),
                          str_from(rows[i].content_range
                                       ? path_of("%s%zu", rows[i].content_range, strlen(bodies[b]))
                                       : NULL));
            CHECK_STR_ROW(i, answered("Docker-Content-Digest"), str_from(d.text));
        }
        CHECK(ask("GET", path, "Range: bytes=-3\n", STR("")) == 206);
        CHECK_BODY("789");
        CHECK(ask("GET", path, "Range: bytes=1-\n", STR("")) == 206);
        CHECK_STR(answer_body(), str_from(bodies[b] + 1));
    }
}

static void test_registry_blobs__say_the_size_where_a_range_begins_behind_it(void **state)
{
    (void)state;
    berth_digest d = push_blob("a", STR(SMALL));
    assert_int_equal(ask("GET", path_of("/v2/a/blobs/%s", d.text), "Range: bytes=10-\n", STR("")), 416);
    CHECK_ANSWERED("Content-Range", "bytes */10");
    CHECK(strstr(answer_text(), "\"code\":\"SIZE_INVALID\"") != NULL);
    /* HEAD has no ranges (RFC 9110, section 14.2) */
    assert_int_equal(ask("HEAD", path_of("/v2/a/blobs/%s", d.text), "Range: bytes=10-\n", STR("")), 200);
}

static void test_registry_blobs__give_a_range_only_of_the_bytes_that_if_range_names(void **state)
{
    (void)state;
    berth_digest d = push_blob("a", STR(SMALL));
    const char *path = path_of("/v2/a/blobs/%s", d.text);
    CHECK(ask("GET", path, path_of("Range: bytes=0-1\nIf-Range: \"%s\"\n", d.text), STR("")) == 206);
    CHECK(ask("GET", path, "Range: bytes=0-1\nIf-Range: \"else\"\n", STR("")) == 200);
    CHECK_BODY(SMALL);
    CHECK(ask("GET", path, "Range: bytes=0-1\nIf-Range: Sat, 01 Jan 2022 00:00:00 GMT\n", STR("")) == 200);
}

static void test_registry_blobs__give_several_ranges_in_parts(void **state)
{
    (void)state;
    berth_digest d = push_blob("a", STR(LARGE));
    assert_int_equal(ask("GET", path_of("/v2/a/blobs/%s", d.text), "Range: bytes=0-1,50-52\n", STR("")), 206);
    CHECK_ANSWERED("Content-Type", "multipart/byteranges; boundary=0123456789abcdef");
    CHECK_BODY("--0123456789abcdef\r\nContent-Type: application/octet-stream\r\n"
               "Content-Range: bytes 0-1/100\r\n\r\n01\r\n"
               "--0123456789abcdef\r\nContent-Type: application/octet-stream\r\n"
               "Content-Range: bytes 50-52/100\r\n\r\n012\r\n--0123456789abcdef--\r\n");
}

/* What nothing refers to is kept for the grace period from the moment a client heard of it. */
static void test_registry_blobs__are_promised_on_a_worker_before_the_client_hears_of_them(void **state)
{
    (void)state;
    site.m->ops->free(site.m); /* one whose promises are due for renewal at once */
    const struct meta_times times = {.grace_ms = 2, .drain_ms = 100000, .result_ms = 10000};
    repo_free(site.r);
    registry_free(site.reg);
    CHECK_OK(meta_sqlite_open(":memory:", &times, &site.m, &test_err));
    CHECK_OK(repo_new(site.m, site.store, &site.rules, &site.r, &test_err));
    CHECK_OK(registry_new(site.r, &site.api, &site.reg, &test_err));
    berth_digest d = push_blob("a", STR(LARGE));
    usleep(20000);
    const char *path = path_of("/v2/a/blobs/%s", d.text);
    assert_int_equal(get(path), 200);
    CHECK(asked()->handed_over);
    CHECK_BODY(LARGE);
    repo_set_read_only(site.r, true); /* nothing is collected then, and nothing may be written */
    usleep(20000);
    assert_int_equal(get(path), 200);
    CHECK(!asked()->handed_over);
}

static void test_registry_blobs__name_the_manifests_that_keep_one(void **state)
{
    (void)state;
    berth_digest image = push_image("a", "v1", "");
    assert_int_equal(ask("DELETE", "/v2/a/blobs/" EMPTY_DIGEST, "", STR("")), 405);
    CHECK(strstr(answer_text(), path_of("\"detail\":{\"digest\":\"" EMPTY_DIGEST "\",\"manifests\":[\"%s\"]}",
                                        image.text)) != NULL);
    CHECK_ANSWERED("Allow", "GET, HEAD");
    berth_digest free_one = push_blob("a", STR(SMALL));
    const char *path = path_of("/v2/a/blobs/%s", free_one.text);
    assert_int_equal(ask("DELETE", path, "", STR("")), 202);
    assert_int_equal(get(path), 404);
    CHECK(strstr(answer_text(), "\"code\":\"BLOB_UNKNOWN\"") != NULL);
    assert_int_equal(ask("DELETE", path, "", STR("")), 404);
}

RUN_TESTS(SITE_TEST(test_registry_blobs__give_the_bytes_and_what_they_are),
          SITE_TEST(test_registry_blobs__give_one_range_of_either_home),
          SITE_TEST(test_registry_blobs__say_the_size_where_a_range_begins_behind_it),
          SITE_TEST(test_registry_blobs__give_a_range_only_of_the_bytes_that_if_range_names),
          SITE_TEST(test_registry_blobs__give_several_ranges_in_parts),
          SITE_TEST(test_registry_blobs__are_promised_on_a_worker_before_the_client_hears_of_them),
          SITE_TEST(test_registry_blobs__name_the_manifests_that_keep_one))
