/* tests/unit/daemon/wiring.c - from the configuration to what the rooms take, and the data folder: made,
 * owned, recognised. */
#include "fixture.h"

#include "daemon/wiring.h"
#include "util/log.h"

static void test_daemon_wiring__hands_each_setting_to_its_room(void **state)
{
    (void)state;
    CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
    CONFIG c =
        config_of("http: {prefix: /oci, relative_urls: true, loops: 3, workers: 5, max_header_size: 16KiB,"
                  " max_uri_size: 9KiB, max_connections: 77, max_connections_per_address: 6,"
                  " upload_buffers: 64MiB, header_timeout: 1s, body_timeout: 2s, idle_timeout: 3s,"
                  " drain_timeout: 4s, stop_timeout: 5s, trusted_proxies: [10.0.0.0/8],"
                  " headers: ['X-A: b']}\n"
                  "registry: {auto_create: false, deletes: false, read_only: true, schema1: true,"
                  " mount_anywhere: false, max_manifest_size: 5MiB, session_timeout: 7m,"
                  " blob_content_types: [a/b], sparse: platforms, sparse_platforms: [linux/amd64],"
                  " default_platform: linux/arm64, foreign_urls_allow: ['https://a/'],"
                  " foreign_urls_deny: ['https://b/', 'https://c/'], page_size: 9,"
                  " warnings: [{repository: r, tag: t, text: gone}]}\n"
                  "storage: {inline_size: 3KiB, reserve: 8MiB}\n"
                  "log: {access: false}\nmetrics: {enabled: false, per_repository: true}\n");
    struct repo_policy rules;
    CHECK_OK(wiring_repo_policy(c, &rules, &test_err));
    CHECK(!rules.auto_create && !rules.deletes && rules.read_only && rules.schema1 && !rules.mount_anywhere);
    CHECK(rules.sparse == REPO_SPARSE_PLATFORMS && rules.n_platforms == 1);
    assert_string_equal(rules.platforms[0], "linux/amd64");
    CHECK(rules.n_urls_allow == 1 && rules.n_urls_deny == 2);
    assert_string_equal(rules.urls_allow[0], "https://a/");
    assert_string_equal(rules.urls_deny[1], "https://c/");
    CHECK(rules.inline_size == 3 * KIB && rules.reserve == 8 * MIB && rules.session_ms == 7 * 60 * 1000);

    struct registry_policy api;
    CHECK_OK(wiring_registry_policy(c, &a, &api, &test_err));
    CHECK(api.relative_urls && !api.access_log && !api.metrics && api.per_repository);
    CHECK(api.max_manifest_size == 5 * MIB && api.page_size == 9);
    assert_string_equal(api.default_platform, "linux/arm64");
    CHECK(api.n_blob_content_types == 1 && api.n_warnings == 1);
    assert_string_equal(api.blob_content_types[0], "a/b");
    assert_string_equal(api.warnings[0].repository, "r");
    assert_string_equal(api.warnings[0].tag, "t");
    assert_string_equal(api.warnings[0].text, "gone");

    struct http_options http;
    CHECK_OK(wiring_http_options(c, &http));
    CHECK(http.loops == 3 && http.workers == 5);
    CHECK(http.limits.header_bytes == 16 * KIB && http.limits.uri_bytes == 9 * KIB);
    CHECK(http.limits.connections == 77 && http.limits.connections_per_peer == 6);
    CHECK(http.limits.buffers_total == 64 * MIB);
    CHECK(http.timeouts.header == 1000 && http.timeouts.body == 2000 && http.timeouts.idle == 3000);
    CHECK(http.timeouts.drain == 4000 && http.timeouts.stop == 5000);
    CHECK(http.n_trusted_proxies == 1 && http.n_headers == 1);
    assert_string_equal(http.prefix, "/oci");
    assert_string_equal(http.trusted_proxies[0], "10.0.0.0/8");
    assert_string_equal(http.headers[0], "X-A: b");
    assert_string_equal(http.server_name, "berth");
}

static void test_daemon_wiring__knows_the_three_ways_to_be_sparse(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum repo_sparse sparse;
    } rows[] = {{"none", REPO_SPARSE_NONE}, {"platforms", REPO_SPARSE_PLATFORMS}, {"all", REPO_SPARSE_ALL}};
    CONFIG c = config_of("");
    char *was = c->registry.sparse;
    struct repo_policy rules;
    for (size_t i = 0; i < COUNT(rows); i++) {
        c->registry.sparse = (char *)(uintptr_t)rows[i].text;
        CHECK_OK(wiring_repo_policy(c, &rules, &test_err));
        CHECK_ROW(i, rules.sparse == rows[i].sparse);
    }
    char other[] = "some";
    c->registry.sparse = other;
    CHECK_CODE(wiring_repo_policy(c, &rules, &test_err), BERTH_E_INVALID);
    c->registry.sparse = was;
}

static void test_daemon_wiring__one_process_owns_a_folder(void **state)
{
    (void)state;
    CONFIG c = config_of("");
    struct instance one, two = {.data_fd = 12345};
    CHECK_OK(instance_open(c, false, &one, &test_err));
    CHECK_CODE(instance_open(c, false, &two, &test_err), BERTH_E_BUSY);
    assert_int_equal(two.data_fd, 12345); /* untouched */
    CHECK(strstr(test_err.message, folder) != NULL);
    instance_close(&one);
    CHECK_OK(instance_open(c, false, &two, &test_err));
    instance_close(&two);
    instance_close(&two); /* closed already */
    CHECK(is_there("berth.db") && is_there("objects") && is_there("format"));
    struct stat st;
    CHECK(stat(path_of("berth.db"), &st) == 0 && (st.st_mode & 077) == 0);
}

static void test_daemon_wiring__makes_a_folder_only_when_asked(void **state)
{
    (void)state;
    CONFIG c = config_of("");
    mem_free(c->data);
    c->data = str_dup(str_from(path_of("a/b")));
    struct instance in;
    CHECK_CODE(instance_open(c, false, &in, &test_err), BERTH_E_NOT_FOUND);
    CHECK(!is_there("a"));
    CHECK_OK(instance_open(c, true, &in, &test_err));
    instance_close(&in);
    CHECK(is_there("a/b/berth.db"));
}

static void test_daemon_wiring__recognises_the_folder_by_its_format(void **state)
{
    (void)state;
    static const struct {
        const char *format; /* NULL: none */
        int rc;
    } rows[] = {
        {NULL, BERTH_OK},
        {"berth 1\n", BERTH_OK},
        {"", BERTH_OK}, /* a crash between its creation and its content */
        {"berth 2\n", BERTH_E_UNSUPPORTED},
        {"photos", BERTH_E_CORRUPT},
        {"berth x\n", BERTH_E_CORRUPT},
    };
    CONFIG c = config_of("");
    for (size_t i = 0; i < COUNT(rows); i++) {
        unlink(path_of("format"));
        if (rows[i].format)
            write_file("format", rows[i].format);
        struct instance in;
        CHECK_ROW(i, instance_open(c, false, &in, &test_err) == rows[i].rc);
        if (rows[i].rc == BERTH_OK)
            instance_close(&in);
        CLEANUP(berth_buf_done) berth_buf have = BERTH_BUF_INIT(KIB);
        CHECK_OK(io_read_file(path_of("format"), &have, &test_err));
        CHECK_STR_ROW(i, berth_buf_str(&have),
                      str_from(rows[i].rc == BERTH_OK ? "berth 1\n" : rows[i].format));
    }
}

static void test_daemon_wiring__keeps_nothing_in_memory_mode(void **state)
{
    (void)state;
    CONFIG c = config_of("storage: {driver: memory}\n");
    struct instance one, two;
    CHECK_OK(instance_open(c, true, &one, &test_err));
    CHECK_OK(instance_open(c, true, &two, &test_err)); /* no folder, no owner */
    assert_string_equal(one.store->ops->name, "memory");
    instance_close(&one);
    instance_close(&two);
    CHECK(rmdir(folder) == 0 && mkdir(folder, 0700) == 0); /* still empty */
}

static void test_daemon_wiring__sets_level_and_form_of_the_log(void **state)
{
    (void)state;
    CONFIG c = config_of("log: {level: warn}\n");
    wiring_log(c);
    CHECK(log_enabled(LOG_WARN) && !log_enabled(LOG_INFO));
    CONFIG d = config_of("");
    wiring_log(d);
    CHECK(log_enabled(LOG_INFO) && !log_enabled(LOG_DEBUG));
}

RUN_TESTS(FOLDER_TEST(test_daemon_wiring__hands_each_setting_to_its_room),
          FOLDER_TEST(test_daemon_wiring__knows_the_three_ways_to_be_sparse),
          FOLDER_TEST(test_daemon_wiring__one_process_owns_a_folder),
          FOLDER_TEST(test_daemon_wiring__makes_a_folder_only_when_asked),
          FOLDER_TEST(test_daemon_wiring__recognises_the_folder_by_its_format),
          FOLDER_TEST(test_daemon_wiring__keeps_nothing_in_memory_mode),
          FOLDER_TEST(test_daemon_wiring__sets_level_and_form_of_the_log))
