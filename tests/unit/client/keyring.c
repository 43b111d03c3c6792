/* tests/unit/client/keyring.c */
#include "fixture.h"
#include "helper_fixture.h"

#include "client/helper.h"
#include "util/clock.h"

static char said[512];
static int n_done;

static void warn(void *arg, const char *s)
{
    (void)arg;
    snprintf(said, sizeof(said), "%s", s);
}

static void on_done(struct lookup *l)
{
    (void)l;
    n_done++;
}

/* A keyring with its transport, over the file config.json of the helpers' folder. */
struct ring {
    struct keyring k;
    char path[128];
};

static void ring_open(struct ring *r, berth_credentials_options *o, const char *config)
{
    berth_client_options opts = BERTH_CLIENT_OPTIONS_INIT;
    snprintf(r->path, sizeof(r->path), "%s/config.json", helper_folder);
    if (config)
        file_write("config.json", config, 0600);
    o->warn = warn;
    opts.credentials_file = r->path;
    opts.credentials = o;
    said[0] = '\0';
    n_done = 0;
    CHECK_OK(keyring_init(&r->k, &opts, &test_err));
    CHECK_OK(transport_new(&opts, "a.example", &r->k.transport, &test_err));
}

static void ring_close(struct ring *r)
{
    keyring_done(&r->k);
    transport_free(r->k.transport);
}

/* "user password|identity|bearer", or "!" and the code. */
static const char *look(struct ring *r, const char *host, const char *repository, enum auth_privilege needs)
{
    static char text[256];
    struct lookup l = {0};
    const auth_target t = {str_from(host), str_from(repository), needs};
    int before = n_done;
    if (!lookup_start(&l, &r->k, &t, on_done))
        while (n_done == before) {
            transport_wait(r->k.transport);
            transport_process(r->k.transport);
        }
    snprintf(text, sizeof(text), STR_FMT " " STR_FMT "|" STR_FMT "|" STR_FMT, STR_ARG(l.found.username),
             STR_ARG(l.found.password), STR_ARG(l.found.identity_token), STR_ARG(l.found.registry_token));
    if (l.code != BERTH_OK) {
        snprintf(text, sizeof(text), "!%d", l.code);
        test_err = l.err;
    }
    lookup_done(&l);
    return text;
}

#define NOTHING " ||"

static void test_client_keyring__policies_say_what_becomes_of_helpers(void **state)
{
    (void)state;
    static const char own[] = "\"auths\":{\"a.example\":{\"auth\":\"b3duOm8=\"}}"; /* own:o */
    static const struct {
        const char *helper;
        berth_helpers policy;
        bool own;
        const char *found;
        bool warns;
    } rows[] = {
        {"keep", BERTH_HELPERS_FAIL, true, "alice s||", false},
        {"keep", BERTH_HELPERS_WARN, true, "alice s||", false},
        {"keep", BERTH_HELPERS_STATIC_FIRST, true, "own o||", false},
        {"keep", BERTH_HELPERS_STATIC_FIRST, false, "alice s||", false},
        {"keep", BERTH_HELPERS_OFF, true, "own o||", false},
        {"keep", BERTH_HELPERS_OFF, false, NOTHING, false},
        {"mute", BERTH_HELPERS_FAIL, true, "own o||", false},
        {"mute", BERTH_HELPERS_FAIL, false, NOTHING, false},
        {"angry", BERTH_HELPERS_FAIL, true, "!-10", false},
        {"angry", BERTH_HELPERS_WARN, true, "own o||", true},
        {"angry", BERTH_HELPERS_WARN, false, NOTHING, true},
        {"angry", BERTH_HELPERS_STATIC_FIRST, true, "own o||", false},
        {"angry", BERTH_HELPERS_STATIC_FIRST, false, "!-10", false},
        {"absent", BERTH_HELPERS_FAIL, true, "!-10", false},
        {"absent", BERTH_HELPERS_WARN, true, "own o||", true},
        {"slow", BERTH_HELPERS_FAIL, true, "!-17", false},
        {"slow", BERTH_HELPERS_WARN, true, "own o||", true},
    };
    CHECK_OK(helper_run(STR("keep"), "store",
                        STR("{\"ServerURL\":\"a.example\",\"Username\":\"alice\",\"Secret\":\"s\"}"), 0,
                        &test_err));
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(ring_close) struct ring r = {0};
        CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
        berth_credentials_options o = BERTH_CREDENTIALS_OPTIONS_INIT;
        o.helpers = rows[i].policy;
        if (strcmp(rows[i].helper, "slow") == 0)
            o.helper_timeout_ms = 200;
        ring_open(&r, &o,
                  berth_arena_printf(&arena, "{\"credsStore\":\"%s\"%s%s}", rows[i].helper,
                                     rows[i].own ? "," : "", rows[i].own ? own : ""));
        CHECK_STR_ROW(i, str_from(look(&r, "a.example", "x", AUTH_READ)), str_from(rows[i].found));
        CHECK_ROW(i, (said[0] != '\0') == rows[i].warns);
    }
}

static void test_client_keyring__given_ones_come_before_files(void **state)
{
    (void)state;
    berth_credential host = BERTH_CREDENTIAL_INIT, reader = BERTH_CREDENTIAL_INIT,
                     any = BERTH_CREDENTIAL_INIT, team = BERTH_CREDENTIAL_INIT;
    host.place = "a.example";
    host.username = "host";
    reader.place = "a.example";
    reader.username = "reader";
    reader.privilege = BERTH_PRIVILEGE_READ;
    team.place = "a.example/team";
    team.identity_token = "again";
    team.privilege = BERTH_PRIVILEGE_WRITE;
    any.place = "*.any";
    any.bearer_token = "as-it-is";
    const berth_credential *const given[] = {&host, &reader, &team, &any, NULL};
    berth_credentials_options o = BERTH_CREDENTIALS_OPTIONS_INIT;
    o.given = given;
    CLEANUP(ring_close) struct ring r = {0};
    ring_open(&r, &o,
              "{\"auths\":{\"b.example\":{\"auth\":\"b3duOm8=\"},\"a.example\":{\"auth\":\"b3duOm8=\"}}}");
    CHECK(keyring_has_bearer(&r.k));
    static const struct {
        const char *host, *repository;
        enum auth_privilege needs;
        const char *found;
    } rows[] = {
        {"a.example", "app", AUTH_READ, "reader ||"},     {"a.example", "app", AUTH_WRITE, "host ||"},
        {"a.example", "team/app", AUTH_READ, " |again|"}, {"a.example", "team/app", AUTH_ALL, "host ||"},
        {"a.example", "teams", AUTH_ALL, "host ||"},      {"b.example", "x", AUTH_READ, "own o||"},
        {"x.any", "x", AUTH_READ, " ||as-it-is"},         {"c.example", "x", AUTH_READ, NOTHING}};
    for (size_t i = 0; i < COUNT(rows); i++)
        CHECK_STR_ROW(i, str_from(look(&r, rows[i].host, rows[i].repository, rows[i].needs)),
                      str_from(rows[i].found));
    file_write("config.json", "{\"auths\":{\"c.example\":{\"auth\":\"b3duOm8=\"}}}",
               0600); /* read at each look */
    CHECK_STR(str_from(look(&r, "c.example", "x", AUTH_READ)), STR("own o||"));
}

static void test_client_keyring__looks_into_files_in_their_order(void **state)
{
    (void)state;
    char second[128], absent[128];
    snprintf(second, sizeof(second), "%s/second.json", helper_folder);
    snprintf(absent, sizeof(absent), "%s/absent.json", helper_folder);
    const char *const files[] = {absent, second, NULL};
    berth_credentials_options o = BERTH_CREDENTIALS_OPTIONS_INIT;
    o.files = files;
    CLEANUP(ring_close) struct ring r = {0};
    ring_open(&r, &o, "{\"credsStore\":\"mute\",\"auths\":{\"a.example\":{\"auth\":\"b3duOm8=\"}}}");
    file_write(
        "second.json",
        "{\"auths\":{\"a.example\":{\"username\":\"second\"},\"b.example\":{\"username\":\"second\"}}}",
        0600);
    CHECK_STR(str_from(look(&r, "a.example", "", AUTH_READ)), STR("own o||"));
    CHECK_STR(str_from(look(&r, "b.example", "", AUTH_READ)), STR("second ||"));
    CHECK_STR(str_from(look(&r, "c.example", "", AUTH_READ)), STR(NOTHING));
    file_write("config.json", "broken", 0600);
    CHECK_STR(str_from(look(&r, "b.example", "", AUTH_READ)), STR("!-2"));
    CHECK(strstr(test_err.message, "config.json"));
}

static void test_client_keyring__asks_a_helper_once_for_all_who_wait_and_keeps_its_answer(void **state)
{
    (void)state;
    berth_credentials_options o = BERTH_CREDENTIALS_OPTIONS_INIT;
    CLEANUP(ring_close) struct ring r = {0};
    ring_open(&r, &o, "{\"credHelpers\":{\"a.example\":\"keep\"}}");
    CHECK_OK(helper_run(STR("keep"), "store",
                        STR("{\"ServerURL\":\"a.example\",\"Username\":\"<token>\",\"Secret\":\"again\"}"), 0,
                        &test_err));
    static struct lookup many[50];
    const auth_target t = {STR("a.example"), STR("app"), AUTH_READ};
    for (size_t i = 0; i < COUNT(many); i++)
        CHECK(!lookup_start(&many[i], &r.k, &t, on_done));
    lookup_done(&many[7]); /* who leaves is not told */
    while (n_done < (int)COUNT(many) - 1) {
        transport_wait(r.k.transport);
        transport_process(r.k.transport);
    }
    for (size_t i = 0; i < COUNT(many); i++) {
        CHECK_ROW(i, i == 7 || str_eq(many[i].found.identity_token, STR("again")));
        lookup_done(&many[i]);
    }
    CHECK_STR(str_from(look(&r, "a.example", "other", AUTH_WRITE)), STR(" |again|"));
    CHECK_STR(str_from(file_read("asked")), STR("x\n"));
    keyring_forget(&r.k);
    CHECK_STR(str_from(look(&r, "a.example", "other", AUTH_WRITE)), STR(" |again|"));
    CHECK_STR(str_from(file_read("asked")), STR("x\nx\n"));
}

static void test_client_keyring__ends_a_helper_that_nobody_waits_for(void **state)
{
    (void)state;
    berth_credentials_options o = BERTH_CREDENTIALS_OPTIONS_INIT;
    struct ring r = {0};
    ring_open(&r, &o, "{\"credsStore\":\"slow\"}");
    const auth_target t = {STR("a.example"), STR("app"), AUTH_READ};
    struct lookup one = {0}, two = {0};
    CHECK(!lookup_start(&one, &r.k, &t, on_done) && !lookup_start(&two, &r.k, &t, on_done));
    lookup_done(&one);
    CHECK(one.code == BERTH_OK && !n_done);
    lookup_done(&two);
    int64_t began = clock_mono_ms();
    ring_close(&r); /* and leaks nothing */
    CHECK(clock_mono_ms() - began < 20000);
}

RUN_TESTS(HELPER_TEST(test_client_keyring__policies_say_what_becomes_of_helpers),
          HELPER_TEST(test_client_keyring__given_ones_come_before_files),
          HELPER_TEST(test_client_keyring__looks_into_files_in_their_order),
          HELPER_TEST(test_client_keyring__asks_a_helper_once_for_all_who_wait_and_keeps_its_answer),
          HELPER_TEST(test_client_keyring__ends_a_helper_that_nobody_waits_for))
