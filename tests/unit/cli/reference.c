/* tests/unit/cli/reference.c - `berth reference`: its eight fields, as text and as JSON, and its refusals. */
#include "fixture.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void test_cli_reference__prints_every_field(void **state)
{
    (void)state;
    static const char *const words[] = {"alpine:3", "--output text alpine:3", "alpine:3 --output=text"};
    for (size_t i = 0; i < COUNT(words); i++) {
        assert_int_equal(berth("reference %s", words[i]), EXIT_OK);
        assert_string_equal(out_text, "original          alpine:3\n"
                                      "normalised        registry-1.docker.io/library/alpine:3\n"
                                      "netloc            registry-1.docker.io\n"
                                      "name              library/alpine\n"
                                      "tag               3\n"
                                      "digest            -\n"
                                      "tag_type          symbolic\n"
                                      "ref_without_tag   registry-1.docker.io/library/alpine\n");
        assert_string_equal(err_text, "");
    }
    assert_int_equal(berth("reference [::1]:5000/a"), EXIT_OK);
    CHECK(strstr(out_text, "\ntag               -\n") && strstr(out_text, "\ntag_type          no_tag\n"));
}

static void test_cli_reference__prints_json(void **state)
{
    (void)state;
    assert_int_equal(berth("reference docker://localhost:5000/a:1@sha256:" HEX64 " --output json"), EXIT_OK);
    assert_string_equal(out_text, "{\n"
                                  "  \"original\": \"docker://localhost:5000/a:1@sha256:" HEX64 "\",\n"
                                  "  \"normalised\": \"localhost:5000/a:1@sha256:" HEX64 "\",\n"
                                  "  \"netloc\": \"localhost:5000\",\n"
                                  "  \"name\": \"a\",\n"
                                  "  \"tag\": \"sha256:" HEX64 "\",\n"
                                  "  \"digest\": \"sha256:" HEX64 "\",\n"
                                  "  \"tag_type\": \"digest\",\n"
                                  "  \"ref_without_tag\": \"localhost:5000/a\"\n"
                                  "}\n");
    assert_int_equal(berth("reference eu.gcr.io/project/foo --output=json"), EXIT_OK);
    CHECK(strstr(out_text, "\"tag\": null,\n  \"digest\": null,\n  \"tag_type\": \"no_tag\"") != NULL);
}

static void test_cli_reference__says_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        int rc;
        const char *says;
    } rows[] = {
        {"reference Alpine", EXIT_FAILED,
         "berth reference: the name 'Alpine' has capital letters, and names have none\n"},
        {"reference alpine@foo", EXIT_FAILED, "berth reference: 'foo' is not a digest\n"},
        {"reference https://example.org/a", EXIT_FAILED,
         "berth reference: a reference has no scheme such as https://\n"},
        {"reference docker://", EXIT_FAILED, "berth reference: the reference is empty\n"},
        {"reference docker://docker://a", EXIT_FAILED,
         "berth reference: a reference has no scheme such as https://\n"},
        {"reference", EXIT_USAGE, "berth reference: REF is missing\ntry: berth reference --help\n"},
        {"reference a b", EXIT_USAGE,
         "berth reference: 'b' is one word too many\ntry: berth reference --help\n"},
        {"reference --tag a", EXIT_USAGE,
         "berth reference: '--tag' is not an option\ntry: berth reference --help\n"},
        {"reference a --output", EXIT_USAGE,
         "berth reference: --output needs a value\ntry: berth reference --help\n"},
        {"reference a --output=yaml", EXIT_USAGE,
         "berth reference: --output is text or json, not 'yaml'\ntry: berth reference --help\n"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CHECK_ROW(i, berth("%s", rows[i].words) == rows[i].rc);
        CHECK_STR_ROW(i, str_from(err_text), str_from(rows[i].says));
        CHECK_ROW(i, out_text[0] == '\0');
    }
}

static void test_cli_reference__takes_the_defaults_of_all_commands(void **state)
{
    (void)state;
    setenv("BERTH_DEFAULT_REGISTRY", "localhost:5501", 1);
    setenv("BERTH_DEFAULT_NAMESPACE", "team", 1);
    setenv("BERTH_DEFAULT_TAG", "edge", 1);
    assert_int_equal(berth("reference a --format {{.normalised}}"), EXIT_OK);
    assert_string_equal(out_text, "localhost:5501/team/a:edge\n");
    setenv("BERTH_DEFAULT_REGISTRY", "no host", 1);
    assert_int_equal(berth("reference a"), EXIT_FAILED);
    CHECK(strstr(err_text, "a default for references: the host 'no host' is not a host name"));
    unsetenv("BERTH_DEFAULT_REGISTRY");
    unsetenv("BERTH_DEFAULT_NAMESPACE");
    unsetenv("BERTH_DEFAULT_TAG");
}

RUN_TESTS(CLI_TEST(test_cli_reference__prints_every_field), CLI_TEST(test_cli_reference__prints_json),
          CLI_TEST(test_cli_reference__says_what_is_wrong),
          CLI_TEST(test_cli_reference__takes_the_defaults_of_all_commands))
