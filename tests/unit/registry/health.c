/* tests/unit/registry/health.c - /healthz says that the process answers, /readyz that it can serve,
 * /startupz that it has started. */
#include "fixture.h"

static void test_registry_health__is_ready_until_it_stops(void **state)
{
    (void)state;
    CHECK(get("/healthz") == 200);
    CHECK_BODY("ok\n");
    CHECK(get("/readyz") == 200);
    CHECK_BODY("ok\n");
    CHECK_ANSWERED("Cache-Control", "no-store"); /* a proxy's old answer would say nothing */
    repo_set_read_only(site.r, true);
    CHECK(get("/readyz") == 200);
    CHECK_BODY("ok, read-only\n");
    registry_set_stopping(site.reg);
    CHECK(get("/readyz") == 503);
    CHECK_BODY("stopping\n");
    CHECK_ANSWERED("Cache-Control", "no-store");
    CHECK(get("/healthz") == 200); /* nobody is to kill what is ending in order */
}

static void test_registry_health__has_started_whatever_comes_later(void **state)
{
    (void)state;
    CHECK(get("/startupz") == 200);
    CHECK_BODY("ok\n");
    CHECK_ANSWERED("Content-Type", "text/plain; charset=utf-8");
    CHECK_ANSWERED("Cache-Control", "no-store");
    CHECK(ask("HEAD", "/startupz", "", STR("")) == 200);
    CHECK(ask("POST", "/startupz", "", STR("")) == 405);
    repo_set_read_only(site.r, true);
    registry_set_stopping(site.reg);
    CHECK(get("/readyz") == 503);
    CHECK(get("/startupz") == 200); /* a probe of the start is not to kill what ends in order */
    CHECK_BODY("ok\n");
}

static int no_space(blob_store *s, uint64_t *ret_free, berth_error *err)
{
    (void)s;
    (void)ret_free;
    return berth_error_set(err, BERTH_E_IO, "the disk is gone");
}

static void test_registry_health__is_not_ready_without_its_store(void **state)
{
    (void)state;
    const struct blob_store_ops *ops = site.store->ops;
    struct blob_store_ops failing = *ops;
    failing.space = no_space;
    site.store->ops = &failing;
    int status = get("/readyz");
    CHECK_BODY("the disk is gone\n");
    int started = get("/startupz");
    site.store->ops = ops;
    assert_int_equal(status, 503);
    assert_int_equal(started, 200);
    CHECK(get("/readyz") == 200);
}

RUN_TESTS(SITE_TEST(test_registry_health__is_ready_until_it_stops),
          SITE_TEST(test_registry_health__has_started_whatever_comes_later),
          SITE_TEST(test_registry_health__is_not_ready_without_its_store))
