/* tests/unit/oci/platform.c */
#include "test.h"

#include "oci/manifest.h"

static void test_oci_platform__reads_two_or_three_components(void **state)
{
    (void)state;
    oci_platform p;
    CHECK(oci_platform_parse(STR("linux/amd64"), &p));
    CHECK_STR(p.os, STR("linux"));
    CHECK_STR(p.architecture, STR("amd64"));
    CHECK(p.variant.n == 0 && p.os_version.n == 0);
    CHECK(oci_platform_parse(STR("linux/arm64/v8.1"), &p));
    CHECK_STR(p.variant, STR("v8.1"));
    static const char *const bad[] = {"",          "linux",        "linux/",  "/amd64",
                                      "linux//v8", "linux/arm64/", "a/b/c/d", "a /b"};
    for (size_t i = 0; i < COUNT(bad); i++)
        CHECK_ROW(i, !oci_platform_parse(str_from(bad[i]), &p));
}

static void test_oci_platform__matches_what_is_asked_for_alone(void **state)
{
    (void)state;
    const oci_platform have = {STR("linux"), STR("arm64"), STR("v8"), STR("")};
    const struct {
        oci_platform want;
        bool good;
    } rows[] = {
        {{STR("linux"), STR("arm64"), STR("v8"), STR("")}, true},
        {{STR("linux"), STR("arm64"), STR(""), STR("")}, true},
        {{STR(""), STR(""), STR(""), STR("")}, true},
        {{STR("linux"), STR("arm"), STR(""), STR("")}, false},
        {{STR("windows"), STR("arm64"), STR(""), STR("")}, false},
        {{STR("linux"), STR("arm64"), STR("v9"), STR("")}, false},
        {{STR("linux"), STR("arm64"), STR("v8"), STR("10")}, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        CHECK_ROW(i, oci_platform_matches(&have, &rows[i].want) == rows[i].good);
}

RUN_TESTS(TEST(test_oci_platform__reads_two_or_three_components),
          TEST(test_oci_platform__matches_what_is_asked_for_alone))
