/* tests/unit/daemon/config_yaml.c - the second pass over the file: every kind of value, what is left empty,
 * warnings. */
#include "config_fixture.h"

static void test_daemon_config_yaml__reads_every_kind_of_value_from_a_file(void **state)
{
    (void)state;
    CONFIG c = NULL;
    CHECK_OK(load("# all kinds\n"
                  "version: 1\n"
                  "data: '/var/lib/berth'\n"
                  "listen:\n"
                  "  - localhost:5000   # bare\n"
                  "  - address: \":5443\"\n"
                  "    certificate: a.pem\n"
                  "    key: b.pem\n"
                  "    client_ca: c.pem\n"
                  "    tls_minimum: 1.3\n"
                  "    tls_ciphers: ECDHE+AESGCM:!AES128\n"
                  "  - \"unix:/run/\\\"berth\\\".sock\"\n"
                  "  - {address: \"[::1]:80\"}\n"
                  "http:\n"
                  "  relative_urls: Yes\n"
                  "  headers: [\"X-A: 1\", 'X-B: a, b']\n"
                  "  loops: 3\n"
                  "  max_header_size: 65536\n"
                  "  idle_timeout: 90\n"
                  "  body_timeout: 1m30s\n"
                  "registry:\n"
                  "  warnings:\n"
                  "    - closing soon\n"
                  "    - {repository: old/*, tag: v1, text: \"use \\u00fc \\\"new\\\"\"}\n"
                  "  sparse: platforms\n"
                  "  sparse_platforms:\n"
                  "    - linux/amd64\n"
                  "    - linux/arm/v7\n",
                  &c));
    assert_string_equal(c->data, "/var/lib/berth");
    assert_int_equal(c->listen_count, 4);
    assert_string_equal(c->listen[0].address, "localhost:5000");
    assert_string_equal(c->listen[1].address, ":5443");
    assert_string_equal(c->listen[1].certificate, "a.pem");
    assert_string_equal(c->listen[1].key, "b.pem");
    assert_string_equal(c->listen[1].client_ca, "c.pem");
    assert_string_equal(c->listen[1].tls_minimum, "1.3");
    assert_string_equal(c->listen[1].tls_ciphers, "ECDHE+AESGCM:!AES128");
    assert_string_equal(c->listen[2].address, "unix:/run/\"berth\".sock");
    assert_string_equal(c->listen[3].address, "[::1]:80");
    assert_true(c->http.relative_urls);
    assert_int_equal(c->http.headers_count, 2);
    assert_string_equal(c->http.headers[1], "X-B: a, b");
    assert_int_equal(c->http.loops, 3);
    assert_int_equal(c->http.max_header_size, 65536);
    assert_int_equal(c->http.idle_timeout, 90000);
    assert_int_equal(c->http.body_timeout, 90000);
    assert_int_equal(c->registry.warnings_count, 2);
    assert_null(c->registry.warnings[0].repository);
    assert_string_equal(c->registry.warnings[0].text, "closing soon");
    assert_string_equal(c->registry.warnings[1].repository, "old/*");
    assert_string_equal(c->registry.warnings[1].tag, "v1");
    assert_string_equal(c->registry.warnings[1].text, "use \xc3\xbc \"new\"");
    assert_int_equal(c->registry.sparse_platforms_count, 2);
    assert_string_equal(c->registry.sparse_platforms[1], "linux/arm/v7");
}

static void test_daemon_config_yaml__keeps_defaults_for_what_is_left_empty(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "---\n",
        "# only a comment\n",
        "~",
        "\xef\xbb\xbf# a byte order mark\n",
        "http:\n  # prefix: /x\nlog:\n",
        "http: ~\n",
        "http: {}\n",
        "http: {prefix: ~, headers: , idle_timeout: null, loops: }\nregistry:\n  warnings:\ngc: null\n",
        "data:\nlog:\n  level: ''\n",
        "http: {headers: [], max_uri_size: ~}\r\nlog:\r\n  format:\r\n",
    };
    CONFIG plain = NULL;
    CHECK_OK(config_load(NULL, NULL, 0, &plain, &test_err));
    CLEANUP(freep) char *want = printed(plain);
    for (size_t i = 0; i < COUNT(rows); i++) {
        CONFIG c = NULL;
        CHECK_ROW(i, load(rows[i], &c) == BERTH_OK);
        CLEANUP(freep) char *have = printed(c);
        CHECK_STR_ROW(i, str_from(have), str_from(want));
    }
}

static void test_daemon_config_yaml__bounds_the_warnings_together(void **state)
{
    (void)state;
    CONFIG c = NULL;
    CLEANUP(freep) char *most = crowd("registry:\n  warnings: [1234, ", "x", 4092, "]\n");
    CHECK_OK(load(most, &c));
    CLEANUP(freep) char *more = crowd("registry:\n  warnings: [12345, ", "x", 4092, "]\n");
    config_free(steal(&c));
    CHECK_CODE(load(more, &c), BERTH_E_INVALID);
    assert_string_equal(
        test_err.message,
        "berth.yaml:2:13: registry.warnings: the texts are 4097 bytes together; at most 4096");
}

RUN_TESTS(CASE(test_daemon_config_yaml__reads_every_kind_of_value_from_a_file),
          CASE(test_daemon_config_yaml__keeps_defaults_for_what_is_left_empty),
          CASE(test_daemon_config_yaml__bounds_the_warnings_together))
