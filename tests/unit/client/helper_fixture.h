/* tests/unit/client/helper_fixture.h - a folder with credential helpers written in shell, found by PATH. */
#ifndef HELPER_FIXTURE_H
#define HELPER_FIXTURE_H

#include "test.h"

#include <stdio.h>
#include <sys/stat.h>

#include "client/child.h"

static char helper_folder[64], helper_path[512];

static UNUSED void file_write(const char *name, const char *text, mode_t mode)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", helper_folder, name);
    FILE *f = fopen(path, "we");
    CHECK(f && fputs(text, f) >= 0 && fclose(f) == 0 && chmod(path, mode) == 0);
}

static UNUSED const char *file_read(const char *name)
{
    static char text[8192];
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", helper_folder, name);
    FILE *f = fopen(path, "re");
    size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
    if (f)
        fclose(f);
    text[n] = '\0';
    return text;
}

/* "keep": keeps one secret for each server in files. "angry" fails, "mute" has none, "slow" takes a minute.
 */
static UNUSED int helpers_begin(void **state)
{
    (void)state;
    snprintf(helper_folder, sizeof(helper_folder), "/tmp/berth-helpers-XXXXXX");
    CHECK(mkdtemp(helper_folder));
    file_write("docker-credential-keep",
               "#!/bin/sh\n"
               "d=${0%/*}\n"
               "name() { printf %s \"$1\" | tr -c 'a-z0-9' _; }\n"
               "case $1 in\n"
               "store) in=$(cat); s=${in#*ServerURL\\\":\\\"}; printf %s \"$in\" >\"$d/kept-$(name "
               "\"${s%%\\\"*}\")\" ;;\n"
               "get) echo x >>\"$d/asked\"; s=$(cat); f=$d/kept-$(name \"$s\"); "
               "[ -e \"$f\" ] && exec cat \"$f\"; echo credentials not found in native keychain; exit 1 ;;\n"
               "erase) s=$(cat); rm -f \"$d/kept-$(name \"$s\")\" ;;\n"
               "esac\n",
               0755);
    file_write("docker-credential-angry", "#!/bin/sh\necho the keychain is locked\nexit 1\n", 0755);
    file_write("docker-credential-mute", "#!/bin/sh\necho credentials not found in native keychain\nexit 1\n",
               0755);
    file_write("docker-credential-slow", "#!/bin/sh\nexec sleep 60\n", 0755);
    snprintf(helper_path, sizeof(helper_path), "%s:/usr/bin:/bin", helper_folder);
    setenv("PATH", helper_path, 1);
    return 0;
}

static UNUSED int helpers_end(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof(command), "%s", helper_folder);
    const char *argv[] = {"rm", "-rf", command, NULL};
    struct child c;
    CHECK_OK(child_start(&c, argv, STR(""), 0, &test_err));
    child_wait(&c);
    child_done(&c);
    return 0;
}

#define HELPER_TEST(fn) cmocka_unit_test_setup_teardown(fn, helpers_begin, helpers_end)

#endif
