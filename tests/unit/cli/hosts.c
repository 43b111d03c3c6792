/* tests/unit/cli/hosts.c */
#include "fixture.h"

#include "cli/remote.h"

#define FILE_TEXT                                                                                            \
    "default: {timeout: 60, user-agent: all, ca-file: all.pem, client-cert: all.crt, client-key: all.key}\n" \
    "a.example: {timeout: 5, plain-http: true}\n"                                                            \
    "b.example: {client-cert: /b.crt, timeout: 6}\n"                                                         \
    "c.example: {plain-http: false, ipv4: true}\n"                                                           \
    "docker.io: {timeout: 7}\n"

/* What is chosen as "name=value ", in the order of the entries. */
static void choose(const struct hosts *h, const char *host, const struct cli_given *given, size_t n,
                   berth_buf *out)
{
    CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
    const struct host_choice *chosen = NULL;
    size_t n_chosen = 0;
    CHECK_OK(hosts_choose(h, host, given, n, &arena, &chosen, &n_chosen, &test_err));
    for (size_t i = 0; i < n_chosen; i++)
        berth_buf_addf(out, "%s=%s ", chosen[i].setting->option->name, chosen[i].setting->values[0]);
}

/* C178 */
static void test_cli_hosts__who_is_nearer_comes_first(void **state)
{
    (void)state;
    static const struct {
        const char *host, *given, *text, *want;
    } rows[] = {
        {"other.example", NULL, NULL,
         "timeout=60 user-agent=all ca-file=/d/all.pem client-cert=/d/all.crt client-key=/d/all.key "},
        {"a.example", NULL, NULL, "timeout=5 plain-http=true user-agent=all client-key=/d/all.key "},
        {"http://A.example/", NULL, NULL, "timeout=5 plain-http=true user-agent=all client-key=/d/all.key "},
        {"a.example:80", "timeout", "1",
         "user-agent=all ca-file=/d/all.pem client-cert=/d/all.crt client-key=/d/all.key "},
        {"a.example", "ca-file", "x",
         "timeout=5 user-agent=all client-cert=/d/all.crt client-key=/d/all.key "},
        {"a.example", "timeout", "1", "plain-http=true user-agent=all client-key=/d/all.key "},
        {"b.example", NULL, NULL, "client-cert=/b.crt timeout=6 user-agent=all ca-file=/d/all.pem "},
        {"b.example", "plain-http", "true", "timeout=6 user-agent=all client-key=/d/all.key "},
        {"c.example", "ipv6", "true",
         "plain-http=false timeout=60 user-agent=all ca-file=/d/all.pem client-cert=/d/all.crt "
         "client-key=/d/all.key "},
        {"c.example", "ipv4", "true",
         "plain-http=false timeout=60 user-agent=all ca-file=/d/all.pem client-cert=/d/all.crt "
         "client-key=/d/all.key "},
        {"registry-1.docker.io", "client-cert", "x", "timeout=7 user-agent=all ca-file=/d/all.pem "},
    };
    CLEANUP(hosts_done) struct hosts h = {.path = "/d/hosts.yaml"};
    CHECK_OK(hosts_parse(STR(FILE_TEXT), "f", &h, &test_err));
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(berth_buf_done) berth_buf got = BERTH_BUF_INIT(4 * KIB);
        const struct cli_given given = {.option = hosts_option(str_from(rows[i].given)),
                                        .text = rows[i].text};
        choose(&h, rows[i].host, &given, rows[i].given != NULL, &got);
        CHECK_STR_ROW(i, berth_buf_str(&got), str_from(rows[i].want));
    }
}

static void test_cli_hosts__variables_stand_between(void **state)
{
    (void)state;
    struct environment e = {.ca_file = "/env.pem", .transport = BERTH_TRANSPORT_HTTPS};
    struct cli_given given[HOSTS_VARIABLES];
    CLEANUP(hosts_done) struct hosts h = {.path = "/d/hosts.yaml"};
    CHECK_OK(hosts_parse(STR(FILE_TEXT), "f", &h, &test_err));
    unsetenv("REGISTRY_AUTH_FILE");
    size_t n = hosts_environment(&e, given);
    CLEANUP(berth_buf_done) berth_buf got = BERTH_BUF_INIT(4 * KIB);
    choose(&h, "a.example", given, n, &got);
    CHECK_STR(berth_buf_str(&got),
              STR("timeout=5 user-agent=all client-cert=/d/all.crt client-key=/d/all.key "));
    e = (struct environment){.ca_file = "/env.pem"}; /* certificates for any host are no word on HTTP */
    n = hosts_environment(&e, given);
    berth_buf_reset(&got);
    choose(&h, "a.example", given, n, &got);
    CHECK_STR(berth_buf_str(&got), STR("timeout=5 plain-http=true user-agent=all client-key=/d/all.key "));
    e = (struct environment){.credentials = "/c.json", .chunk_size = 1024, .chunk_size_text = "1k"};
    CHECK(hosts_environment(&e, given) == 2);
}

static void test_cli_hosts__become_options(void **state)
{
    (void)state;
    struct remote r = {.timeout = 30};
    const struct environment e = {0};
    CLEANUP(hosts_done) struct hosts h = {.path = "/d/hosts.yaml"};
    CHECK_OK(
        hosts_parse(STR("a.example: {header: ['A: b', 'C: d'], timeout: 5, helpers: off, chunk-size: 1k,\n"
                        "            requests-at-once: 2}\n"
                        "default: {insecure: true, ca-file: x}\n"),
                    "f", &h, &test_err));
    CHECK_OK(hosts_apply(&h, "a.example", &e, &r.base, &test_err));
    CHECK(r.timeout == 5 && r.insecure && r.connect.helpers == BERTH_HELPERS_OFF && r.chunk_size == 1024);
    CHECK(r.connect.headers.n == 2 && r.connect.at_once == 2);
    CHECK_STR(str_from(r.connect.headers.p[1]), STR("C: d"));
    CHECK_STR(str_from(r.ca_file), STR("/d/x"));
    CHECK(r.base.n_given == 5); /* its own entry speaks for this host, the other for all */
    cli_base_done(&r.base);
}

static void test_cli_hosts__entries_are_changed(void **state)
{
    (void)state;
    CLEANUP(hosts_done) struct hosts h = {0};
    CLEANUP(berth_buf_done) berth_buf got = BERTH_BUF_INIT(4 * KIB);
    CHECK_OK(hosts_parse(STR(FILE_TEXT), "f", &h, &test_err));
    struct hosts_entry *b = hosts_find(&h, "b.example");
    const char *value = "9";
    const struct host_setting timeout = {.option = hosts_option(STR("timeout")), .values = &value, .n = 1};
    CHECK_OK(hosts_set(&h, b, &timeout, &test_err));
    CHECK(b->n == 2 && hosts_unset(b, hosts_option(STR("client-cert"))) && b->n == 1);
    CHECK(!hosts_unset(b, hosts_option(STR("client-cert"))));
    CHECK_STR(str_from(b->settings[0].values[0]), STR("9"));
    CHECK(hosts_remove(&h, "a.example") && !hosts_find(&h, "a.example") && !hosts_remove(&h, "a.example"));
    CHECK(hosts_remove(&h, HOSTS_DEFAULT) && hosts_remove(&h, "index.docker.io"));
    hosts_print(&h, &got);
    CHECK(strstr(berth_buf_cstr(&got),
                 "\nb.example:\n  timeout: 9\nc.example:\n  plain-http: false\n  ipv4: true\n"));
}

/* Whatever is kept is meant for every command: not who we are, nor what one command needs. */
static void test_cli_hosts__leaves_out_what_is_for_one_command(void **state)
{
    (void)state;
    static const char *const out[] = {"username", "password-stdin", "debug", "scope",
                                      "output",   "format",         "help",  "quiet"};
    for (size_t i = 0; i < COUNT(out); i++)
        CHECK_ROW(i, !hosts_option(str_from(out[i])));
    CHECK(hosts_option(STR("proxy")) && hosts_option(STR("chunk-size")) && hosts_option(STR("plain-http")));
}

RUN_TESTS(TEST(test_cli_hosts__who_is_nearer_comes_first), TEST(test_cli_hosts__variables_stand_between),
          TEST(test_cli_hosts__become_options), TEST(test_cli_hosts__entries_are_changed),
          TEST(test_cli_hosts__leaves_out_what_is_for_one_command))
