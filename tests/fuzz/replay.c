/* Stands in for libFuzzer: hands every file named, and every file in the folders named, to the target's entry
 * point, and reports in TAP. Every saved case is thereby an ordinary test; what it must not do is crash or
 * make a sanitizer speak, which ends the program. Each input lies in a block of exactly its size, so that a
 * read beyond it is seen. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"

static unsigned done;

static void report(bool ok, const char *path, const char *why)
{
    printf("%s %u - %s%s%s\n", ok ? "ok" : "not ok", ++done, path, *why ? ": " : "", why);
    fflush(stdout);
}

static bool replay_file(const char *path, size_t size)
{
    uint8_t *data = malloc(size ? size : 1);
    FILE *f = fopen(path, "rb");
    bool ok = data && f && fread(data, 1, size, f) == size;
    if (f)
        fclose(f);
    if (ok)
        LLVMFuzzerTestOneInput(data, size);
    report(ok, path, ok ? "" : "cannot be read");
    free(data);
    return ok;
}

static bool replay(const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0) {
        report(false, path, strerror(errno));
        return false;
    }
    if (!S_ISDIR(st.st_mode))
        return replay_file(path, (size_t)st.st_size);

    struct dirent **entries = NULL;
    int n = scandir(path, &entries, NULL, alphasort);
    bool ok = n >= 0;
    for (int i = 0; i < n; i++) {
        size_t room = strlen(path) + strlen(entries[i]->d_name) + 2;
        char *inner = malloc(room);
        if (!inner) {
            ok = false;
        } else if (entries[i]->d_name[0] != '.') {
            snprintf(inner, room, "%s/%s", path, entries[i]->d_name);
            ok = replay(inner) && ok;
        }
        free(inner);
        free(entries[i]);
    }
    free(entries);
    return ok;
}

int main(int argc, char **argv)
{
    /* The empty input is a case of every target. */
    uint8_t nothing = 0;
    LLVMFuzzerTestOneInput(&nothing, 0);
    report(true, "the empty input", "");

    bool ok = true;
    for (int i = 1; i < argc; i++)
        ok = replay(argv[i]) && ok;
    printf("1..%u\n", done);
    return ok ? 0 : 1;
}
