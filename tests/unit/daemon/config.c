/* tests/unit/daemon/config.c - the configuration: which source wins, how a mistake in any of them is told,
 * what a reload sees. */
#include "config_fixture.h"

#include <fcntl.h>

#include "util/fault.h"
#include "util/io.h"

static void test_daemon_config__serves_localhost_when_nothing_is_configured(void **state)
{
    (void)state;
    CONFIG c = NULL;
    CHECK_OK(config_load(NULL, NULL, 0, &c, &test_err));
    assert_int_equal(c->version, 1);
    assert_string_equal(c->data, "./data");
    assert_int_equal(c->listen_count, 1);
    assert_string_equal(c->listen[0].address, "localhost:5000");
    assert_null(c->listen[0].certificate);
    assert_null(c->http.prefix);
    assert_false(c->http.relative_urls);
    assert_int_equal(c->http.headers_count, 0);
    assert_int_equal(c->http.max_header_size, 32768);
    assert_int_equal(c->http.max_uri_size, 16384);
    assert_int_equal(c->http.max_connections, 16384);
    assert_int_equal(c->http.max_connections_per_address, 0);
    assert_int_equal(c->http.max_requests, 0);
    assert_int_equal(c->http.max_requests_per_address, 0);
    assert_int_equal(c->http.upload_buffers, 256 * MIB);
    assert_int_equal(c->http.header_timeout, 30000);
    assert_int_equal(c->http.body_timeout, 30000);
    assert_int_equal(c->http.idle_timeout, 75000);
    assert_int_equal(c->http.drain_timeout, 30000);
    assert_int_equal(c->http.stop_timeout, 30000);
    assert_true(c->registry.auto_create && c->registry.deletes && c->registry.mount_anywhere);
    assert_false(c->registry.read_only || c->registry.schema1);
    assert_int_equal(c->registry.max_manifest_size, 4 * MIB);
    assert_int_equal(c->registry.session_timeout, 600000);
    assert_string_equal(c->registry.sparse, "none");
    assert_null(c->registry.default_platform);
    assert_int_equal(c->registry.page_size, 1000);
    assert_string_equal(c->storage.driver, "fs");
    assert_int_equal(c->storage.inline_size, 16384);
    assert_int_equal(c->storage.reserve, 64 * MIB);
    assert_true(c->storage.sync);
    assert_int_equal(c->gc.interval, 3600000);
    assert_int_equal(c->gc.grace, 86400000);
    assert_int_equal(c->gc.drain, 7200000);
    assert_int_equal(c->gc.untagged, 0);
    assert_false(c->gc.keep_referrers);
    assert_null(c->gc.window);
    assert_string_equal(c->log.level, "info");
    assert_string_equal(c->log.format, "text");
    assert_true(c->log.access);
    assert_null(c->log.audit);
    assert_true(c->metrics.enabled);
    assert_false(c->metrics.per_repository);
}

static void test_daemon_config__lets_flags_win_over_environment_over_file_over_defaults(void **state)
{
    (void)state;
    CONFIG c = NULL;
    CHECK_OK(load("http: {loops: 1, prefix: /file, headers: ['A: file']}\nlisten: [':1', ':2']\n", &c));
    assert_int_equal(c->http.loops, 1);
    config_free(steal(&c));

    setenv("BERTH_HTTP_LOOPS", "2", 1);
    setenv("BERTH_HTTP_PREFIX", "", 1); /* as good as unset */
    setenv("BERTH_HTTP_HEADERS", "A: env\\, 1 , B: env", 1);
    setenv("BERTH_LISTEN", ":3, :4", 1);
    setenv("BERTH_VERSION", "2.7", 1); /* the file's alone: not ours to read */
    setenv("BERTH_NO_SUCH_SETTING", "x", 1);
    CHECK_OK(load("http: {loops: 1, prefix: /file, headers: ['A: file']}\nlisten: [':1', ':2']\n", &c));
    assert_int_equal(c->http.loops, 2);
    assert_string_equal(c->http.prefix, "/file");
    assert_int_equal(c->http.headers_count, 2);
    assert_string_equal(c->http.headers[0], "A: env, 1");
    assert_string_equal(c->http.headers[1], "B: env");
    assert_int_equal(c->listen_count, 2);
    assert_string_equal(c->listen[1].address, ":4");
    config_free(steal(&c));

    CHECK_OK(LOAD_FLAGS("http: {loops: 1, prefix: /file}\n", &c, "http.loops=3", "http.prefix=", "listen=:5",
                        "http.loops=4", "listen=:6", "http.headers=C: a, b", "registry.read_only",
                        "registry.deletes=false"));
    assert_int_equal(c->http.loops, 4);
    assert_null(c->http.prefix);
    assert_int_equal(c->http.headers_count, 1);
    assert_string_equal(c->http.headers[0], "C: a, b");
    assert_int_equal(c->listen_count, 2);
    assert_string_equal(c->listen[0].address, ":5");
    assert_string_equal(c->listen[1].address, ":6");
    assert_true(c->registry.read_only);
    assert_false(c->registry.deletes);
    unsetenv("BERTH_VERSION");
    unsetenv("BERTH_NO_SUCH_SETTING");
}

static void test_daemon_config__gives_the_tls_flags_to_listeners_that_are_not_the_files(void **state)
{
    (void)state;
    CONFIG c = NULL;
    CHECK_OK(
        LOAD_FLAGS("", &c, "tls.certificate=c.pem", "tls.key=k.pem", "tls.minimum=1.3", "tls.ciphers=ECDHE"));
    assert_string_equal(c->listen[0].address, "localhost:5000");
    assert_string_equal(c->listen[0].certificate, "c.pem");
    assert_string_equal(c->listen[0].tls_minimum, "1.3");
    assert_string_equal(c->listen[0].tls_ciphers, "ECDHE");
    config_free(steal(&c));
    setenv("BERTH_TLS_KEY", "env.pem", 1);
    setenv("BERTH_TLS_CLIENT_CA", "ca.pem", 1);
    CHECK_OK(LOAD_FLAGS("listen: [':9']\n", &c, "listen=:1", "tls.certificate=c.pem", "listen=:2"));
    assert_int_equal(c->listen_count, 2);
    for (unsigned i = 0; i < 2; i++) {
        assert_string_equal(c->listen[i].certificate, "c.pem");
        assert_string_equal(c->listen[i].key, "env.pem");
        assert_string_equal(c->listen[i].client_ca, "ca.pem");
        assert_null(c->listen[i].tls_minimum);
    }
}

static void test_daemon_config__names_the_variable_or_flag_that_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *variable, *value, *flag, *message;
    } rows[] = {
        {"BERTH_HTTP_LOOPS", "many", NULL, "BERTH_HTTP_LOOPS: 'many' is not a whole number"},
        {"BERTH_HTTP_HEADERS", "A: b,", NULL,
         "BERTH_HTTP_HEADERS: empty, where a header of your own is wanted"},
        {"BERTH_REGISTRY_SPARSE", "platforms", NULL,
         "BERTH_REGISTRY_SPARSE: 'platforms' needs registry.sparse_platforms to name some"},
        {"BERTH_TLS_KEY", "k", NULL, "BERTH_TLS_KEY: a key without its certificate"},
        {"BERTH_DATA", "\xff\x1b[2J", NULL, "BERTH_DATA: '??[2J' is not one line of UTF-8 text"},
        {NULL, NULL, "http.loops=many", "--http-loops: 'many' is not a whole number"},
        {NULL, NULL, "http.loops", "--http-loops: a value is wanted"},
        {NULL, NULL, "registry.read_only=x", "--registry-read-only: 'x' is not true or false"},
        {NULL, NULL, "tls.minimum=1", "--tls-minimum: '1' is not 1.2 or 1.3"},
        {NULL, NULL, "tls.ciphers=TLS_AES_128_GCM_SHA256",
         "--tls-ciphers: 'TLS_AES_128_GCM_SHA256' is not a list with ciphers of TLS 1.2 that OpenSSL knows "
         "(try "
         "ECDHE+AESGCM:ECDHE+CHACHA20)"},
        {"BERTH_TLS_CIPHERS", "ECDHE", NULL, "BERTH_TLS_CIPHERS: TLS settings without a certificate"},
        {NULL, NULL, "listen=", "--listen: no address to listen on"},
        {NULL, NULL, "data=", "--data: empty, where a value is wanted"},
        {NULL, NULL, "http.no_such=1", "unknown setting 'http.no_such'"},
        {NULL, NULL, "version=1", "version can be set in the file only"},
        {NULL, NULL, "registry.warnings=x", "registry.warnings can be set in the file only"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CONFIG c = NULL;
        test_err = (berth_error){0};
        if (rows[i].variable)
            setenv(rows[i].variable, rows[i].value, 1);
        CHECK_ROW(i,
                  config_load(NULL, &rows[i].flag, rows[i].flag ? 1 : 0, &c, &test_err) == BERTH_E_INVALID);
        CHECK_STR_ROW(i, str_from(test_err.message), str_from(rows[i].message));
        if (rows[i].variable)
            unsetenv(rows[i].variable);
    }
    CONFIG c = NULL;
    CHECK_CODE(LOAD_FLAGS("listen: [':1']\n", &c, "tls.key=k"), BERTH_E_INVALID);
    assert_string_equal(test_err.message,
                        "--tls-key: the listeners are the file's, which has certificates of their own");
    CHECK_CODE(config_load(NULL, (const char *const[]){"x"}, 1, &c, NULL), BERTH_E_INVALID);
}

static void test_daemon_config__reads_files_and_tells_why_it_cannot(void **state)
{
    (void)state;
    CONFIG c = NULL;
    char folder[] = "config-test-XXXXXX", path[256];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/%0150d.yaml", folder, 7);
    CHECK_CODE(config_load(path, NULL, 0, &c, &test_err), BERTH_E_NOT_FOUND);
    assert_non_null(strstr(test_err.message, "No such file"));

    CLEANUP(closep) int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    CHECK_OK(io_write_all(fd, "log:\n  level: x\n", 16, &test_err));
    CHECK_CODE(config_load(path, NULL, 0, &c, &test_err), BERTH_E_INVALID);
    /* a long name is cut, the line is not */
    assert_non_null(
        strstr(test_err.message, "7.yaml:2:10: log.level: 'x' is not debug, info, warn or error"));

    assert_int_equal(ftruncate(fd, 0), 0);
    CHECK_OK(io_write_all(fd, "", 0, &test_err));
    assert_int_equal(pwrite(fd, "gc:\n", 4, 0), 4);
    CHECK_OK(config_load(path, NULL, 0, &c, &test_err));
    assert_int_equal(ftruncate(fd, CONFIG_FILE_MAX + 1), 0);
    config_free(steal(&c));
    CHECK_CODE(config_load(path, NULL, 0, &c, &test_err), BERTH_E_TOO_BIG);
    unlink(path);
    rmdir(folder);
}

static void test_daemon_config__lists_the_keys_that_differ(void **state)
{
    (void)state;
    CONFIG a = NULL;
    CONFIG b = NULL;
    CHECK_OK(load("listen: [{address: ':1', certificate: c, key: k}]\nhttp: {headers: ['A: 1', 'B: 2']}\n"
                  "registry: {warnings: [{text: a, tag: x}]}\nlog: {audit: f}\n",
                  &a));
    CHECK_OK(load(
        "listen: [{address: ':1', certificate: c, key: other}]\nhttp: {headers: ['A: 1', 'B: 3'], loops: 2}\n"
        "registry: {warnings: [{text: a}], session_timeout: 11m, deletes: false}\n",
        &b));
    CLEANUP(berth_buf_done) berth_buf diff = BERTH_BUF_INIT(KIB);
    config_diff(a, b, &diff);
    CHECK_STR(berth_buf_str(&diff),
              STR("listen,http.headers,http.loops,registry.deletes,registry.session_timeout,"
                  "registry.warnings,log.audit"));
    berth_buf_reset(&diff);
    config_diff(a, a, &diff);
    CHECK_STR(berth_buf_str(&diff), STR(""));
}

static void test_daemon_config__gives_up_cleanly_when_any_allocation_fails(void **state)
{
    (void)state;
    static const char yaml[] = "listen: [':1', {address: ':2', certificate: c, key: k}]\nhttp: {headers: "
                               "['A: b', 'C: d'], prefix: /x}\n"
                               "registry:\n  warnings: [hello]\n  sparse: all\n";
    CONFIG want = NULL;
    setenv("BERTH_HTTP_TRUSTED_PROXIES", "::1,10.0.0.0/8", 1);
    CHECK_OK(LOAD_FLAGS(yaml, &want, "data=/d"));
    CLEANUP(freep) char *text = printed(want);
    unsigned n = 1, refused = 0;
    for (bool fired = true; fired; n++) {
        CONFIG c = NULL;
        fault_arm(n);
        int r = LOAD_FLAGS(yaml, &c, "data=/d");
        fired = fault_disarm();
        if (r == BERTH_OK) {
            CLEANUP(freep) char *have = printed(c);
            CHECK_STR_ROW(n, str_from(have), str_from(text));
        } else {
            CHECK_ROW(n, fired && r == BERTH_E_NOMEM && !c);
            refused++;
        }
    }
    assert_in_range(refused, 50, 10000); /* the counter does reach the allocations */
}

static void test_daemon_config__tells_everything_that_is_wrong(void **state)
{
    (void)state;
    static const char yaml[] = "data: ''\n"
                               "htpp: {loops: 3}\n"
                               "http:\n"
                               "  loops: many\n"
                               "  prefex: /x\n"
                               "  headers: ['A: b', bad, 'C: d', worse]\n"
                               "listen:\n"
                               "  - adress: ':1'\n"
                               "    address: x\n"
                               "  - ':99999'\n"
                               "registry: {read_only: perhaps}\n";
    static const char *const want[] = {
        "berth.yaml:2:1: unknown key 'htpp' (did you mean 'http'?)\n",
        "berth.yaml:5:3: unknown key 'prefex' in http (did you mean 'prefix'?)\n",
        "berth.yaml:8:5: unknown key 'adress' in listen[0] (did you mean 'address'?)\n",
        "berth.yaml:9:14: listen[0].address: 'x' is not",
        "berth.yaml:10:5: listen[1]: ':99999' is not",
        "berth.yaml:4:10: http.loops: 'many' is not",
        "berth.yaml:6:21: http.headers[1]: 'bad' is not",
        "berth.yaml:6:34: http.headers[3]: 'worse' is not",
        "berth.yaml:11:23: registry.read_only: 'perhaps' is not",
        "BERTH_HTTP_TRUSTED_PROXIES: 'one' is not",
        "BERTH_HTTP_TRUSTED_PROXIES: 'two' is not",
        "BERTH_LOG_LEVEL: 'loud' is not",
        "--gc-grace: 'long' is not",
        "unknown setting 'no.such'",
    };
    CLEANUP(berth_buf_done) berth_buf out = BERTH_BUF_INIT(MIB);
    size_t n = 0;
    setenv("BERTH_HTTP_TRUSTED_PROXIES", "one,::1,two", 1);
    setenv("BERTH_LOG_LEVEL", "loud", 1);
    const char *const flags[] = {"gc.grace=long", "http.workers=3", "no.such=1"};
    CHECK_OK(config_check_text(str_from(yaml), "berth.yaml", flags, COUNT(flags), &out, &n, &test_err));
    const char *text = berth_buf_cstr(&out);
    for (size_t i = 0; i < COUNT(want); i++)
        if (!strstr(text, want[i]))
            fail_msg("row %zu: '%s' is not in\n%s", i, want[i], text);
    assert_int_equal(n, COUNT(want));
}

static void test_daemon_config__tells_what_settings_owe_each_other_and_files_that_are_missing(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *flag, *want;
        size_t n;
    } rows[] = {
        {"listen: [{address: ':1', key: k}, {address: ':2', certificate: c}]\nregistry: {sparse: "
         "platforms}\n",
         NULL,
         "berth.yaml:1:10: listen[0]: a key without its certificate\n"
         "berth.yaml:1:35: listen[1]: a certificate without its key\n"
         "berth.yaml:2:20: registry.sparse: 'platforms' needs registry.sparse_platforms to name some\n",
         3},
        {"listen: [{address: ':1', key: /none/k, certificate: /proc/self/maps, client_ca: /}]\n", NULL,
         "berth.yaml:1:31: listen[0].key: '/none/k' can't be read: No such file or directory\n"
         "berth.yaml:1:81: listen[0].client_ca: '/' can't be read: Is a directory\n",
         2},
        {"data: /d\n", "tls.certificate=/none/c",
         "--tls-certificate: '/none/c' can't be read: No such file or directory\n", 1},
        {"data: /d\n", "tls.certificate=/proc/self/maps", "", 0},
        {"listen: {address: x}\ndata: ''\n", "http.loops=x",
         "berth.yaml:1:9: listen: a list is wanted, not a mapping (key: value)\n"
         "--http-loops: 'x' is not a whole number\n",
         2},
        {"data: [\n", "http.loops=x", "--http-loops: 'x' is not a whole number\n", 2},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(berth_buf_done) berth_buf out = BERTH_BUF_INIT(MIB);
        const char *const flags[] = {rows[i].flag, "tls.key=/proc/self/maps"};
        size_t n = 0, n_flags = !rows[i].flag ? 0 : strncmp(rows[i].flag, "tls", 3) == 0 ? 2 : 1;
        CHECK_OK(
            config_check_text(str_from(rows[i].yaml), "berth.yaml", flags, n_flags, &out, &n, &test_err));
        CHECK_ROW(i, n == rows[i].n);
        if (!strstr(berth_buf_cstr(&out) ? berth_buf_cstr(&out) : "", rows[i].want))
            fail_msg("row %zu: '%s' is not in\n" STR_FMT, i, rows[i].want, STR_ARG(berth_buf_str(&out)));
    }
}

RUN_TESTS(CASE(test_daemon_config__tells_everything_that_is_wrong),
          CASE(test_daemon_config__tells_what_settings_owe_each_other_and_files_that_are_missing),
          CASE(test_daemon_config__serves_localhost_when_nothing_is_configured),
          CASE(test_daemon_config__lets_flags_win_over_environment_over_file_over_defaults),
          CASE(test_daemon_config__gives_the_tls_flags_to_listeners_that_are_not_the_files),
          CASE(test_daemon_config__names_the_variable_or_flag_that_is_wrong),
          CASE(test_daemon_config__reads_files_and_tells_why_it_cannot),
          CASE(test_daemon_config__lists_the_keys_that_differ),
          CASE(test_daemon_config__gives_up_cleanly_when_any_allocation_fails))
