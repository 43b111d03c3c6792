/* tests/unit/daemon/config_print.c - what `berth config show` prints is read back to the same. */
#include "config_fixture.h"

static void test_daemon_config_print__prints_what_it_reads_back_to_the_same(void **state)
{
    (void)state;
    CONFIG c = NULL;
    CONFIG again = NULL;
    setenv("BERTH_GC_WINDOW", "01:30-05:00", 1);
    CHECK_OK(LOAD_FLAGS(
        "data: \"~\"\n"
        "listen: [{address: ':1', certificate: 'null', key: \"a'b\\\"c\\\\d\"}, unix:/x y]\n"
        "http: {headers: ['A: \"#{[,]}\"', 'B: - x: y'], idle_timeout: 1h1m1s1ms, max_uri_size: 1025}\n"
        "registry:\n"
        "  max_manifest_size: 6MiB\n"
        "  warnings: [{text: \"a\\u2028b\\u2029c\\uFEFFd\\u00e9\"}, {text: 'true', tag: '*', repository: "
        "'~'}]\n",
        &c, "log.audit=yes", "gc.grace=90061s"));
    CLEANUP(freep) char *first = printed(c);
    unsetenv("BERTH_GC_WINDOW");
    CHECK_OK(load(first, &again));
    CLEANUP(freep) char *second = printed(again);
    CHECK_STR(str_from(second), str_from(first));
    CLEANUP(berth_buf_done) berth_buf diff = BERTH_BUF_INIT(KIB);
    config_diff(c, again, &diff);
    CHECK_STR(berth_buf_str(&diff), STR(""));
    assert_string_equal(again->data, "~");
    assert_string_equal(again->listen[0].certificate, "null");
    assert_string_equal(again->listen[0].key, "a'b\"c\\d");
    assert_string_equal(again->registry.warnings[0].text, "a\xe2\x80\xa8"
                                                          "b\xe2\x80\xa9"
                                                          "c\xef\xbb\xbf"
                                                          "d\xc3\xa9");
    assert_string_equal(again->registry.warnings[1].repository, "~");
    assert_string_equal(again->log.audit, "yes");
    assert_int_equal(again->http.idle_timeout, 3661001);
    assert_int_equal(again->gc.grace, 90061000);

    berth_buf small = BERTH_BUF_INIT(64);
    CHECK_CODE(config_print(c, &small, &test_err), BERTH_E_NOMEM);
    berth_buf_reset(&small);
    CHECK_CODE(config_print_json(c, &small, &test_err), BERTH_E_NOMEM);
    berth_buf_done(&small);
}

/* JSON is YAML too: what it says is read back to the same. */
static void test_daemon_config_print__says_the_same_in_json(void **state)
{
    (void)state;
    CONFIG c = NULL;
    CONFIG again = NULL;
    CHECK_OK(LOAD_FLAGS("data: \"a'b\\\"c\\\\d\\u2028e\"\n"
                        "listen: [{address: ':1', certificate: c, key: k}, unix:/x]\n"
                        "http: {headers: ['A: b', 'C: \"d\"'], idle_timeout: 1h1m}\n"
                        "registry: {warnings: [{text: w, tag: '*'}]}\n",
                        &c, "log.audit=yes"));
    CLEANUP(berth_buf_done) berth_buf json = BERTH_BUF_INIT(MIB), diff = BERTH_BUF_INIT(KIB);
    CHECK_OK(config_print_json(c, &json, &test_err));
    CHECK_OK(load(berth_buf_cstr(&json), &again));
    config_diff(c, again, &diff);
    CHECK_STR(berth_buf_str(&diff), STR(""));
    CHECK(strstr(json.p, "\"data\":\"a'b\\\"c\\\\d\\u2028e\""));
    CHECK(strstr(json.p, "\"headers\":[\"A: b\",\"C: \\\"d\\\"\"]"));
    CHECK(strstr(json.p, "{\"address\":\":1\",\"certificate\":\"c\",\"key\":\"k\"}"));
}

RUN_TESTS(CASE(test_daemon_config_print__says_the_same_in_json),
          CASE(test_daemon_config_print__prints_what_it_reads_back_to_the_same))
