/* tests/unit/daemon/config.c - the configuration: what each source gives, which wins, how a mistake is told.
 */
#include "test.h"

#include <fcntl.h>
#include <jansson.h>

#include "daemon/config_private.h"
#include "util/fault.h"
#include "util/io.h"

static void config_freep(struct config **c)
{
    config_free(*c);
}
#define CONFIG CLEANUP(config_freep) struct config *

static int clean_environment(void **state)
{
    (void)state;
    for (size_t i = 0; i < config_settings_count; i++) {
        CLEANUP(berth_buf_done) berth_buf name = BERTH_BUF_INIT(KIB);
        config_add_variable(&config_settings[i], &name);
        unsetenv(berth_buf_cstr(&name));
    }
    return 0;
}

static int load(const char *yaml, struct config **ret)
{
    test_err = (berth_error){0};
    return config_load_text(str_from(yaml), "berth.yaml", NULL, 0, ret, &test_err);
}

#define LOAD_FLAGS(yaml, ret, ...)                                                                           \
    config_load_text(str_from(yaml), "berth.yaml", (const char *const[]){__VA_ARGS__},                       \
                     COUNT(((const char *const[]){__VA_ARGS__})), ret, &test_err)

static char *printed(const struct config *c)
{
    berth_buf b = BERTH_BUF_INIT(MIB);
    CHECK_OK(config_print(c, &b, &test_err));
    return berth_buf_take(&b);
}

/* @head, @times times @piece, @tail. */
static char *crowd(const char *head, const char *piece, size_t times, const char *tail)
{
    berth_buf b = BERTH_BUF_INIT(4 * MIB);
    berth_buf_add_str(&b, str_from(head));
    for (size_t i = 0; i < times; i++)
        berth_buf_add_str(&b, str_from(piece));
    berth_buf_add_str(&b, str_from(tail));
    return berth_buf_take(&b);
}

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

static void test_daemon_config__reads_every_kind_of_value_from_a_file(void **state)
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

static void test_daemon_config__keeps_defaults_for_what_is_left_empty(void **state)
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

/* A value that is not the default, for any setting but records. */
static const char *sample(const struct config_setting *s)
{
    switch (s->type) {
    case CONFIG_BOOL:
        return strcmp(s->fallback, "true") == 0 ? "false" : "true";
    case CONFIG_NUMBER:
        return "17";
    case CONFIG_DURATION:
        return "7m";
    case CONFIG_SIZE:
        return strcmp(s->key, "storage.inline_size") == 0 ? "17KiB" : "9MiB";
    case CONFIG_TEXT:
    case CONFIG_LIST:
        if (s->values)
            return strcmp(s->key, "registry.sparse") == 0 ? "all"
                                                          : s->values[strcmp(s->values[0], s->fallback) == 0];
        return s->form && s->form->example ? s->form->example : "some-file";
    case CONFIG_RECORDS:
        return "localhost:7";
    case CONFIG_TLS:
        break;
    }
    return NULL;
}

static void test_daemon_config__gives_each_setting_the_same_value_from_each_source(void **state)
{
    (void)state;
    for (size_t i = 0; i < config_settings_count; i++) {
        const struct config_setting *s = &config_settings[i];
        if (s->file_only || !config_in_file(s))
            continue;
        bool list = s->type == CONFIG_LIST || s->type == CONFIG_RECORDS;
        char yaml[256], flag[256], name[128];
        CLEANUP(berth_buf_done) berth_buf variable = BERTH_BUF_INIT(KIB);
        config_add_variable(s, &variable);
        snprintf(name, sizeof(name), "%s", berth_buf_cstr(&variable));
        snprintf(yaml, sizeof(yaml), STR_FMT "%s" STR_FMT ": %s\"%s\"%s\n", STR_ARG(config_section(s)),
                 config_section(s).n ? ":\n  " : "", STR_ARG(config_name(s)), list ? "[" : "", sample(s),
                 list ? "]" : "");
        snprintf(flag, sizeof(flag), "%s=%s", s->key, sample(s));

        CONFIG plain = NULL;
        CONFIG file = NULL;
        CONFIG environment = NULL;
        CONFIG flags = NULL;
        CHECK_OK(config_load(NULL, NULL, 0, &plain, &test_err));
        CHECK_ROW(i, load(yaml, &file) == BERTH_OK);
        setenv(name, sample(s), 1);
        CHECK_ROW(i, config_load(NULL, NULL, 0, &environment, &test_err) == BERTH_OK);
        unsetenv(name);
        CHECK_ROW(i, LOAD_FLAGS("", &flags, flag) == BERTH_OK);

        CLEANUP(freep) char *a = printed(file);
        CLEANUP(freep) char *b = printed(environment);
        CLEANUP(freep) char *c = printed(flags);
        CHECK_STR_ROW(i, str_from(b), str_from(a));
        CHECK_STR_ROW(i, str_from(c), str_from(a));
        CLEANUP(berth_buf_done) berth_buf diff = BERTH_BUF_INIT(KIB);
        config_diff(plain, flags, &diff);
        CHECK_STR_ROW(i, berth_buf_str(&diff), str_from(s->key));
    }
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
    CHECK_OK(LOAD_FLAGS("", &c, "tls.certificate=c.pem", "tls.key=k.pem", "tls.minimum=1.3"));
    assert_string_equal(c->listen[0].address, "localhost:5000");
    assert_string_equal(c->listen[0].certificate, "c.pem");
    assert_string_equal(c->listen[0].tls_minimum, "1.3");
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

static void test_daemon_config__says_file_line_and_reason(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *message;
    } rows[] = {
        /* syntax */
        {"http: {\n", "berth.yaml:2:1: did not find expected node content, while parsing a flow node"},
        {"data: 'a\n", "berth.yaml:2:1: found unexpected end of stream, while scanning a quoted scalar"},
        {"data: a\n\tb: c\n",
         "berth.yaml:2:1: found a tab character that violates indentation, while scanning a plain scalar"},
        {"data: a\n---\ndata: b\n", "berth.yaml:2:1: a second document; one file holds one configuration"},
        {"- a\n", "berth.yaml:1:1: settings are wanted here, as 'key: value', not a list"},
        {"\nhello\n", "berth.yaml:2:1: settings are wanted here, as 'key: value'"},
        {"? [a]\n: b\n", "berth.yaml:1:3: a key must be a word, not a list or a mapping"},
        {"a: &x b\nc: *x\n", "berth.yaml:2:4: aliases (*name) are not accepted"},
        {"data: &x b\nlog: {audit: *x}\n", "berth.yaml:2:14: aliases (*name) are not accepted"},
        {"data: a\nlog:\n  level: info\ndata: b\n",
         "berth.yaml:4:1: the key 'data' is already given in line 1"},
        {"log:\n  level: info\n  level: warn\n",
         "berth.yaml:3:3: the key 'level' is already given in line 2"},
        {"data: \"a\\0b\"\n", "berth.yaml:1:7: data: holds a NUL character"},
        {"data: a\xff\n", "berth.yaml:1:8: invalid leading UTF-8 octet"},
        {"log:\n  level: \x01\n", "berth.yaml:2:10: control characters are not allowed"},
        /* shape */
        {"data: a\n\nhtpp: {}\n", "berth.yaml:3:1: unknown key 'htpp' (did you mean 'http'?)"},
        {"http:\n  prefix: /a\n  idle_timeot: 1s\n",
         "berth.yaml:3:3: unknown key 'idle_timeot' in http (did you mean 'idle_timeout'?)"},
        {"http:\n  frobnicate: 1s\n", "berth.yaml:2:3: unknown key 'frobnicate' in http"},
        {"http:\n  frobnicate_the_whole_of_the_outer_world: 1s\n",
         "berth.yaml:2:3: unknown key 'frobnicate_the_whole_of_the_outer_world' in http"},
        {"data: a\n\"\\x1b[2J\": 1\n", "berth.yaml:2:1: unknown key '?[2J'"},
        {"listen:\n  - \"a\\nb\"\n", "berth.yaml:2:5: listen[0]: 'a?b' is not one line of UTF-8 text"},
        {"tls:\n  key: x\n", "berth.yaml:1:1: unknown key 'tls'"},
        {"listen:\n  - :1\n  - address: :2\n    certficate: x\n",
         "berth.yaml:4:5: unknown key 'certficate' in listen[1] (did you mean 'certificate'?)"},
        {"http: 3\n", "berth.yaml:1:7: http: a mapping (key: value) is wanted, not a single value"},
        {"http:\n  - a\n", "berth.yaml:2:3: http: a mapping (key: value) is wanted, not a list"},
        {"http:\n  prefix: [a]\n", "berth.yaml:2:11: http.prefix: a single value is wanted, not a list"},
        {"data:\n  a: b\n", "berth.yaml:2:3: data: a single value is wanted, not a mapping (key: value)"},
        {"http:\n  headers: 'A: b'\n", "berth.yaml:2:12: http.headers: a list is wanted, not a single value"},
        {"http:\n  headers:\n    - 'A: b'\n    - [a]\n",
         "berth.yaml:4:7: http.headers[1]: a single value is wanted, not a list"},
        {"listen:\n  - [a]\n", "berth.yaml:2:5: listen[0]: a mapping (key: value) is wanted, not a list"},
        /* values */
        {"version: 2\n", "berth.yaml:1:10: version: '2' is not supported: must be 1"},
        {"version: one\n", "berth.yaml:1:10: version: 'one' is not a whole number"},
        {"http:\n  idle_timeout: 10 minutes\n",
         "berth.yaml:2:17: http.idle_timeout: '10 minutes' is not a duration (try 10m)"},
        {"http:\n  idle_timeout: 0\n",
         "berth.yaml:2:17: http.idle_timeout: '0' is too small: must be at least 1ms"},
        {"http:\n  idle_timeout: 49h\n",
         "berth.yaml:2:17: http.idle_timeout: '49h' is too large: must be at most 24h"},
        {"http:\n  upload_buffers: many\n",
         "berth.yaml:2:19: http.upload_buffers: 'many' is not a size (try 64MiB)"},
        {"registry:\n  max_manifest_size: 4095KiB\n",
         "berth.yaml:2:22: registry.max_manifest_size: '4095KiB' is too small: must be at least 4MiB"},
        {"registry:\n  deletes: maybe\n", "berth.yaml:2:12: registry.deletes: 'maybe' is not true or false"},
        {"registry:\n  page_size: -1\n", "berth.yaml:2:14: registry.page_size: '-1' is not a whole number"},
        {"registry:\n  sparse: some\n",
         "berth.yaml:2:11: registry.sparse: 'some' is not none, platforms or all"},
        {"registry:\n  sparse: platforms\n",
         "berth.yaml:2:11: registry.sparse: 'platforms' needs registry.sparse_platforms to name some"},
        {"registry:\n  sparse_platforms:\n  - linux/amd64\n  - linux\n",
         "berth.yaml:4:5: registry.sparse_platforms[1]: 'linux' is not a platform (try linux/amd64)"},
        {"http:\n  prefix: reg/\n", "berth.yaml:2:11: http.prefix: 'reg/' is not a path that begins with '/' "
                                    "and does not end with it (try /registry)"},
        {"http:\n  headers:\n  -\n",
         "berth.yaml:3:4: http.headers[0]: empty, where a header of your own is wanted"},
        {"http:\n  headers: ['X: a\\nb', \"Y: a\\nb\"]\n",
         "berth.yaml:2:24: http.headers[1]: 'Y: a?b' is not one line of UTF-8 text"},
        {"http: {trusted_proxies: [10.0.0.0/33]}\n",
         "berth.yaml:1:26: http.trusted_proxies[0]: '10.0.0.0/33' is not an address or a network (try "
         "10.0.0.0/8)"},
        {"gc:\n  window: 22:00-24:00\n",
         "berth.yaml:2:11: gc.window: '22:00-24:00' is not a time of day from and to (try 22:00-06:00)"},
        {"log: {level: loud}\n", "berth.yaml:1:14: log.level: 'loud' is not debug, info, warn or error"},
        {"log: {format: xml}\n", "berth.yaml:1:15: log.format: 'xml' is not text or json"},
        {"storage: {driver: s4}\n", "berth.yaml:1:19: storage.driver: 's4' is not fs or memory"},
        {"listen:\n", "berth.yaml:1:8: listen: no address to listen on"},
        {"listen: []\n", "berth.yaml:1:9: listen: no address to listen on"},
        {"listen:\n  - {}\n", "berth.yaml:2:5: listen[0]: has no address"},
        {"listen:\n  - key: k\n    certificate: c\n", "berth.yaml:2:5: listen[0]: has no address"},
        {"listen:\n  - ':1'\n  - host\n",
         "berth.yaml:3:5: listen[1]: 'host' is not an address to listen on (try localhost:5000)"},
        {"listen:\n  - address: ':65536'\n",
         "berth.yaml:2:14: listen[0].address: ':65536' is not an address to listen on (try localhost:5000)"},
        {"listen:\n  - address: ':1'\n    tls_minimum: 1.1\n    certificate: c\n    key: k\n",
         "berth.yaml:3:18: listen[0].tls_minimum: '1.1' is not 1.2 or 1.3"},
        {"listen:\n  - ':1'\n  - {address: ':1', certificate: c}\n",
         "berth.yaml:3:5: listen[1]: a certificate without its key"},
        {"listen: [{address: ':1', key: k}]\n", "berth.yaml:1:10: listen[0]: a key without its certificate"},
        {"listen: [{address: ':1', client_ca: k}]\n",
         "berth.yaml:1:10: listen[0]: TLS settings without a certificate"},
        {"registry: {warnings: [{tag: a}]}\n", "berth.yaml:1:23: registry.warnings[0]: has no text"},
        /* lines are the file's, whatever stands before */
        {"http: ~\r\nlisten: [':1', \":2\"] # \xe2\x82\xac\xf0\x9f\x9a\xa2\r\ndata:\r\nlog:\r\n  level: "
         "x\r\n",
         "berth.yaml:5:10: log.level: 'x' is not debug, info, warn or error"},
        {"\xef\xbb\xbflog: {level: x}\n",
         "berth.yaml:1:14: log.level: 'x' is not debug, info, warn or error"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CONFIG c = NULL;
        int r = load(rows[i].yaml, &c);
        CHECK_ROW(i, r == (rows[i].message ? BERTH_E_INVALID : BERTH_OK));
        CHECK_ROW(i, (c == NULL) == (r < 0));
        CHECK_STR_ROW(i, str_from(test_err.message), str_from(rows[i].message ? rows[i].message : ""));
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

static void test_daemon_config__bounds_what_comes_from_outside_the_file(void **state)
{
    (void)state;
    CONFIG c = NULL;
    CLEANUP(freep) char *text = crowd("data=", "x", CONFIG_TEXT_MAX, "");
    CHECK_OK(LOAD_FLAGS("", &c, text));
    config_free(steal(&c));
    CLEANUP(freep) char *longer = crowd("data=", "x", CONFIG_TEXT_MAX + 1, "");
    CHECK_CODE(LOAD_FLAGS("", &c, longer), BERTH_E_INVALID);
    assert_string_equal(test_err.message, "--data: longer than 8192 bytes");

    CLEANUP(freep) char *most = crowd(":1", ",:1", CONFIG_ENTRIES_MAX - 1, "");
    setenv("BERTH_LISTEN", most, 1);
    CHECK_OK(load("", &c));
    assert_int_equal(c->listen_count, CONFIG_ENTRIES_MAX);
    config_free(steal(&c));
    CLEANUP(freep) char *more = crowd(":1", ",:1", CONFIG_ENTRIES_MAX, "");
    setenv("BERTH_LISTEN", more, 1);
    CHECK_CODE(load("", &c), BERTH_E_INVALID);
    assert_string_equal(test_err.message, "BERTH_LISTEN: more than 1024 entries");
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

static void test_daemon_config__prints_what_it_reads_back_to_the_same(void **state)
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
    berth_buf_done(&small);
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

static void test_daemon_config__knows_what_a_reload_may_change(void **state)
{
    (void)state;
    static const char *const reload[] = {"log.level", "registry.read_only", "registry.warnings",
                                         "gc.interval"};
    static const char *const restart[] = {"listen",
                                          "data",
                                          "storage.driver",
                                          "http.loops",
                                          "http.workers",
                                          "http.prefix",
                                          "http.max_header_size",
                                          "metrics.enabled",
                                          "tls.key",
                                          "no.such",
                                          "gc.grace",
                                          "http.headers"};
    for (size_t i = 0; i < COUNT(reload); i++)
        CHECK_ROW(i, config_key_reloads(str_from(reload[i])));
    for (size_t i = 0; i < COUNT(restart); i++)
        CHECK_ROW(i, !config_key_reloads(str_from(restart[i])));
}

static void test_daemon_config__knows_each_flag_by_one_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < config_settings_count; i++) {
        const struct config_setting *s = &config_settings[i];
        CLEANUP(berth_buf_done) berth_buf flag = BERTH_BUF_INIT(KIB), key = BERTH_BUF_INIT(KIB);
        bool is_bool = !(s->type == CONFIG_BOOL);
        config_add_flag(s, &flag);
        CHECK_ROW(i, config_flag_key(berth_buf_str(&flag), &key, &is_bool) == !s->file_only);
        if (s->file_only)
            continue;
        CHECK_STR_ROW(i, berth_buf_str(&key), str_from(s->key));
        CHECK_ROW(i, is_bool == (s->type == CONFIG_BOOL));
    }
    CLEANUP(berth_buf_done) berth_buf key = BERTH_BUF_INIT(KIB);
    bool is_bool;
    CHECK(config_flag_key(STR("--http-prefix=/x"), &key, &is_bool) && !is_bool);
    CHECK_STR(berth_buf_str(&key), STR("http.prefix"));
    static const char *const unknown[] = {"--no-such", "http-prefix",  "--http.prefix", "--",
                                          "",          "--http-prefi", "--http_prefix"};
    for (size_t i = 0; i < COUNT(unknown); i++)
        CHECK_ROW(i, !config_flag_key(str_from(unknown[i]), &key, &is_bool));
}

static void test_daemon_config__parses_durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t ms;
    } good[] = {
        {"0", 0},
        {"0s", 0},
        {"1", 1000},
        {"600", 600000},
        {"250ms", 250},
        {"10m", 600000},
        {"1h30m", 5400000},
        {"1d", 86400000},
        {"1d2h3m4s5ms", 93784005},
        {"90m", 5400000},
        {"1m500ms", 60500},
        {"007s", 7000},
        {"18446744073709551615ms", UINT64_MAX},
        {"18446744073709551", 18446744073709551000u},
    };
    static const char *const bad[] = {"",
                                      "m",
                                      "-1",
                                      "1.5h",
                                      "10 m",
                                      " 10m",
                                      "10m ",
                                      "1m1h",
                                      "1m1m",
                                      "1s1",
                                      "10M",
                                      "1min",
                                      "1w",
                                      "ms",
                                      "1ms1s",
                                      "+1",
                                      "1h m",
                                      "0x1s",
                                      "10m\n",
                                      "1e3",
                                      "18446744073709551616ms",
                                      "18446744073709552",
                                      "99999999999999999999d",
                                      "1dms"};
    for (size_t i = 0; i < COUNT(good); i++) {
        uint64_t ms = 99;
        CHECK_ROW(i, config_parse_duration(str_from(good[i].text), &ms));
        CHECK_ROW(i, ms == good[i].ms);
        CLEANUP(berth_buf_done) berth_buf b = BERTH_BUF_INIT(KIB);
        config_add_duration(ms, &b);
        CHECK_ROW(i, config_parse_duration(berth_buf_str(&b), &ms) && ms == good[i].ms);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        uint64_t ms = 99;
        CHECK_ROW(i, !config_parse_duration(str_from(bad[i]), &ms) && ms == 99);
    }
}

static void test_daemon_config__parses_sizes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {
        {"0", 0},
        {"512", 512},
        {"512b", 512},
        {"16k", 16384},
        {"16K", 16384},
        {"16KB", 16384},
        {"16kib", 16384},
        {"4MiB", 4194304},
        {"4 MiB", 4194304},
        {"1g", 1073741824},
        {"2T", 2199023255552},
        {"1025", 1025},
        {"18446744073709551615", UINT64_MAX},
        {"16777215TiB", 18446742974197923840u},
    };
    static const char *const bad[] = {"",
                                      "k",
                                      "-1",
                                      "1.5M",
                                      "1x",
                                      "1kk",
                                      "1ki",
                                      "1bb",
                                      "1bib",
                                      "+1",
                                      " 1k",
                                      "1k 1",
                                      "18446744073709551616",
                                      "16777216TiB",
                                      "0x10",
                                      "1mib\n",
                                      "1m i b"};
    for (size_t i = 0; i < COUNT(good); i++) {
        uint64_t n = 99;
        CHECK_ROW(i, config_parse_size(str_from(good[i].text), &n));
        CHECK_ROW(i, n == good[i].bytes);
        CLEANUP(berth_buf_done) berth_buf b = BERTH_BUF_INIT(KIB);
        config_add_size(n, &b);
        CHECK_ROW(i, config_parse_size(berth_buf_str(&b), &n) && n == good[i].bytes);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        uint64_t n = 99;
        CHECK_ROW(i, !config_parse_size(str_from(bad[i]), &n) && n == 99);
    }
}

static void test_daemon_config__knows_the_form_of_each_text(void **state)
{
    (void)state;
    static const struct {
        const struct config_form *form;
        const char *text;
        bool fits;
    } rows[] = {
        {&config_form_address, "localhost:5000", true},
        {&config_form_address, ":0", true},
        {&config_form_address, "127.0.0.1:65535", true},
        {&config_form_address, "[::1]:80", true},
        {&config_form_address, "unix:/run/x", true},
        {&config_form_address, "fd:3", true},
        {&config_form_address, "localhost", false},
        {&config_form_address, "::1:80", false},
        {&config_form_address, "[::1]", false},
        {&config_form_address, "[x]:80", false},
        {&config_form_address, "[]:80", false},
        {&config_form_address, "a:65536", false},
        {&config_form_address, "a:-1", false},
        {&config_form_address, "a b:1", false},
        {&config_form_address, "unix:", false},
        {&config_form_address, "fd:x", false},
        {&config_form_address, "http://a:1", false},
        {&config_form_address, "", false},
        {&config_form_address, "a:", false},
        {&config_form_header, "X-A: b", true},
        {&config_form_header, "X-A:b", true},
        {&config_form_header, "X-A:", false},
        {&config_form_header, "X A: b", false},
        {&config_form_header, ": b", false},
        {&config_form_header, "X-A", false},
        {&config_form_header, "content-LENGTH: 0", false},
        {&config_form_header, "Transfer-Encoding: chunked", false},
        {&config_form_header, "X\xc3\xa9: b", false},
        {&config_form_prefix, "/a", true},
        {&config_form_prefix, "/a/b-c_d.e~1", true},
        {&config_form_prefix, "/", false},
        {&config_form_prefix, "a", false},
        {&config_form_prefix, "/a/", false},
        {&config_form_prefix, "//a", false},
        {&config_form_prefix, "/a/../b", false},
        {&config_form_prefix, "/./a", false},
        {&config_form_prefix, "/a?b", false},
        {&config_form_prefix, "/a%2fb", false},
        {&config_form_prefix, "/a b", false},
        {&config_form_prefix, "", false},
        {&config_form_proxy, "10.0.0.1", true},
        {&config_form_proxy, "10.0.0.0/8", true},
        {&config_form_proxy, "::1", true},
        {&config_form_proxy, "fd00::/128", true},
        {&config_form_proxy, "0.0.0.0/0", true},
        {&config_form_proxy, "10.0.0.0/33", false},
        {&config_form_proxy, "fd00::/129", false},
        {&config_form_proxy, "10.0.0", false},
        {&config_form_proxy, "localhost", false},
        {&config_form_proxy, "10.0.0.0/", false},
        {&config_form_proxy, "/8", false},
        {&config_form_proxy, "10.0.0.1/8/8", false},
        {&config_form_media_type, "application/octet-stream", true},
        {&config_form_media_type, "application", false},
        {&config_form_media_type, "a/b/c", false},
        {&config_form_media_type, "a/b; c=d", false},
        {&config_form_platform, "linux/amd64", true},
        {&config_form_platform, "linux/arm/v7", true},
        {&config_form_platform, "linux", false},
        {&config_form_platform, "a/b/c/d", false},
        {&config_form_platform, "a//b", false},
        {&config_form_window, "22:00-06:00", true},
        {&config_form_window, "00:00-23:59", true},
        {&config_form_window, "1:00-2:00", false},
        {&config_form_window, "10:60-11:00", false},
        {&config_form_window, "01:00-01:00", false},
        {&config_form_window, "01:00", false},
        {&config_form_window, "01:00-", false},
        {&config_form_url, "https://example.com/x", true},
        {&config_form_url, "http://", true},
        {&config_form_url, "ftp://x", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        CHECK_ROW(i, rows[i].form->fits(str_from(rows[i].text)) == rows[i].fits);
}

static void test_daemon_config__tells_clean_text_from_other_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool clean;
    } rows[] = {
        {"", true},
        {"a b", true},
        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x9a\xa2", true},
        {"\xef\xbf\xbd", true},
        {"a\nb", false},
        {"\t", false},
        {"\x7f", false},
        {"\xc2\x9b", false},
        {"\xff", false},
        {"\xc3", false},
        {"\xc0\xaf", false},
        {"\xe0\x80\xaf", false},
        {"\xed\xa0\x80", false},
        {"\xf4\x90\x80\x80", false},
        {"\xef\xbf\xbe", false},
        {"\xef\xbf\xbf", false},
        {"\xe2\x82", false},
        {"\xe2\x82x", false},
        {"\xe2\x82x", false},
        {"\x80", false},
        {"\xf8\x88\x80\x80\x80", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        CHECK_ROW(i, config_text_clean(str_from(rows[i].text)) == rows[i].clean);
    /* Cut wherever it falls, and never within a character. */
    char shown[CONFIG_SHOWN], text[200];
    for (size_t lead = 0; lead < 4; lead++) {
        memset(text, 'a', lead);
        for (size_t i = lead; i + 3 <= sizeof(text); i += 3)
            memcpy(text + i, "\xe2\x82\xac", 3);
        config_show((berth_str){text, lead + 150}, shown);
        CHECK_ROW(lead, config_text_clean(str_from(shown)));
        CHECK_ROW(lead, str_ends(str_from(shown), STR("\xe2\x82\xac...")));
    }
}

static void test_daemon_config__refuses_hostile_files_quickly(void **state)
{
    (void)state;
    static const struct {
        const char *head, *piece;
        size_t times;
        const char *tail, *message;
    } rows[] = {
        {"a: ", "[", MIB - 3, "", "berth.yaml:1:9: nested deeper than any setting"},
        {"a: ", "{a: ", 200000, "", "berth.yaml:1:24: nested deeper than any setting"},
        {"a:\n", "- ", 500000, "", "berth.yaml:2:11: nested deeper than any setting"},
        {"", "? ", 500000, "", "berth.yaml:1:3: a key must be a word, not a list or a mapping"},
        {"http:\n  headers: [", "a,", 500000, "]\n", "berth.yaml:2:20009: more than 10000 values"},
        {"http:\n  headers: [", "'A: b',", 1025, "]\n",
         "berth.yaml:2:7174: http.headers[1023]: more than 1024 entries"},
        {"listen:\n", "- ':1'\n", 1025, "", NULL},
        {"data: ", "x", 8193, "\n", "berth.yaml:1:7: data: longer than 8192 bytes"},
        {"data: ", "x", MIB - 7, "\n", "berth.yaml:1:7: data: longer than 8192 bytes"},
        {"http:\n  headers: ['A: ", "x", 9000, "']\n",
         "berth.yaml:2:13: http.headers[0]: longer than 8192 bytes"},
        {"", "k", 100000, ": x\n", NULL},
        {"a: &a [x]\nb: &b [", "*a,", 9, "]\n", "berth.yaml:2:8: aliases (*name) are not accepted"},
        {"<<: ", "*a", 1, "\n", "berth.yaml:1:5: aliases (*name) are not accepted"},
        {"\xff\xfe", "d", 8, "", "berth.yaml:1:1: invalid leading UTF-8 octet"},
        {"", "\x7f", MIB, "", NULL},
        {"", "'", MIB, "", NULL},
        {"", "#", MIB, "", ""},
        {"", "\n", MIB, "", ""},
        {"", "%TAG ! tag:example.com,2000:\n", 30000, "", NULL},
        {"", "!<", 300000, "", NULL},
        {"", "&", 300000, "", NULL},
        {"data: |\n", " x\n", 300000, "", "berth.yaml:1:7: data: longer than 8192 bytes"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CONFIG c = NULL;
        CLEANUP(freep) char *text = crowd(rows[i].head, rows[i].piece, rows[i].times, rows[i].tail);
        int r = load(text, &c);
        bool fine = rows[i].message && !*rows[i].message;
        CHECK_ROW(i, r == (fine ? BERTH_OK : BERTH_E_INVALID));
        if (rows[i].message)
            CHECK_STR_ROW(i, str_from(test_err.message), str_from(rows[i].message));
    }
    /* 129 different keys */
    CLEANUP(berth_buf_done) berth_buf keys = BERTH_BUF_INIT(MIB);
    for (unsigned i = 0; i < 129; i++)
        berth_buf_addf(&keys, "k%u: 1\n", i);
    CONFIG c = NULL;
    CHECK_CODE(load(berth_buf_cstr(&keys), &c), BERTH_E_INVALID);
    assert_string_equal(test_err.message, "berth.yaml:129:1: more than 128 keys in one mapping");
}

static void test_daemon_config__bounds_the_warnings_together(void **state)
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

static void test_daemon_config__documents_every_setting(void **state)
{
    (void)state;
    CLEANUP(berth_buf_done)
    berth_buf markdown = BERTH_BUF_INIT(MIB), schema = BERTH_BUF_INIT(MIB), help = BERTH_BUF_INIT(MIB),
              file = BERTH_BUF_INIT(MIB);
    config_document_markdown(&markdown);
    config_document_schema(&schema);
    config_document_flags(&help);
    json_error_t why;
    json_t *json = json_loads(berth_buf_cstr(&schema), JSON_REJECT_DUPLICATES, &why);
    if (!json)
        fail_msg("%d: %s", why.line, why.text);
    for (size_t i = 0; i < config_settings_count; i++) {
        const struct config_setting *s = &config_settings[i];
        char row[128], section[64];
        snprintf(row, sizeof(row), "\n| `%s` | ", s->key);
        CHECK_ROW(i, strstr(berth_buf_cstr(&markdown), row));
        snprintf(section, sizeof(section), STR_FMT, STR_ARG(config_section(s)));
        const json_t *at = json_object_get(json, "properties");
        if (*section)
            at = json_object_get(json_object_get(at, section), "properties");
        CHECK_ROW(i, json_is_string(json_object_get(json_object_get(at, config_name(s).p), "description")) ==
                         config_in_file(s));
        CLEANUP(berth_buf_done) berth_buf flag = BERTH_BUF_INIT(KIB);
        config_add_flag(s, &flag);
        berth_buf_putc(&flag, s->type == CONFIG_BOOL ? '=' : ' ');
        CHECK_ROW(i, !strstr(berth_buf_cstr(&help), berth_buf_cstr(&flag)) == s->file_only);
    }
    json_decref(json);
    CHECK_OK(io_read_file(SOURCE_ROOT "/docs/configuration.md", &file, &test_err));
    CHECK(strcmp(berth_buf_cstr(&file), berth_buf_cstr(&markdown)) == 0);
}

static void test_daemon_config__reads_the_examples_it_gives(void **state)
{
    (void)state;
    CLEANUP(berth_buf_done) berth_buf markdown = BERTH_BUF_INIT(MIB);
    config_document_markdown(&markdown);
    char *from = strstr(berth_buf_cstr(&markdown), "```yaml\n");
    assert_non_null(from);
    from += strlen("```yaml\n");
    char *to = strstr(from, "```");
    assert_non_null(to);
    *to = '\0';
    CONFIG c = NULL;
    CHECK_OK(load(from, &c));
    assert_int_equal(c->listen_count, 2);
    config_free(steal(&c));
    CHECK_OK(config_load(SOURCE_ROOT "/packaging/berth.yaml", NULL, 0, &c, &test_err));
    assert_string_equal(c->data, "/var/lib/berth");
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, clean_environment, clean_environment)
RUN_TESTS(CASE(test_daemon_config__serves_localhost_when_nothing_is_configured),
          CASE(test_daemon_config__reads_every_kind_of_value_from_a_file),
          CASE(test_daemon_config__keeps_defaults_for_what_is_left_empty),
          CASE(test_daemon_config__gives_each_setting_the_same_value_from_each_source),
          CASE(test_daemon_config__lets_flags_win_over_environment_over_file_over_defaults),
          CASE(test_daemon_config__gives_the_tls_flags_to_listeners_that_are_not_the_files),
          CASE(test_daemon_config__says_file_line_and_reason),
          CASE(test_daemon_config__names_the_variable_or_flag_that_is_wrong),
          CASE(test_daemon_config__bounds_what_comes_from_outside_the_file),
          CASE(test_daemon_config__reads_files_and_tells_why_it_cannot),
          CASE(test_daemon_config__prints_what_it_reads_back_to_the_same),
          CASE(test_daemon_config__lists_the_keys_that_differ),
          CASE(test_daemon_config__knows_what_a_reload_may_change),
          CASE(test_daemon_config__knows_each_flag_by_one_name), CASE(test_daemon_config__parses_durations),
          CASE(test_daemon_config__parses_sizes), CASE(test_daemon_config__knows_the_form_of_each_text),
          CASE(test_daemon_config__tells_clean_text_from_other_bytes),
          CASE(test_daemon_config__refuses_hostile_files_quickly),
          CASE(test_daemon_config__bounds_the_warnings_together),
          CASE(test_daemon_config__gives_up_cleanly_when_any_allocation_fails),
          CASE(test_daemon_config__documents_every_setting),
          CASE(test_daemon_config__reads_the_examples_it_gives))
