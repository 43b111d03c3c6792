/* tests/unit/registry/registry.c - the policy of the API: copied, replaced while it runs, whole or not at
 * all. */
#include "fixture.h"

#include "util/fault.h"

static void test_registry_registry__copies_every_text_of_its_policy(void **state)
{
    (void)state;
    char platform[] = "linux/amd64", type[] = "a/b", repository[] = "a", tag[] = "v1", text[] = "old";
    const char *types[] = {type};
    struct registry_warning w[] = {{repository, tag, text}, {NULL, NULL, text}};
    const struct registry_policy policy = {.default_platform = platform,
                                           .blob_content_types = types,
                                           .n_blob_content_types = 1,
                                           .warnings = w,
                                           .n_warnings = 2,
                                           .page_size = 17,
                                           .max_manifest_size = 18,
                                           .relative_urls = true};
    CHECK_OK(registry_set_policy(site.reg, &policy, &test_err));
    memset(platform, 'x', 5);
    memset(type, 'x', 3);
    memset(repository, 'x', 1);
    memset(tag, 'x', 2);
    memset(text, 'x', 3);
    types[0] = NULL;
    w[0] = w[1] = (struct registry_warning){0};
    const struct registry_policy *now = registry_policy_now(site.reg);
    assert_string_equal(now->default_platform, "linux/amd64");
    assert_string_equal(now->blob_content_types[0], "a/b");
    assert_string_equal(now->warnings[0].repository, "a");
    assert_string_equal(now->warnings[0].tag, "v1");
    assert_string_equal(now->warnings[0].text, "old");
    assert_null(now->warnings[1].repository);
    assert_null(now->warnings[1].tag);
    CHECK(now->page_size == 17 && now->max_manifest_size == 18 && now->relative_urls && !now->access_log);
}

/* Handlers on other threads may hold the old policy while a reload puts a new one in its place. */
static void test_registry_registry__keeps_a_policy_that_is_in_use(void **state)
{
    (void)state;
    const struct registry_policy *was = registry_policy_now(site.reg);
    site.api.default_platform = "linux/arm64";
    site_apply();
    CHECK(registry_policy_now(site.reg) != was);
    assert_null(was->default_platform);
    assert_int_equal(was->page_size, 100);
}

static void test_registry_registry__refuses_a_policy_it_has_no_memory_for(void **state)
{
    (void)state;
    const struct registry_warning w = {"a", "b", "c"};
    const struct registry_policy policy = {
        .default_platform = "linux/amd64", .warnings = &w, .n_warnings = 1};
    const struct registry_policy *was = registry_policy_now(site.reg);
    unsigned n = 1;
    for (;; n++) {
        fault_arm(n);
        int rc = registry_set_policy(site.reg, &policy, &test_err);
        if (!fault_disarm())
            break;
        assert_int_equal(rc, BERTH_E_NOMEM);
        CHECK_ROW(n, registry_policy_now(site.reg) == was);
    }
    CHECK(n > 1 && registry_policy_now(site.reg) != was);
    registry_free(NULL);
}

RUN_TESTS(SITE_TEST(test_registry_registry__copies_every_text_of_its_policy),
          SITE_TEST(test_registry_registry__keeps_a_policy_that_is_in_use),
          SITE_TEST(test_registry_registry__refuses_a_policy_it_has_no_memory_for))
