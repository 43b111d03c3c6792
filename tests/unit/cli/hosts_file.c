/* tests/unit/cli/hosts_file.c */
#include "fixture.h"

#include "cli/hosts.h"

/* C178 */
static void test_cli_hosts_file__reads_what_it_prints(void **state)
{
    (void)state;
    static const char text[] = "# mine\n"
                               "default: {timeout: 60, insecure: false}\n"
                               "registry.example:5000:\n"
                               "  ca-file: '/etc/a b.pem'\n"
                               "  proxy: ''\n"
                               "  header:\n"
                               "    - \"X-Team: \\u00e9 #1\"\n"
                               "    - 'Y: z'\n"
                               "  resolve: registry.example:5000:192.0.2.1\n"
                               "'[::1]:5000':\n"
                               "empty.example: ~\n";
    CLEANUP(hosts_done) struct hosts h = {0}, again = {0};
    CLEANUP(berth_buf_done) berth_buf once = BERTH_BUF_INIT(64 * KIB), twice = BERTH_BUF_INIT(64 * KIB);
    CHECK_OK(hosts_parse(str_from(text), "f", &h, &test_err));
    CHECK(h.comments);
    const struct hosts_entry *host = hosts_find(&h, "registry.example:5000");
    CHECK(host && host->n == 4 && host->settings[0].line == 4 && host->settings[0].column == 3);
    CHECK_STR(str_from(host_find(host, hosts_option(STR("ca-file")))->values[0]), STR("/etc/a b.pem"));
    CHECK_STR(str_from(host_find(host, hosts_option(STR("proxy")))->values[0]), STR(""));
    const struct host_setting *headers = host_find(host, hosts_option(STR("header")));
    CHECK(headers->n == 2);
    CHECK_STR(str_from(headers->values[0]), STR("X-Team: \u00e9 #1"));
    CHECK(hosts_find(&h, "[::1]:5000") && hosts_find(&h, "empty.example"));
    CHECK(!hosts_find(&h, "registry.example"));
    hosts_print(&h, &once);
    CHECK_OK(hosts_parse(berth_buf_str(&once), "f", &again, &test_err));
    hosts_print(&again, &twice);
    CHECK_STR(berth_buf_str(&twice), berth_buf_str(&once));
}

static void test_cli_hosts_file__says_where_a_mistake_is(void **state)
{
    (void)state;
    static const struct {
        const char *text, *said;
    } rows[] = {
        {"a.example:\n  timeout: x\n", "f:2:12: timeout is a number, not 'x'"},
        {"a.example:\n  timeout: 86401\n", "f:2:12: timeout is at most 86400, not '86401'"},
        {"a.example:\n  insecure: yes\n", "f:2:13: insecure is true or false, not 'yes'"},
        {"a.example:\n  helpers: some\n", "f:2:12: helpers is fail, warn, static-first or off, not 'some'"},
        {"a.example:\n  chunk-size: 1x\n", "f:2:15: chunk-size is a size, such as 512k or 16MiB, not '1x'"},
        {"a.example:\n  ca_file: x\n", "f:2:3: 'ca_file' is no setting; did you mean ca-file?"},
        {"a.example:\n  password: x\n", "f:2:3: 'password' is no setting"},
        {"a.example:\n  username: x\n", "f:2:3: 'username' is no setting"},
        {"a.example:\n  ca-file:\n", "f:2:11: ca-file has no value"},
        {"a.example:\n  ca-file: [a]\n", "f:2:12: ca-file is a single value"},
        {"a.example:\n  header: []\n", "f:2:11: header has no value"},
        {"a.example:\n  header: [{a: b}]\n", "f:2:12: header is a list of single values"},
        {"a.example:\n  header: {a: b}\n", "f:2:11: header is a value, or a list of some"},
        {"a.example:\n  user-agent: \"a\\nb\"\n", "f:2:15: user-agent is a line of text"},
        {"a.example:\n  timeout: 1\n  timeout: 2\n", "f:3:3: timeout stands in line 2 already"},
        {"a.example:\n  plain-http: true\n  ca-file: x\n",
         "f:3:3: ca-file and plain-http exclude each other"},
        {"a.example:\n  ipv6: true\n  ipv4: true\n", "f:3:3: ipv4 and ipv6 exclude each other"},
        {"a.example: 5\n", "f:1:12: settings are wanted"},
        {"a.example: {}\na.EXAMPLE: {}\n", "f:2:1: a.EXAMPLE has an entry already"},
        {"docker.io: {}\nindex.docker.io: {}\n", "f:2:1: index.docker.io has an entry already"},
        {"a/b: {}\n", "f:1:1: a host is wanted"},
        {"https://a.example: {}\n", "f:1:1: a host is wanted"},
        {"[a]: {}\n", "f:1:1: a host is wanted"},
        {"? {a: b}\n: {}\n", "f:1:3: a host is wanted"},
        {"a: &x {}\nb: *x\n", "f:2:4: an alias may not stand here"},
        {"- a\n", "f:1:1: hosts are wanted"},
        {"a: {}\n---\nb: {}\n", "f:2:1: a second document"},
        {"a: {\n", "f:2:1: "},
        {"a: \xff\n", "f:1:1: "},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(hosts_done) struct hosts h = {0};
        CHECK_ROW(i, hosts_parse(str_from(rows[i].text), "f", &h, &test_err) == BERTH_E_INVALID);
        CHECK_ROW(i, strncmp(test_err.message, rows[i].said, strlen(rows[i].said)) == 0);
    }
}

static void test_cli_hosts_file__may_be_empty(void **state)
{
    (void)state;
    static const char *const rows[] = {"", "# nothing\n", "---\n", "~\n", "{}\n"};
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(hosts_done) struct hosts h = {0};
        CHECK_ROW(i, hosts_parse(str_from(rows[i]), "f", &h, &test_err) == BERTH_OK && !h.first);
    }
}

RUN_TESTS(TEST(test_cli_hosts_file__reads_what_it_prints), TEST(test_cli_hosts_file__says_where_a_mistake_is),
          TEST(test_cli_hosts_file__may_be_empty))
