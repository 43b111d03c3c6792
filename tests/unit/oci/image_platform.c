/* tests/unit/oci/image_platform.c */
#include "test.h"

#include <berth/manifest.h>

#include "util/fault.h"

static void test_oci_image_platform__reads_and_prints_the_same(void **state)
{
    (void)state;
    static const char *const rows[] = {"linux/amd64", "linux/arm64/v8", "windows/amd64:10.0.17763.1",
                                       "linux/arm/v7:1"};
    for (size_t i = 0; i < COUNT(rows); i++) {
        berth_platform *p = NULL;
        char text[64];
        CHECK_OK(berth_platform_parse(rows[i], &p, &test_err));
        CHECK_ROW(i, berth_platform_print(p, text, sizeof(text)) == strlen(rows[i]));
        CHECK_STR_ROW(i, str_from(text), str_from(rows[i]));
        CHECK_ROW(i, berth_platform_print(p, text, 4) == strlen(rows[i]) && strlen(text) == 3);
        berth_platform_free(p);
    }
    const berth_platform none = BERTH_PLATFORM_INIT;
    char text[64];
    berth_platform_print(&none, text, sizeof(text));
    CHECK_STR(str_from(text), STR("unknown/unknown"));
}

static void test_oci_image_platform__refuses_what_is_none(void **state)
{
    (void)state;
    static const char *const rows[] = {"",
                                       "linux",
                                       "linux/",
                                       "/amd64",
                                       "linux/amd64/",
                                       "linux/a b",
                                       "linux/amd64/v1/x",
                                       "linux/amd64:",
                                       "linux/\033[31m"};
    berth_platform *p = NULL;
    for (size_t i = 0; i < COUNT(rows); i++)
        CHECK_ROW(i, berth_platform_parse(rows[i], &p, &test_err) == BERTH_E_INVALID && !p);
    CHECK_CODE(berth_platform_parse(NULL, &p, &test_err), BERTH_E_INVALID);
    char longest[400] = "linux/";
    memset(longest + 6, 'a', sizeof(longest) - 7);
    CHECK_CODE(berth_platform_parse(longest, &p, &test_err), BERTH_E_INVALID);
    longest[255] = '\0'; /* as long as it may be */
    CHECK_OK(berth_platform_parse(longest, &p, &test_err));
    CHECK(strlen(p->architecture) == 249);
    berth_platform_free(p);
    p = NULL;
    fault_arm(1);
    CHECK_CODE(berth_platform_parse("linux/amd64", &p, &test_err), BERTH_E_NOMEM);
    CHECK(fault_disarm());
}

static void test_oci_image_platform__matches_what_means_the_same(void **state)
{
    (void)state;
    static const struct {
        const char *have, *want;
        bool matches;
    } rows[] = {
        {"linux/amd64", "linux/amd64", true},        {"linux/amd64", "linux/x86_64", true},
        {"linux/amd64/v1", "linux/amd64", true},     {"linux/amd64", "linux/amd64/v1", true},
        {"linux/amd64", "linux/amd64/v3", false},    {"linux/arm64", "linux/aarch64/v8", true},
        {"linux/arm64/v8", "linux/arm64", true},     {"linux/arm/v7", "linux/arm", true},
        {"linux/arm/v6", "linux/armhf", false},      {"windows/amd64:10.0.1", "windows/amd64", true},
        {"windows/amd64", "windows/amd64:1", false}, {"linux/386", "linux/i686", true},
        {"windows/amd64", "linux/amd64", false},     {"Linux/AMD64", "linux/amd64", true},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        berth_platform *have = NULL, *want = NULL;
        CHECK_OK(berth_platform_parse(rows[i].have, &have, &test_err));
        CHECK_OK(berth_platform_parse(rows[i].want, &want, &test_err));
        CHECK_ROW(i, berth_platform_matches(have, want) == rows[i].matches);
        berth_platform_free(have);
        berth_platform_free(want);
    }
    const berth_platform none = BERTH_PLATFORM_INIT, linux_alone = {.os = "linux"};
    CHECK(berth_platform_matches(&linux_alone, &none) && !berth_platform_matches(&none, &linux_alone));
}

RUN_TESTS(TEST(test_oci_image_platform__reads_and_prints_the_same),
          TEST(test_oci_image_platform__refuses_what_is_none),
          TEST(test_oci_image_platform__matches_what_means_the_same))
