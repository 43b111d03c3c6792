/* tests/unit/cli/remote.c */
#include "fixture.h"

#include "cli/remote.h"

#define D "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"

static void test_cli_remote__takes_references_apart(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host, *repository, *reference; /* host NULL: refused */
    } rows[] = {
        {"localhost/a", "localhost", "a", "latest"},
        {"localhost:5000/a/b:v1", "localhost:5000", "a/b", "v1"},
        {"docker://127.0.0.1:5000/a@" D, "127.0.0.1:5000", "a", D},
        {"[::1]:5000/a:v1@" D, "[::1]:5000", "a", D},
        {"registry.example/team/app", "registry.example", "team/app", "latest"},
        {"alpine", "registry-1.docker.io", "library/alpine", "latest"},
        {"alpine:3", "registry-1.docker.io", "library/alpine", "3"},
        {"my/image:1", "registry-1.docker.io", "my/image", "1"},
        {"docker.io/alpine", "registry-1.docker.io", "library/alpine", "latest"},
        {"docker://oci:layout", "registry-1.docker.io", "library/oci", "layout"},
        {"registry.example/alpine", "registry.example", "alpine", "latest"},
        {"", NULL, NULL, NULL},
        {"docker://", NULL, NULL, NULL},
        {"https://localhost:5000/a", NULL, NULL, NULL},
        {"localhost:5000/", NULL, NULL, NULL},
        {"localhost:5000/A", NULL, NULL, NULL},
        {"localhost:5000/a:", NULL, NULL, NULL},
        {"localhost:5000/a:-x", NULL, NULL, NULL},
        {"localhost:5000/a@sha256:1", NULL, NULL, NULL},
        {"localhost:5000/a@v1", NULL, NULL, NULL},
        {"localhost:5000/../a", NULL, NULL, NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(berth_ref_done) berth_ref ref = BERTH_REF_INIT;
        int r = remote_parse(rows[i].text, CLI_OPERAND_REFERENCE, &ref, &test_err);
        CHECK_ROW(i, r == (rows[i].host ? BERTH_OK : BERTH_E_INVALID));
        CHECK_STR_ROW(i, str_from(ref.netloc), str_from(rows[i].host));
        CHECK_STR_ROW(i, str_from(ref.repository), str_from(rows[i].repository));
        CHECK_STR_ROW(i, str_from(ref.tag), str_from(rows[i].reference));
    }
}

static void test_cli_remote__knows_layouts(void **state)
{
    (void)state;
    static const struct {
        const char *text, *path, *tag, *reference;
    } rows[] = {
        {"oci:app", "app", NULL, NULL},
        {"oci:./app:v1", "./app", "v1", "v1"},
        {"oci:/srv/a.b/app@" D, "/srv/a.b/app", NULL, D},
        {"oci:/srv/a.b/app:v1@" D, "/srv/a.b/app", "v1", D},
        {"oci:/srv/a:b/app", "/srv/a:b/app", NULL, NULL},
        {"oci:/srv/a@b/app:v1", "/srv/a@b/app", "v1", "v1"},
        {"oci:app:", "app", NULL, NULL},
    };
    const char *path, *tag, *reference;
    for (size_t i = 0; i < COUNT(rows); i++) {
        CHECK_ROW(i, remote_parse_layout(rows[i].text, &scratch, &path, &tag, &reference));
        CHECK_STR_ROW(i, str_from(path), str_from(rows[i].path));
        CHECK_STR_ROW(i, str_from(tag), str_from(rows[i].tag));
        CHECK_STR_ROW(i, str_from(reference), str_from(rows[i].reference));
    }
    CHECK(!remote_parse_layout("docker://oci:app", &scratch, &path, &tag, &reference));
    assert_int_equal(berth("manifest delete oci:app:v1"), EXIT_USAGE);
    CHECK(strstr(err_text, "write docker://oci:app:v1"));
}

static void test_cli_remote__says_what_it_does_not_understand(void **state)
{
    (void)state;
    static const struct {
        const char *words, *said;
    } rows[] = {
        {"ping", "HOST is missing"},
        {"ping a b", "'b' is one word too many"},
        {"ping --dance a", "'--dance' is not an option\n"},
        {"ping --insecur a", "'--insecur' is not an option; did you mean --insecure?"},
        {"ping a --insecure=yes", "--insecure has no value"},
        {"ping a --timeout 86401", "--timeout is at most 86400"},
        {"ping a --format {{.x", "--format: position 5: '}}' is missing"},
        {"ping a --output=json --format {{.host}}", "give one of them"},
        {"ping a/b", "'a/b' is more than a host"},
        {"tag list localhost:5000",
         "'localhost:5000' is a host without a repository: localhost:5000/NAME is needed"},
        {"ping a --output yaml", "--output is text or json, not 'yaml'"},
        {"ping a --timeout x", "--timeout is a number"},
        {"ping a --ca-file", "--ca-file needs a value"},
        {"ping a --username u", "go together"},
        {"ping a --plain-http --insecure", "no certificates"},
        {"ping a -o x", "'-o' is not an option"},
        {"tag", "usage"},
        {"tag dance x", "'dance' is not one of its commands"},
        {"tag lits x", "did you mean list?"},
        {"tag list", "REF is missing"},
        {"manifest get localhost/A", "'localhost/A': "},
        {"manifest get localhost/a --accept x", "--accept is any, image or index"},
        {"blob get localhost/a:v1", "names no digest"},
        {"blob get localhost/a@" D " --output json", "-o FILE is needed"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CHECK_ROW(i, berth("%s", rows[i].words) == EXIT_USAGE);
        CHECK_ROW(i, strstr(err_text, rows[i].said) || strstr(out_text, rows[i].said));
    }
}

static void test_cli_remote__exit_codes_tell_causes_apart(void **state)
{
    (void)state;
    static const struct {
        int code, exit_code;
    } rows[] = {{BERTH_OK, 0},          {BERTH_E_IO, 1},      {BERTH_E_INVALID, 1},
                {BERTH_E_NOT_FOUND, 4}, {BERTH_E_BUSY, 5},    {BERTH_E_UNAUTH, 7},
                {BERTH_E_DENIED, 7},    {BERTH_E_NETWORK, 8}, {BERTH_E_DIGEST, 9}};
    for (size_t i = 0; i < COUNT(rows); i++)
        CHECK_ROW(i, remote_exit_code(rows[i].code) == rows[i].exit_code);
    assert_int_equal(berth("ping 127.0.0.1:1"), EXIT_NETWORK);
    CHECK(strstr(err_text, "berth ping: 127.0.0.1:1: "));
}

static void test_cli_remote__every_command_has_its_help(void **state)
{
    (void)state;
    static const char *const commands[] = {"ping", "tag list", "manifest get", "manifest head", "blob get"};
    for (size_t i = 0; i < COUNT(commands); i++) {
        CHECK_ROW(i, berth("%s --help", commands[i]) == EXIT_OK);
        CHECK_ROW(i, strstr(out_text, berth_arena_printf(&scratch, "usage: berth %s ", commands[i])) ==
                         out_text);
        CHECK_ROW(i, strstr(out_text, "--ca-file") && strstr(out_text, "examples:"));
    }
}

RUN_TESTS(CLI_TEST(test_cli_remote__takes_references_apart), CLI_TEST(test_cli_remote__knows_layouts),
          CLI_TEST(test_cli_remote__says_what_it_does_not_understand),
          CLI_TEST(test_cli_remote__exit_codes_tell_causes_apart),
          CLI_TEST(test_cli_remote__every_command_has_its_help))
