/* tests/unit/daemon/config_scan.c - the first pass over the file: where a mistake stands, and what a hostile
 * file may cost. */
#include "config_fixture.h"

static void test_daemon_config_scan__says_file_line_and_reason(void **state)
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
        {"listen:\n  - address: ':1'\n    certificate: c\n    key: k\n    tls_ciphers: NO-SUCH\n",
         "berth.yaml:5:18: listen[0].tls_ciphers: 'NO-SUCH' is not a list with ciphers of TLS 1.2 that "
         "OpenSSL "
         "knows (try ECDHE+AESGCM:ECDHE+CHACHA20)"},
        {"listen: [{address: ':1', tls_ciphers: ECDHE}]\n",
         "berth.yaml:1:10: listen[0]: TLS settings without a certificate"},
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

static void test_daemon_config_scan__refuses_hostile_files_quickly(void **state)
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

RUN_TESTS(CASE(test_daemon_config_scan__says_file_line_and_reason),
          CASE(test_daemon_config_scan__refuses_hostile_files_quickly))
