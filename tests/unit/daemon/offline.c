/* tests/unit/daemon/offline.c - a command goes to the server that owns the folder, or does its work itself.
 */
#include "fixture.h"

#include <sys/wait.h>

#include "daemon/control.h"
#include "daemon/wiring.h"
#include "metadata/meta.h"

static int command(const char *text)
{
    CONFIG c = config_of("");
    told[0] = '\0';
    test_err = (berth_error){0};
    return admin_command(c, str_from(text), &listener, &test_err);
}

static void test_daemon_offline__works_on_the_folder_itself(void **state)
{
    (void)state;
    CHECK_OK(command("gc"));
    CHECK(strstr(told, "value blobs=0\n") != NULL);
    CHECK(is_there("berth.db"));
    CHECK_OK(command("gc")); /* it has let go of the folder */
}

static void test_daemon_offline__leaves_to_a_server_what_only_a_server_can_do(void **state)
{
    (void)state;
    static const char *const commands[] = {"read-only on", "status", "reload"};
    for (size_t i = 0; i < COUNT(commands); i++) {
        CHECK_ROW(i, command(commands[i]) == BERTH_E_NOT_FOUND);
        CHECK_ROW(i, strstr(test_err.message, "no server runs") && strstr(test_err.message, folder));
        CHECK_ROW(i, !is_there("berth.db"));
    }
}

/* A mistyped folder must not look like an empty registry; an import begins one. */
static void test_daemon_offline__only_an_import_makes_the_folder(void **state)
{
    (void)state;
    CHECK(rmdir(folder) == 0);
    CHECK_CODE(command("gc"), BERTH_E_NOT_FOUND);
    CHECK_CODE(command("check"), BERTH_E_NOT_FOUND);
    CHECK(access(folder, F_OK) < 0);
    CHECK(command("import /nowhere/at/all") != BERTH_OK);
    CHECK(is_there("berth.db"));
}

static void test_daemon_offline__keeps_out_of_a_folder_that_is_in_use(void **state)
{
    (void)state;
    CONFIG c = config_of("");
    struct instance in;
    CHECK_OK(instance_open(c, true, &in, &test_err)); /* by somebody who listens to no commands */
    CHECK_CODE(command("gc"), BERTH_E_BUSY);
    instance_close(&in);
}

static int answer(void *arg, berth_str text, const struct admin_out *out, berth_error *err)
{
    (void)arg;
    out->line(out->arg, "from the server");
    return berth_error_set(err, BERTH_E_NOT_FOUND, "I do not know " STR_FMT, STR_ARG(text));
}

static void test_daemon_offline__passes_on_what_the_server_says(void **state)
{
    (void)state;
    control *server;
    CHECK_OK(control_start(folder, answer, NULL, &server, &test_err));
    /* its "not found" is not "no server": nothing is done behind its back */
    CHECK_CODE(command("gc"), BERTH_E_NOT_FOUND);
    assert_string_equal(told, "line from the server\n");
    assert_string_equal(test_err.message, "I do not know gc");
    CHECK(!is_there("berth.db"));
    control_stop(server);
}

/* What root makes in a service's folder would lock the service out. */
static void test_daemon_offline__root_becomes_the_owner_of_the_folder(void **state)
{
    (void)state;
    if (geteuid() != 0)
        return;
    const uid_t service = 65534;
    CHECK(chown(folder, service, service) == 0);
    pid_t child = fork();
    if (child == 0)
        _exit(command("gc") != BERTH_OK || geteuid() != service || getegid() != service);
    int status;
    struct stat st;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    CHECK(stat(path_of("berth.db"), &st) == 0 && st.st_uid == service);
}

static uint64_t blobs_of(const char *db, bool put)
{
    meta *m;
    berth_digest d;
    struct meta_totals totals;
    digest_of(HASH_SHA256, "a", 1, &d);
    CHECK_OK(meta_sqlite_open(db, NULL, &m, &test_err));
    if (put)
        CHECK_OK(m->ops->blob_put(m, STR("app"), true, &d, STR("abc"), &test_err));
    CHECK_OK(m->ops->totals(m, &totals, &test_err));
    m->ops->free(m);
    return totals.blobs;
}

/* The folder of a service of systemd's with a dynamic user: below /var/lib/private, which is root's alone. */
static void test_daemon_offline__root_gets_where_the_owner_does_not(void **state)
{
    (void)state;
    if (geteuid() != 0)
        return;
    const uid_t service = 65534;
    const char *inner = path_of("inner");
    CHECK(mkdir(inner, 0700) == 0 && chown(inner, service, service) == 0 && chmod(folder, 0700) == 0);
    const char *const flags[] = {berth_arena_printf(&scratch, "data=%s", inner)};
    CONFIG c = NULL;
    CHECK_OK(config_load_text(STR(""), "berth.yaml", flags, 1, &c, &test_err));
    for (int i = 0; i < 2; i++) { /* once without a database, and once with one */
        pid_t child = fork();
        if (child == 0) /* the way is open, and nothing on it can be written */
            _exit(admin_command(c, STR("gc"), &listener, &test_err) != BERTH_OK || geteuid() != service ||
                  open(path_of("more"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600) >= 0);
        int status;
        CHECK(waitpid(child, &status, 0) == child && status == 0);
        assert_int_equal(blobs_of(path_of("inner/berth.db"), i == 0), 1);
    }
}

RUN_TESTS(FOLDER_TEST(test_daemon_offline__works_on_the_folder_itself),
          FOLDER_TEST(test_daemon_offline__leaves_to_a_server_what_only_a_server_can_do),
          FOLDER_TEST(test_daemon_offline__only_an_import_makes_the_folder),
          FOLDER_TEST(test_daemon_offline__keeps_out_of_a_folder_that_is_in_use),
          FOLDER_TEST(test_daemon_offline__passes_on_what_the_server_says),
          FOLDER_TEST(test_daemon_offline__root_becomes_the_owner_of_the_folder),
          FOLDER_TEST(test_daemon_offline__root_gets_where_the_owner_does_not))
