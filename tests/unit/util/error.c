/* tests/unit/util/error.c - what an error says, also where it does not fit. */
#include "test.h"

static void test_util_error__keeps_code_and_sentence(void **state)
{
    (void)state;
    berth_error err = {.code = 1, .http_status = 999, .oci_code = "OLD", .message = "old"};
    assert_int_equal(berth_error_set(&err, BERTH_E_IO, "reading '%s': %d", "x", 7), BERTH_E_IO);
    assert_int_equal(err.code, BERTH_E_IO);
    assert_int_equal(err.http_status, 0); /* nothing of an error before this one */
    assert_string_equal(err.oci_code, "");
    assert_string_equal(err.message, "reading 'x': 7");
    assert_int_equal(berth_error_set_oci(&err, BERTH_E_NOT_FOUND, "BLOB_UNKNOWN", "no %s", "blob"),
                     BERTH_E_NOT_FOUND);
    assert_string_equal(err.oci_code, "BLOB_UNKNOWN");
    assert_string_equal(err.message, "no blob");
    assert_int_equal(berth_error_set(NULL, BERTH_E_BUSY, "x"), BERTH_E_BUSY);
    assert_int_equal(berth_error_set_oci(NULL, BERTH_E_BUSY, "X", "x"), BERTH_E_BUSY);
}

static void test_util_error__puts_context_before_the_sentence(void **state)
{
    (void)state;
    berth_error err = BERTH_ERROR_INIT;
    berth_error_set_oci(&err, BERTH_E_DIGEST, "DIGEST_INVALID", "wrong");
    assert_int_equal(berth_error_prefix(&err, "layer %d of %d", 3, 7), BERTH_E_DIGEST);
    assert_string_equal(err.message, "layer 3 of 7: wrong");
    assert_string_equal(err.oci_code, "DIGEST_INVALID");
    CHECK(berth_error_prefix(NULL, "x") != BERTH_OK); /* who has no error to look at must not go on */
}

static void test_util_error__cuts_what_does_not_fit(void **state)
{
    (void)state;
    char text[600];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    berth_error err = BERTH_ERROR_INIT;
    berth_error_set_oci(&err, BERTH_E_IO, text, "%s", text);
    assert_int_equal(strlen(err.message), sizeof(err.message) - 1);
    assert_int_equal(strlen(err.oci_code), sizeof(err.oci_code) - 1);
    berth_error_set(&err, BERTH_E_IO, "the end");
    berth_error_prefix(&err, "%s", text);
    CHECK(str_ends(str_from(err.message), STR(": the end"))); /* a long context leaves room for the cause */
    for (size_t i = 0; i < 5; i++)
        berth_error_prefix(&err, "%s", text);
    CHECK(strlen(err.message) < sizeof(err.message));
}

RUN_TESTS(TEST(test_util_error__keeps_code_and_sentence),
          TEST(test_util_error__puts_context_before_the_sentence),
          TEST(test_util_error__cuts_what_does_not_fit))
