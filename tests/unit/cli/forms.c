/* tests/unit/cli/forms.c - what values of options have to look like. */
#include "fixture.h"

#include "cli/forms.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void test_cli_forms__tell_good_values_from_bad_ones(void **state)
{
    (void)state;
    static const struct {
        const char *value, *good, *bad;
    } rows[] = {
        {"OS/ARCH[/VARIANT]", "linux/arm/v7", "linux"},
        {"KEY=VALUE", "a=", "a"},
        {"KEY=VALUE", "a=b=c", "=b"},
        {"TYPE", "application/vnd.example+json", "bad"},
        {"TAG", "v1.2", "b d"},
        {"DIGEST", "sha256:" HEX64, "sha256:short"},
        {"FILE", "", NULL},
        {NULL, "true", NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CHECK_ROW(i, form_check(rows[i].value, rows[i].good, &test_err) == BERTH_OK);
        CHECK_ROW(i, !rows[i].bad || form_check(rows[i].value, rows[i].bad, &test_err) == BERTH_E_INVALID);
    }
}

RUN_TESTS(CLI_TEST(test_cli_forms__tell_good_values_from_bad_ones))
