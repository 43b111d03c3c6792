/* tests/unit/daemon/admin.c - the words of a command, and what each command answers. */
#include "fixture.h"

#include "daemon/wiring.h"

static struct instance in;

static int open_it(void **state)
{
    folder_new(state);
    CONFIG c = config_of("");
    told[0] = '\0';
    return instance_open(c, true, &in, &test_err);
}

static int close_it(void **state)
{
    instance_close(&in);
    return folder_free(state);
}

static int run(const char *command)
{
    told[0] = '\0';
    test_err = (berth_error){0};
    return admin_run(&in, str_from(command), &listener, &test_err);
}

static void test_daemon_admin__refuses_words_it_does_not_know(void **state)
{
    (void)state;
    static const struct {
        const char *command, *message;
    } rows[] = {
        {"", "unknown command ''"},
        {"dance", "unknown command 'dance'"},
        {"gc now", "'now' is not understood"},
        {"gc dry-run now", "'now' is not understood"},
        {"import", "unknown command 'import'"}, /* without a path */
        {"import a b", "'b' is not understood"},
        {"read-only", "unknown command 'read-only'"},
        {"read-only on off", "unknown command 'read-only'"}, /* which? */
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CHECK_ROW(i, run(rows[i].command) == BERTH_E_INVALID);
        CHECK_STR_ROW(i, str_from(test_err.message), str_from(rows[i].message));
        CHECK_ROW(i, told[0] == '\0' && !repo_is_read_only(in.repo));
    }
}

static void test_daemon_admin__switches_writing_off_and_on(void **state)
{
    (void)state;
    CHECK_OK(run("read-only on"));
    assert_string_equal(told, "value read_only=true\n");
    CHECK(repo_is_read_only(in.repo));
    CHECK_OK(run("status"));
    assert_string_equal(told, "value read_only=true\n");
    CHECK_OK(run("read-only off"));
    assert_string_equal(told, "value read_only=false\n");
    CHECK(!repo_is_read_only(in.repo));
}

static void test_daemon_admin__says_when_writing_stays_off_by_the_setting(void **state)
{
    (void)state;
    instance_close(&in);
    CONFIG c = config_of("registry:\n  read_only: true\n");
    CHECK_OK(instance_open(c, false, &in, &test_err));
    CHECK_OK(run("read-only on"));
    CHECK_CODE(run("read-only off"), BERTH_E_DENIED);
    CHECK(strstr(test_err.message, "registry.read_only") && told[0] == '\0');
    CHECK(repo_is_read_only(in.repo));
}

static void push(const char *body, berth_digest *ret)
{
    repo_upload *u;
    digest_of(HASH_SHA256, body, strlen(body), ret);
    CHECK_OK(repo_upload_single(in.repo, STR("a"), ret, &u, &test_err));
    CHECK_OK(repo_upload_append(u, body, strlen(body), &test_err));
    CHECK_OK(repo_upload_finish(u, ret, &test_err));
}

static void test_daemon_admin__says_what_a_collection_did_or_would_do(void **state)
{
    (void)state;
    CHECK_OK(run("gc dry-run"));
    assert_string_equal(told, "value manifests=0\nvalue links=0\nvalue blobs=0\nvalue uploads=0\n"
                              "value objects=0\nvalue bytes=0\nvalue waiting_bytes=0\n");
    CHECK_OK(run("gc"));
    assert_string_equal(told,
                        "value manifests=0\nvalue links=0\nvalue blobs=0\nvalue uploads=0\n"
                        "value repositories=0\nvalue objects=0\nvalue bytes=0\nvalue waiting_bytes=0\n");
}

static void test_daemon_admin__tells_each_problem_that_a_check_finds(void **state)
{
    (void)state;
    berth_digest d;
    char body[40 * 1024];
    memset(body, 'x', sizeof(body) - 1); /* too large for the database */
    body[sizeof(body) - 1] = '\0';
    push(body, &d);
    CHECK_OK(run("check"));
    CHECK(strstr(told, "value blobs=1\nvalue manifests=0\nvalue objects=1\n") != NULL);
    CHECK(strstr(told, "value problems=0\nvalue repaired=0\n") != NULL && !strstr(told, "line "));
    CHECK(nftw(path_of("objects"), remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0);
    CHECK(mkdir(path_of("objects"), 0700) == 0);
    /* an instance opened anew, for the folder that it held is gone */
    instance_close(&in);
    CONFIG c = config_of("");
    CHECK_OK(instance_open(c, false, &in, &test_err));
    CHECK_OK(run("check quick"));
    CHECK(strstr(told, berth_arena_printf(&scratch, "line blob %s: ", d.text)) != NULL);
    CHECK(strstr(told, "value problems=1\n") != NULL);
}

/* The path comes percent-encoded: it may hold spaces. */
static void test_daemon_admin__imports_from_a_path_with_any_bytes(void **state)
{
    (void)state;
    CHECK(mkdir(path_of("my layout"), 0700) == 0);
    write_file("my layout/oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}");
    write_file("my layout/index.json", "{\"schemaVersion\":2,\"manifests\":[]}");
    char *command = berth_arena_printf(&scratch, "import %s/my%%20layout name=team/app dry-run", folder);
    CHECK_OK(run(command));
    CHECK(strstr(told, "value repositories=") != NULL && strstr(told, "value failed=0\n") != NULL);
    CHECK(run(berth_arena_printf(&scratch, "import %s/none", folder)) < 0);
    CHECK(told[0] == '\0');
}

static void test_daemon_admin__stops_when_the_listener_says_so(void **state)
{
    (void)state;
    const _Atomic bool stop = true;
    struct admin_out out = listener;
    out.stop = &stop;
    berth_digest d;
    push("x", &d);
    CHECK_CODE(admin_run(&in, STR("check"), &out, &test_err), BERTH_E_CANCELLED);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, open_it, close_it)
RUN_TESTS(CASE(test_daemon_admin__refuses_words_it_does_not_know),
          CASE(test_daemon_admin__switches_writing_off_and_on),
          CASE(test_daemon_admin__says_when_writing_stays_off_by_the_setting),
          CASE(test_daemon_admin__says_what_a_collection_did_or_would_do),
          CASE(test_daemon_admin__tells_each_problem_that_a_check_finds),
          CASE(test_daemon_admin__imports_from_a_path_with_any_bytes),
          CASE(test_daemon_admin__stops_when_the_listener_says_so))
